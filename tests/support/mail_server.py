"""A mail server on this machine, with STARTTLS or TLS, a login, and failures where a test wants
them.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from certificates import certificate

USER, PASSWORD = "robot", "pa55word-canary"


@dataclass
class Mail:
    """One mail as it was taken."""

    sender: str
    to: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)  # type: ignore[return-value]


class MailServer:
    """Takes mail from who logs in over an encrypted connection. `answers` replace its own, by
    command.
    """

    def __init__(
        self,
        folder: Path,
        answers: Mapping[str, str] | None = None,
        *,
        tls: bool = False,
        offer: bool = True,
    ) -> None:
        self.ca, key = certificate(folder)
        self.mails: list[Mail] = []
        self.answers = dict(answers or {})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        given: dict[str, Any] = {"authenticator": self._known}
        if tls:
            given |= {"ssl_context": context, "auth_require_tls": False}
        elif offer:
            given |= {"tls_context": context, "require_starttls": True, "auth_required": True}
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._controller = Controller(self, "127.0.0.1", port, **given)

    def __enter__(self) -> MailServer:
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        return self._controller.port

    def _known(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        if "AUTH" in self.answers:
            return AuthResult(success=False, handled=False, message=self.answers["AUTH"])
        known = isinstance(data, LoginPassword) and (data.login, data.password) == (
            USER.encode(),
            PASSWORD.encode(),
        )
        return AuthResult(
            success=known, handled=False, message=None if known else f"535 5.7.8 {USER} is unknown"
        )

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(f"RCPT {address}", self.answers.get("RCPT", "250 OK"))
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith(("250", "drop")):
            self.mails.append(
                Mail(envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content)
            )
        if answer == "drop":
            server.transport.abort()
        return answer
