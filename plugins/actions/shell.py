"""A command on the agent's own machine: a list of arguments, never a line for a shell, in an
environment of named variables.

Refuses to run a command again that was cut off, to wait longer than it may take, and to keep more
than the end of its output.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from datetime import timedelta
from typing import IO, Annotated, ClassVar, Literal

from pydantic import Field

from driftline import Action, Order, OutcomeUnknown, Rejected, Request, Retryable, Secret, hookimpl
from driftline.kit.delivery import compact
from driftline.kit.settings import Duration

TAIL = 2000
"""Bytes of the output that are kept."""
TRY_LATER = 75
"""The exit code by which a command asks to be run again later: EX_TEMPFAIL of sysexits.h."""


class Shell(Action):
    """Runs a command. The incident is its standard input, as JSON; exit code 0 is done, 75 is try
    again later.
    """

    type: ClassVar[str] = "shell"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "repeats"

    command: Annotated[
        tuple[str, ...],
        Field(min_length=1, examples=[["/opt/churn/retrain", "--model", "{model}"]]),
    ]
    """The program and its arguments; `{model}`, `{incident}` and the like stand for facts of the
    incident.
    """
    environment: dict[str, Annotated[Secret | str, Field(union_mode="left_to_right")]] = Field(
        default_factory=dict
    )
    """All variables that it gets beside DRIFTLINE_TOKEN, such as `PATH: "${env:PATH}"`."""
    timeout: Duration = timedelta(seconds=60)
    """How long it may take; then it is killed, with all that it started."""

    @property
    def patience(self) -> float:
        """A little more than the command has."""
        return self.timeout.total_seconds() + 10

    def request(self, order: Order) -> Request:
        """The command, and the incident for its standard input."""
        told = {"token": order.token, "action": order.action, "decision": order.decision}
        body = compact({**told, "incident": order.notification.model_dump(mode="json")})
        open_ones = {
            name: value for name, value in self.environment.items() if isinstance(value, str)
        }
        return Request(
            "run",
            shlex.join(order.fill(self.command)),
            body,
            {**open_ones, "DRIFTLINE_TOKEN": order.token},
        )

    def perform(self, request: Request) -> str:
        """Run it; gives the end of its output."""
        hidden = {
            name: value.reveal()
            for name, value in self.environment.items()
            if isinstance(value, Secret)
        }
        with tempfile.TemporaryFile() as told:
            told.write(request.body.encode("utf-8", "replace"))
            told.seek(0)
            try:
                process = subprocess.Popen(
                    shlex.split(request.target), stdin=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    env={**request.headers, **hidden}, cwd=self.context.base, start_new_session=True,
                )  # fmt: skip
            except (OSError, ValueError) as error:
                raise Rejected(f"{request.target.split(' ')[0]} can't be run: {error}") from None
        output = _Tail(process.stdout)
        try:
            code = process.wait(self.timeout.total_seconds())
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise OutcomeUnknown(
                f"killed after {self.timeout.total_seconds():g} s: {output.text()}"
            ) from None
        said = f"exit code {code}: {output.text()}"
        if code == TRY_LATER:
            raise Retryable(said)
        if code:
            raise Rejected(said)
        return said


class _Tail:
    """Reads to the end, and keeps the last of it."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._kept = b""
        self._thread = threading.Thread(
            target=self._read, args=(stream,), name="shell-output", daemon=True
        )
        self._thread.start()

    def text(self) -> str:
        """What was said; whoever still holds the other end open is not waited for."""
        self._thread.join(1)
        return self._kept.decode("utf-8", "replace").strip()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while part := stream.read1(65536):  # type: ignore[attr-defined]
                self._kept = (self._kept + part)[-TAIL:]


@hookimpl
def register_actions() -> list[type[Action]]:
    """The one action of this file."""
    return [Shell]
