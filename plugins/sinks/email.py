"""Sends mails through an SMTP server, as text and HTML with the chart inside.

All mails of an incident are in one thread. Does not send without encryption, and puts no line break
into a header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from driftline import Message, Notification, Rejected, Secret, Sink, hookimpl
from driftline.kit.delivery import smtp

ADDRESS = r"[^\x00-\x20\x7f<>@,;\"]+@[^\x00-\x20\x7f<>@,;\"]+"
NAMED_ADDRESS = re.compile(rf"{ADDRESS}|[^\x00-\x1f\x7f<>@,;\"]+<{ADDRESS}>")


def _address(text: str) -> str:
    if len(text) > 320 or not NAMED_ADDRESS.fullmatch(text):
        raise ValueError("should be an address such as ann@example.org, or Ann <ann@example.org>")
    return text


Address = Annotated[str, AfterValidator(_address)]
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">\
<meta name="viewport" content="width=device-width"></head>
<body style="margin:0;padding:16px;background:#f2f4f7;color:#1d2939;\
font:15px/1.5 -apple-system,'Segoe UI',Roboto,sans-serif">
<table role="presentation" width="100%" \
style="max-width:680px;margin:0 auto;background:#fff;border-collapse:collapse">
<tr><td style="border-top:5px solid {colour};padding:20px 24px 4px;\
font-size:18px;font-weight:600">{title}</td></tr>
{rows}</table></body></html>
"""
ROW = '<tr><td style="padding:8px 24px;overflow-wrap:anywhere{style}">{text}</td></tr>\n'
STYLES = {
    "findings": ";border-top:1px solid #eaecf0",
    "context": ";padding-bottom:20px;font-size:12px;color:#667085",
}


class Email(Sink):
    """Sends a mail for each message."""

    type: ClassVar[str] = "email"

    host: str
    """The name of the mail server."""
    port: int = Field(default=587, ge=1, le=65535)
    """The port of the server: usually 587 for `starttls` and 465 for `tls`."""
    security: Literal["starttls", "tls"] = "starttls"
    """How the connection is encrypted: after a greeting (`starttls`) or from the start (`tls`).

    The certificate of the server is always checked.
    """
    trusted: str | None = None
    """A file with certificates of the authorities to trust, in place of the public ones.

    A relative path starts at the folder of the configuration file.
    """
    username: str | None = None
    """The user who logs in; without it driftline does not log in."""
    password: Secret | None = None
    """The password of `username`."""
    sender: Address = Field(examples=["driftline <driftline@example.org>"])
    """The sender: an address, or a name and an address in angle brackets."""
    to: tuple[Address, ...] = Field(min_length=1, examples=[["ann@example.org"]])
    """The addresses that get the mails."""

    def send(self, notification: Notification) -> str | None:
        """Send one mail; return the Message-ID of the incident's first mail."""
        try:
            first, mail = self._mail(notification)
        except (ValueError, MessageError) as error:
            raise Rejected(f"the mail can't be written: {error}") from None
        addresses = [parseaddr(address)[1] for address in self.to]
        rejections = self._server.send(mail, parseaddr(self.sender)[1], addresses)
        for address, answer in rejections.items():
            self.context.log.warning("one of several gets no mail", address=address, said=answer)
        return first

    def probe(self) -> str:
        """Check the connection, the certificate and the login."""
        return self._server.greet()

    def permissions(self) -> tuple[str, ...]:
        """Return the right that the mail server must grant."""
        return (f"to send as {parseaddr(self.sender)[1]}",)

    @property
    def _server(self) -> smtp.MailServer:
        login = (self.username, self.password.reveal()) if self.username and self.password else None
        return smtp.MailServer(
            connect=self.context.connect,
            host=self.host,
            port=self.port,
            security=self.security,
            login=login,
            ca_file=self.context.config_folder / self.trusted if self.trusted else None,
        )

    def _mail(self, notification: Notification) -> tuple[str, EmailMessage]:
        message_id = f"<{notification.id}@{parseaddr(self.sender)[1].rpartition('@')[2]}>"
        first = self.context.find_earlier_result(notification) or message_id
        text, chart = self.message(notification), self.context.chart(notification)
        mail = EmailMessage()
        headers: Mapping[str, str] = {
            "From": self.sender,
            "To": ", ".join(self.to),
            "Subject": text.title,
            "Message-ID": message_id,
        }
        for name, value in headers.items():
            mail[name] = value
        mail["Date"] = self.context.clock()
        mail["Auto-Submitted"] = "auto-generated"
        if first != message_id:
            mail["In-Reply-To"] = mail["References"] = first
        mail.set_content(text.body)
        mail.add_alternative(_page(self.message(notification, "html"), bool(chart)), subtype="html")
        if chart:
            page = mail.get_body(("html",))
            assert page is not None
            page.add_related(
                chart, "image", "png", cid="<chart>", disposition="inline", filename="chart.png"
            )
        return first, mail


def _page(message: Message, chart: bool) -> str:
    image = (
        '<img src="cid:chart" alt="chart of what changed" style="max-width:100%">' if chart else ""
    )
    parts = {
        "lead": message.lead,
        "todo": message.todo,
        "known": message.known,
        "chart": image,
        "findings": message.list_findings(8000),
        "links": message.links,
        "context": message.context,
    }
    rows = (
        ROW.format(text=text.replace("\n", "<br>\n"), style=STYLES.get(name, ""))
        for name, text in parts.items()
        if text
    )
    return PAGE.format(colour=message.colour, title=message.title, rows="".join(rows))


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [Email]
