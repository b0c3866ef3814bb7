"""SMTP: one message over one connection, and what became of it.

Refuses to send in the clear, to a server that its certificate does not vouch for, and to last
longer than 20 seconds.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

from driftline.types.errors import OutcomeUnknown, Rejected, Retryable
from driftline.types.phrasing import clean

SECONDS = 20.0
WIRE = policy.SMTP.clone(cte_type="7bit")
"""Lines end as SMTP wants, and any server can take them."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to hand mail in."""

    connect: Callable[[str, int], socket.socket]
    """See `StartContext.connect`."""
    host: str
    port: int
    security: Literal["starttls", "tls"]
    login: tuple[str, str] | None = None
    """Name and password."""
    trusted: Path | None = None
    """The certificates of authorities to trust in place of the public ones."""

    def send(self, message: EmailMessage, sender: str, to: Sequence[str]) -> dict[str, str]:
        """Hand `message` in. Returns who was refused, by address, when others were taken.

        Raises Rejected (5xx), Retryable (4xx, or nothing got through) or OutcomeUnknown (no answer
        after the text had left).
        """
        content = message.as_bytes(policy=WIRE)
        with self._session() as client:
            _judge(client.mail(sender))
            refused = {
                address: answer
                for address in to
                if (answer := client.rcpt(address))[0] not in (250, 251)
            }
            if len(refused) == len(to):
                _judge(min(refused.values()))
            try:
                answer = client.data(content)
            except smtplib.SMTPDataError:
                raise
            except (OSError, smtplib.SMTPException) as error:
                raise OutcomeUnknown(
                    f"no answer from {self._place} after the text: {type(error).__name__}"
                ) from None
            _judge(answer)
            return {address: _said(*answer) for address, answer in refused.items()}

    def greet(self) -> str:
        """Connect, log in, and leave. Raises what `send` raises."""
        with self._session():
            return f"{self._place} takes mail"

    @property
    def _place(self) -> str:
        return f"{clean(self.host, 100)}:{self.port}"

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A client that is greeted, encrypted and logged in; what ends before the text is judged by
        its answer.
        """
        client = _Client(self._connected, self.host)
        # Every wait has its own limit: together they have this one.
        late = threading.Timer(SECONDS, client.cut)
        late.daemon = True
        late.start()
        try:
            _judge(client.connect(self.host, self.port), 220)
            if self.security == "starttls":
                client.starttls(context=self._tls())
            client.ehlo_or_helo_if_needed()
            if self.login:
                client.login(*self.login)
            yield client
            client.leave()
        except smtplib.SMTPNotSupportedError as error:
            raise Rejected(f"{self._place}: {clean(error)}") from None
        except smtplib.SMTPResponseException as error:
            _judge((error.smtp_code, error.smtp_error))
            raise Retryable(
                f"{self._place} answers {_said(error.smtp_code, error.smtp_error)}"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            why = (
                f": {clean(error.verify_message)}"
                if isinstance(error, ssl.SSLCertVerificationError)
                else ""
            )
            raise Retryable(f"{self._place} can't be used: {type(error).__name__}{why}") from None
        finally:
            late.cancel()
            client.close()

    def _connected(self, host: str, port: int) -> socket.socket:
        plain = self.connect(host, port)
        return (
            plain
            if self.security == "starttls"
            else self._tls().wrap_socket(plain, server_hostname=host)
        )

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.trusted)
        except OSError as error:
            raise Rejected(
                f"{self.trusted}: no certificates of authorities can be read: {type(error).__name__}"
            ) from None


class _Client(smtplib.SMTP):
    """Python's client over a connection that is handed in."""

    def __init__(self, connect: Callable[[str, int], socket.socket], host: str) -> None:
        super().__init__(timeout=SECONDS)
        self._connect, self._host = connect, host

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        return self._connect(host, port)

    def cut(self) -> None:
        """End all waiting at once."""
        if self.sock is not None:
            self.sock.shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        """Say goodbye: what was taken stays taken, whatever is answered."""
        try:
            self.quit()
        except (OSError, smtplib.SMTPException):
            return


def _judge(answer: tuple[int, bytes | str], well: int = 250) -> None:
    code, said = answer
    if code // 100 == well // 100:
        return
    if code // 100 == 5:
        raise Rejected(f"the mail server refuses: {_said(code, said)}", code)
    raise Retryable(f"the mail server says: {_said(code, said)}")


def _said(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return clean(f"{code} {text}")
