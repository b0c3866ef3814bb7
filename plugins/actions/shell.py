"""Runs a command on the machine of the agent, with a list of arguments and without a shell.

The command gets only the variables in the settings. An interrupted command is not run again, and
only the end of its output is stored.
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
"""Bytes of the output that are stored."""
TRY_LATER = 75
"""The exit code of a command that should run again later: EX_TEMPFAIL of sysexits.h."""


class Shell(Action):
    """Runs a command, with the incident as JSON on its standard input.

    Exit code 0 means success, and 75 means: run it again later. Any other code is a failure.
    """

    type: ClassVar[str] = "shell"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "repeats"

    command: Annotated[
        tuple[str, ...],
        Field(min_length=1, examples=[["/opt/churn/retrain", "--model", "{model}"]]),
    ]
    """The program and its arguments.

    In them `{model}`, `{incident}` and other facts of the incident are filled in.
    """
    environment: dict[str, Annotated[Secret | str, Field(union_mode="left_to_right")]] = Field(
        default_factory=dict
    )
    """All variables of the command beside DRIFTLINE_TOKEN, such as `PATH: "${env:PATH}"`."""
    timeout: Duration = timedelta(seconds=60)
    """How long the command may take; then it and all its child processes are killed."""

    @property
    def patience(self) -> float:
        """Return the timeout and 10 s."""
        return self.timeout.total_seconds() + 10

    def request(self, order: Order) -> Request:
        """Return the command, and the incident for its standard input."""
        order_fields = {"token": order.token, "action": order.action, "decision": order.decision}
        body = compact({**order_fields, "incident": order.notification.model_dump(mode="json")})
        plain_variables = {
            name: value for name, value in self.environment.items() if isinstance(value, str)
        }
        return Request(
            "run",
            shlex.join(self._arguments(order)),
            body,
            {**plain_variables, "DRIFTLINE_TOKEN": order.token},
        )

    def _arguments(self, order: Order) -> list[str]:
        """The command with its facts. Raises Rejected where a fact would become an option."""
        arguments: list[str] = order.fill(self.command)
        for setting, argument in zip(self.command, arguments, strict=True):
            if argument.startswith("-") and not setting.startswith("-"):
                raise Rejected(
                    f"the argument {setting} would be the option {argument}: write it behind the "
                    "name of an option, such as --title={title}"
                )
        return arguments

    def perform(self, request: Request) -> str:
        """Run the command; return the end of its output."""
        secret_variables = {
            name: value.reveal()
            for name, value in self.environment.items()
            if isinstance(value, Secret)
        }
        with tempfile.TemporaryFile() as stdin:
            stdin.write(request.body.encode("utf-8", "replace"))
            stdin.seek(0)
            try:
                process = subprocess.Popen(
                    shlex.split(request.target),
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env={**request.headers, **secret_variables},
                    cwd=self.context.config_folder,
                    start_new_session=True,
                )
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
        result = f"exit code {code}: {output.text()}"
        if code == TRY_LATER:
            raise Retryable(result)
        if code:
            raise Rejected(result)
        return result


class _Tail:
    """Reads a stream to its end, and keeps its last bytes."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._data = b""
        self._thread = threading.Thread(
            target=self._read, args=(stream,), name="shell-output", daemon=True
        )
        self._thread.start()

    def text(self) -> str:
        """Return the text; do not wait for a process that keeps the output open."""
        self._thread.join(1)
        return self._data.decode("utf-8", "replace").strip()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while part := stream.read1(65536):  # type: ignore[attr-defined]
                self._data = (self._data + part)[-TAIL:]


@hookimpl
def register_actions() -> list[type[Action]]:
    """Register the action of this file."""
    return [Shell]
