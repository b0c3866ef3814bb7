"""How data becomes text of a service: escaped for its markup, so that no name can ping, link or end
what it stands in.

Refuses to trust: whatever is not made here is data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from json import dumps
from urllib.parse import quote

from driftline.types.phrasing import clean, utc


class Safe(str):
    """Text in a markup already. Every other text is data."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One markup: how a character of data is written, and the few forms that messages use."""

    char: Callable[[str], str]
    strong: str
    emphasis: str
    code: str
    """Each with {} for the text."""
    link: str
    """With {url} and {text}."""
    time: str = "{plain}"
    """With {plain} and {seconds} since 1970."""
    newline: str = "\n"
    """Between the lines of a piece that stands within another."""

    def escaped(self, text: str) -> Safe:
        """Data, whole."""
        return Safe("".join(self.char(char) for char in text))

    def cut(self, text: str, limit: int) -> Safe:
        """Data, escaped, in at most `limit` characters, never in the middle of an escape."""
        parts: list[str] = []
        size = 0
        for char in text:
            part = self.char(char)
            if size + len(part) > limit:
                while parts and size >= limit:
                    size -= len(parts.pop())
                return Safe("".join(parts).rstrip() + "…") if limit else Safe()
            parts.append(part)
            size += len(part)
        return Safe("".join(parts))

    def formed(self, form: str, text: object) -> Safe:
        """`text`, escaped unless it is safe, in a form of this markup."""
        inner = text if isinstance(text, Safe) else self.escaped(str(text))
        return Safe(form.format(inner)) if inner.strip() else Safe(inner)

    def moment(self, when: datetime) -> Safe:
        """A time as people read it, in the reader's own zone where the service can."""
        return Safe(self.time.format(plain=self.escaped(utc(when)), seconds=int(when.timestamp())))

    def linked(self, url: object, text: object = "") -> Safe:
        """A link; an address that does not lead to the web is shown as text."""
        address = str(url)
        if not re.match(r"https?://[^\s]+\Z", address) or not address.isprintable():
            return self.escaped(clean(text or address))
        name = self.escaped(clean(text or address, 200).replace("|", "/"))
        # An address without a name is not named by itself where it is shown anyway.
        form = self.link if text else self.link.removeprefix("{text}: ")
        return Safe(form.format(url=_href(address, self.char), text=name))


def _href(url: str, char: Callable[[str], str]) -> str:
    percent = quote(url, safe="!#$%&'*+,/:;=?@[]~-._")
    return percent.replace("&", char("&")) if char("&") == "&amp;" else percent


def _html(char: str) -> str:
    return escape(char, quote=True)


def _mrkdwn(char: str) -> str:
    return {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"}.get(char, char)


def _markdown(char: str) -> str:
    if char in "\\`*_{}[]()<>#~|@!":
        return "\\" + char
    return char


SLACK_DATE = "<!date^{seconds}^{{date_short_pretty}} {{time}}|{plain}>"


def _json(char: str) -> str:
    return dumps(char, ensure_ascii=False)[1:-1]


DIALECTS: Mapping[str, Dialect] = {
    "plain": Dialect(str, "{}", "{}", "{}", "{text}: {url}"),
    "json": Dialect(_json, "{}", "{}", "{}", "{text}: {url}", newline="\\n"),
    "mrkdwn": Dialect(_mrkdwn, "*{}*", "_{}_", "`{}`", "<{url}|{text}>", SLACK_DATE),
    "markdown": Dialect(_markdown, "**{}**", "*{}*", "{}", "[{text}]({url})"),
    "html": Dialect(
        _html, "<b>{}</b>", "<i>{}</i>", "<code>{}</code>", '<a href="{url}">{text}</a>'
    ),
}
