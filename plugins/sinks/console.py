"""The terminal: what chat would show.

Refuses escape sequences from data: names are cleaned, and nothing in them is taken for markup.
"""

from __future__ import annotations

from typing import ClassVar

from driftline import Event, Notification, Rejected, Severity, Sink, hookimpl, wording

STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold blue"}
LINES = 20


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
        style = "bold green" if notification.event is Event.RESOLVED else STYLES[notification.severity]
        head, *rest, context = message(notification)
        # Only the bar and the title are in colour: a page of bold red is read by nobody.
        for line, paint in [(head, style), *((line, "") for line in rest), (context, "dim")]:
            terminal.print(Text.assemble(("▌ ", style), (line, paint)))
        terminal.print()
        return None


def message(told: Notification) -> list[str]:
    """The lines: the title, what happened, a line for each finding, and what the numbers rest on."""
    word = {Event.RESOLVED: "OK", Event.TEST: "TEST"}.get(told.event, told.severity.value.upper())
    lines = [f"{word}  {wording.clean(told.title, 150)}"]
    findings = wording.lines(told.alerts)
    width = min(30, max((len(finding.subject) for finding in findings[:LINES]), default=0))
    for finding in findings[:LINES]:
        name = f"{finding.subject:<{width}}  " if width else ""
        mark = "" if finding.state == "firing" or told.event is Event.RESOLVED else "  (resolved)"
        lines.append(f"  {name}{'  '.join(finding.parts)}{mark}")
    if left := wording.others(told, min(LINES, len(findings))):
        lines.append(f"  and {left} more")
    if told.event in (Event.UPDATED, Event.RESOLVED):
        lines.append(f"  why: {wording.clean(told.facts.get(wording.WHY, told.event))}")
    if told.event is Event.RESOLVED and not told.sent_before:
        lines.append("  this could not be told when it began")
    lines += [f"  {name}: {text}" for name, text in (wording.added(told) | wording.links(told)).items()]
    return [*lines, f"  {wording.context(told)}"]


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [Console]
