"""The terminal: what chat would show.

Refuses escape sequences from data: names are cleaned, and nothing in them is taken for markup.
"""

from __future__ import annotations

from typing import ClassVar

from driftline import Message, Notification, Rejected, Sink, hookimpl

STYLES = {
    "critical": "bold red",
    "warning": "bold yellow",
    "info": "bold blue",
    "resolved": "bold green",
    "test": "bold",
}


class Console(Sink):
    """Prints each notification, in colours where there is a terminal."""

    type: ClassVar[str] = "console"
    pace: ClassVar[float] = 0.0

    def send(self, notification: Notification) -> str | None:
        """Print it."""
        from rich.console import Console as Terminal
        from rich.text import Text

        out = self.context.console
        if out is None:
            raise Rejected("there is no terminal or file to print to")
        terminal = Terminal(file=out, highlight=False, soft_wrap=True, legacy_windows=False)
        message = self.message(notification)
        style = STYLES[message.tone]
        # Only the bar and the title are in colour: a page of bold red is read by nobody.
        for line, paint in [
            (message.title, style),
            *((line, "") for line in inner(message)),
            (f"  {message.context}", "dim"),
        ]:
            terminal.print(Text.assemble(("▌ ", style), (line, paint)))
        terminal.print()
        return None


def inner(message: Message) -> list[str]:
    """The lines between the title and what the numbers rest on."""
    parts = (message.lead, message.list_findings(6000), message.known, message.todo, message.links)
    return [f"  {line}" for part in parts for line in part.splitlines()]


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [Console]
