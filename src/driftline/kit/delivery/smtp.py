"""Sends one mail over one SMTP connection and translates the answers of the server.

Does not send without encryption, does not accept an invalid certificate, and does not take longer
than 20 seconds.
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
"""Line ends for SMTP, in 7 bits, which every server accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A mail server that takes mail."""

    connect: Callable[[str, int], socket.socket]
    """See `StartContext.connect`."""
    host: str
    port: int
    security: Literal["starttls", "tls"]
    login: tuple[str, str] | None = None
    """User name and password."""
    ca_file: Path | None = None
    """Certificates of the authorities to trust, in place of the public ones."""

    def send(self, message: EmailMessage, sender: str, to: Sequence[str]) -> dict[str, str]:
        """Send `message`; return the rejected addresses where others were accepted.

        Raises Rejected (5xx), Retryable (4xx, or no connection) or OutcomeUnknown (no answer after
        the text was sent).
        """
        content = message.as_bytes(policy=WIRE)
        with self._session() as client:
            _check(client.mail(sender))
            rejections = {
                address: answer
                for address in to
                if (answer := client.rcpt(address))[0] not in (250, 251)
            }
            if len(rejections) == len(to):
                _check(min(rejections.values()))
            try:
                answer = client.data(content)
            except smtplib.SMTPDataError:
                raise
            except (OSError, smtplib.SMTPException) as error:
                raise OutcomeUnknown(
                    f"no answer from {self._place} after the text: {type(error).__name__}"
                ) from None
            _check(answer)
            return {address: _answer_text(*answer) for address, answer in rejections.items()}

    def greet(self) -> str:
        """Connect, log in and disconnect. Raises what `send` raises."""
        with self._session():
            return f"{self._place} takes mail"

    @property
    def _place(self) -> str:
        return f"{clean(self.host, 100)}:{self.port}"

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """Return a client that is connected, encrypted and logged in.

        Errors before the text is sent become Rejected or Retryable.
        """
        client = _Client(self._open_socket, self.host)
        # Each wait has its own limit; this timer limits all of them together.
        timer = threading.Timer(SECONDS, client.cut)
        timer.daemon = True
        timer.start()
        try:
            _check(client.connect(self.host, self.port), 220)
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
            _check((error.smtp_code, error.smtp_error))
            raise Retryable(
                f"{self._place} answers {_answer_text(error.smtp_code, error.smtp_error)}"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            detail = (
                f": {clean(error.verify_message)}"
                if isinstance(error, ssl.SSLCertVerificationError)
                else ""
            )
            raise Retryable(
                f"{self._place} can't be used: {type(error).__name__}{detail}"
            ) from None
        finally:
            timer.cancel()
            client.close()

    def _open_socket(self, host: str, port: int) -> socket.socket:
        plain = self.connect(host, port)
        return (
            plain
            if self.security == "starttls"
            else self._tls().wrap_socket(plain, server_hostname=host)
        )

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise Rejected(
                f"{self.ca_file}: no certificates of authorities can be read: "
                f"{type(error).__name__}"
            ) from None


class _Client(smtplib.SMTP):
    """Python's client over a socket that the host opens."""

    def __init__(self, connect: Callable[[str, int], socket.socket], host: str) -> None:
        super().__init__(timeout=SECONDS)
        self._connect, self._host = connect, host

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        return self._connect(host, port)

    def cut(self) -> None:
        """End all waits at once."""
        if self.sock is not None:
            self.sock.shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        """Send QUIT; an error after it changes nothing."""
        try:
            self.quit()
        except (OSError, smtplib.SMTPException):
            return


def _check(answer: tuple[int, bytes | str], success: int = 250) -> None:
    code, text = answer
    if code // 100 == success // 100:
        return
    if code // 100 == 5:
        raise Rejected(f"the mail server rejected it: {_answer_text(code, text)}", code)
    raise Retryable(f"the mail server says: {_answer_text(code, text)}")


def _answer_text(code: int, answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return clean(f"{code} {text}")
