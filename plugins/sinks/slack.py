"""Slack, through an incoming webhook: one message on opening, one when it gets worse, one at the end.

Refuses to mention anyone: text from data is escaped before it is cut, so no column name can ping a channel.
"""

from __future__ import annotations

from typing import Any, ClassVar

from driftline import Event, Notification, Secret, Severity, Sink, hookimpl, wording

HEADER, SECTION, FIELDS, CONTEXT, FALLBACK, MOST_LINKS = 150, 3000, 10, 600, 1000, 5
LINES = 20
"""Findings shown one by one; the rest is counted. Slack folds long messages away."""
COLOURS = {Severity.CRITICAL: "#d92d20", Severity.WARNING: "#f79009", Severity.INFO: "#2e90fa"}
RESOLVED = "#12b76a"


class Slack(Sink):
    """Posts to the channel of an incoming webhook."""

    type: ClassVar[str] = "slack"
    updates: ClassVar[bool] = False

    webhook_url: Secret
    """The webhook's address; all of it is secret."""

    def send(self, notification: Notification) -> str | None:
        """Post one message; Slack names no reference for it."""
        http = self.context.http
        assert http is not None
        http.post(self.webhook_url.reveal(), json=payload(notification))
        return None

    def permissions(self) -> tuple[str, ...]:
        """What the Slack app needs."""
        return ("incoming-webhook",)


def payload(told: Notification) -> dict[str, Any]:
    """The body: `text` for lock screens and screen readers, blocks inside one attachment for the coloured bar."""
    over = told.event is Event.RESOLVED
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": _cut(told.title, HEADER)}}]
    blocks.append(_section(_summary(told)))
    findings = wording.lines(told.alerts)
    body, shown = "", 0
    for finding in findings[:LINES]:
        line = _finding(finding, over)
        if len(body) + len(line) > SECTION - 100:
            break
        body, shown = body + line + "\n", shown + 1
    if left := wording.others(told, shown):
        body += f"_and {left} more_"
    if body:
        blocks.append(_section(body))
    facts = list(wording.added(told).items())[:FIELDS]
    if facts:
        texts = [f"*{_text(name, 100)}*\n{_text(fact, 1000)}" for name, fact in facts]
        blocks.append({"type": "section", "fields": [{"type": "mrkdwn", "text": text} for text in texts]})
    for name, url in list(wording.links(told).items())[:MOST_LINKS]:
        blocks.append(_section(f"<{_url(url)}|{_text(name.replace('|', '/'), 200)}>"))
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _text(wording.context(told), CONTEXT)}]})
    colour = RESOLVED if over else COLOURS[told.severity]
    text = _text(_lock_screen(told), FALLBACK)
    return {"text": text, "attachments": [{"color": colour, "fallback": text, "blocks": blocks}]}


def _lock_screen(told: Notification) -> str:
    word = {Event.RESOLVED: "OK", Event.TEST: "TEST"}.get(told.event, told.severity.value.upper())
    return f"{word} {told.title}"


def _summary(told: Notification) -> str:
    epoch, plain = int(told.since.timestamp()), wording.utc(told.since)
    since = f"<!date^{epoch}^{{date_short_pretty}} {{time}}|{plain}>"
    if told.event is Event.RESOLVED:
        long = f", lasted {wording.lasting(told.since, told.resolved_at)}" if told.resolved_at else ""
        new = "" if told.sent_before else " This channel could not be told when it began."
        return f"*Resolved* ({_text(told.facts.get('why', 'over'), 60)}): began {since}{long}.{new}"
    if told.event is Event.TEST:
        return "*Test*: messages from driftline get through."
    again = "" if told.event is Event.OPENED else f" ({_text(told.facts.get('why', 'changed'), 60)})"
    return f"*{told.severity.value.capitalize()}*{again} · {_text(told.cause, 40)} · since {since}"


def _finding(finding: wording.Line, over: bool) -> str:
    mark = "" if over or finding.state == "firing" else " _(resolved)_"
    name = f"*`{_text(finding.subject, 120)}`*  " if finding.subject else ""
    return f"• {name}{_text(' · '.join(finding.parts), 600)}{mark}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _text(value: str, limit: int) -> str:
    """Data for mrkdwn: escaped, unable to end a code span, cut on whole characters."""
    parts, size = [], 0
    for char in wording.clean(value.replace("`", "'"), limit):
        escaped = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(char, char)
        if size + len(escaped) > limit:
            break
        parts.append(escaped)
        size += len(escaped)
    return "".join(parts)


def _cut(value: str, limit: int) -> str:
    return wording.clean(value, limit) or "-"


def _url(url: str) -> str:
    percent = {"|": "%7C", "<": "%3C", ">": "%3E", " ": "%20", "&": "&amp;"}
    return "".join(percent.get(char, char) for char in url)


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [Slack]
