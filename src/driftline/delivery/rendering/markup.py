"""Escapes data for the markup of a service, so that data can't ping, link or end a form.

Every text that was not made here is data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from json import dumps
from urllib.parse import quote

from driftline.types.phrasing import clean, quoted, utc


class Safe(str):
    """Text that is markup already. Every other text is data."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One markup: the escape of a character, and the forms that messages use."""

    char: Callable[[str], str]
    strong: str
    emphasis: str
    code: str
    """Each with {} for the text."""
    link: str
    """With {url} and {text}."""
    name: str = "“{}”"
    """The name of a column, with {} for the text."""
    time: str = "{plain}"
    """With {plain} and {seconds} since 1970."""
    newline: str = "\n"
    """Between the lines of a piece that stands within another."""

    def escape_text(self, text: str) -> Safe:
        """Escape a text of data."""
        return Safe("".join(self.char(char) for char in text))

    def cut(self, text: str, limit: int) -> Safe:
        """Escape a text and cut it to `limit` characters, never within an escape."""
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

    def apply_form(self, form: str, text: object) -> Safe:
        """Put `text`, escaped unless it is safe, into a form of this markup."""
        inner = text if isinstance(text, Safe) else self.escape_text(str(text))
        return Safe(form.format(inner)) if inner.strip() else Safe(inner)

    def mark_names(self, text: object, names: Iterable[str]) -> Safe:
        """Escape a text, and mark the columns `names`, which it has in quotation marks."""
        forms = "|".join(re.escape(quoted(name)) for name in sorted(names, key=len, reverse=True))
        if not forms:
            return self.escape_text(str(text))
        parts = re.split(f"({forms})", str(text))
        return Safe(
            "".join(
                self.apply_form(self.name, part[1:-1]) if place % 2 else self.escape_text(part)
                for place, part in enumerate(parts)
            )
        )

    def moment(self, when: datetime) -> Safe:
        """A time for people, in the reader's own zone where the service can show it."""
        return Safe(
            self.time.format(plain=self.escape_text(utc(when)), seconds=int(when.timestamp()))
        )

    def make_link(self, url: object, text: object = "") -> Safe:
        """Make a link; an address that is not http or https is shown as text."""
        address = str(url)
        if not re.match(r"https?://[^\s]+\Z", address) or not address.isprintable():
            return self.escape_text(clean(text or address))
        name = self.escape_text(clean(text or address, 200).replace("|", "/"))
        # Without a text the address alone is shown.
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
    "plain": Dialect(char=str, strong="{}", emphasis="{}", code="{}", link="{text}: {url}"),
    "json": Dialect(
        char=_json, strong="{}", emphasis="{}", code="{}", link="{text}: {url}", newline="\\n"
    ),
    "mrkdwn": Dialect(
        char=_mrkdwn,
        strong="*{}*",
        emphasis="_{}_",
        code="`{}`",
        link="<{url}|{text}>",
        name="*`{}`*",
        time=SLACK_DATE,
    ),
    "markdown": Dialect(
        char=_markdown,
        strong="**{}**",
        emphasis="*{}*",
        code="{}",
        link="[{text}]({url})",
        name="**{}**",
    ),
    "html": Dialect(
        char=_html,
        strong="<b>{}</b>",
        emphasis="<i>{}</i>",
        code="<code>{}</code>",
        link='<a href="{url}">{text}</a>',
        name="<b>{}</b>",
    ),
}
