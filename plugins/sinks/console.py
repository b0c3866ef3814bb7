"""Prints notifications to the terminal, with the same text as in a chat.

Data can't add escape sequences or markup.
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
        """Print the notification."""
        from rich.console import Console as Terminal
        from rich.text import Text

        out = self.context.console
        if out is None:
            raise Rejected("there is no terminal or file to print to")
        terminal = Terminal(file=out, highlight=False, soft_wrap=True, legacy_windows=False)
        # Logs keep what is printed, and many people read them.
        message = self.message(notification.without_signatures())
        style = STYLES[message.tone]
        # Only the bar and the title are coloured: whole pages of bold red are hard to read.
        for line, paint in [
            (message.title, style),
            *((line, "") for line in _inner_lines(message)),
            (f"  {message.context}", "dim"),
        ]:
            terminal.print(Text.assemble(("▌ ", style), (line, paint)))
        terminal.print()
        return None


def _inner_lines(message: Message) -> list[str]:
    """Return the lines between the title and the context."""
    parts = (message.lead, message.todo, message.known, message.list_findings(6000), message.links)
    return [f"  {line}" for part in parts for line in part.splitlines()]


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [Console]
