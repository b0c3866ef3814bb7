"""A backtest for people: a calendar of alarms, and tables."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from driftline.cli.options import PAINT
from driftline.types.model import Severity
from driftline.types.phrasing import clean, lasting, number, utc

if TYPE_CHECKING:
    from driftline.backtest.score import ReplayedAlarm
    from driftline.backtest.summary import Backtest

LISTED = 40
"""Alarms that are printed; --json has all."""
WORTH_A_RATE = timedelta(days=28)
"""Over less, a number a year says nothing."""
BLOCKS = " ▁▂▃▄▅▆▇█"


def show(found: Backtest) -> None:
    """Everything that came out."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 1000  # a file or a pipe has no edge to keep to
    told = found.as_json
    subject = found.subject
    learnt = f", {told['learnt_from']:,} before them to learn from" if told["learnt_from"] else ""
    length = lasting(subject.since, subject.since + subject.length)
    console.print(
        f"[bold]{escape(told['model'])}[/]: {told['windows']:,} windows of {length} "
        f"from {subject.since:%Y-%m-%d %H:%M} to {subject.until:%Y-%m-%d %H:%M} UTC{learnt}"
    )
    if subject.missing_windows:
        console.print(
            f"[yellow]{subject.missing_windows:,} older windows are only kept as days and were left out[/]"
        )
    console.print()
    console.print(calendar(found))
    _alarms(console, found)
    _counts(console, told)
    if found.known_incidents:
        _compared(console, found)
    if found.shuffled_rate is not None:
        _shuffled(console, found)
    if found.trials:
        _tried(console, found, told)


def calendar(found: Backtest) -> Table:
    """A line a month, a sign a day: the worst alarm that was on, under it what is known to have
    happened.
    """
    grid = Table.grid(padding=(0, 1))
    first, last = (
        found.subject.since.date(),
        (found.subject.until - timedelta(microseconds=1)).date(),
    )
    month = first.replace(day=1)
    while month <= last:
        line, below = Text(), Text()
        after = (month + timedelta(days=32)).replace(day=1)
        for offset in range((after - month).days):
            day = month + timedelta(days=offset)
            line.append(*_day(found, day, first, last))
            below.append(
                "^"
                if any(_covers(one.start, one.end, day) for one in found.known_incidents)
                else " ",
                "magenta",
            )
        grid.add_row(f"{month:%b %Y}", line)
        if below.plain.strip():
            grid.add_row("", below)
        month = after
    marks = (
        Text("■ ", PAINT[Severity.CRITICAL])
        + Text("critical  ")
        + Text("■ ", PAINT[Severity.WARNING])
        + Text("warning  ")
    )
    marks += Text("■ ", PAINT[Severity.INFO]) + Text("info  ") + Text("· quiet")
    if found.known_incidents:
        marks += Text("  ^ ", "magenta") + Text("known incident")
    grid.add_row("", marks)
    return grid


def _day(found: Backtest, day: date, first: date, last: date) -> tuple[str, str]:
    if not first <= day <= last:
        return " ", ""
    on = [
        alarm
        for alarm in found.alarms
        if _covers(alarm.start, alarm.resolved or found.subject.until, day)
    ]
    if not on:
        return "·", "dim"
    return "■", PAINT[max((alarm.severity for alarm in on), key=lambda each: each.rank)]


def _covers(start: datetime, end: datetime, day: date) -> bool:
    return start.date() <= day <= (end - timedelta(microseconds=1)).date()


def _alarms(console: Console, found: Backtest) -> None:
    count = len(found.alarms)
    long = len(found.starts) * found.subject.length >= WORTH_A_RATE
    rate = f", {number(found.per_year(count))} a year" if long else ""
    console.print(f"\n[bold]{count:,} alarm{'' if count == 1 else 's'}[/]{rate}")
    for alarm in found.alarms[:LISTED]:
        console.print(
            f"[{PAINT[alarm.severity]}]{alarm.severity.value:8}[/] {utc(alarm.notified_at)}  {escape(clean(alarm.title))}{_over(alarm)}"
        )
    if count > LISTED:
        console.print(f"[dim]and {count - LISTED} more; --json has all[/]")


def _over(alarm: ReplayedAlarm) -> str:
    return (
        f" [dim]for {lasting(alarm.start, alarm.resolved)}[/]"
        if alarm.resolved
        else " [dim]still on[/]"
    )


def _counts(console: Console, told: dict[str, Any]) -> None:
    if not told["alarms"]:
        return
    table = Table("check", *(each.value for each in Severity), box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, counts in told["by_check"].items():
        table.add_row(escape(clean(name)), *(str(counts[each.value] or "") for each in Severity))
    console.print()
    console.print(table)
    hours = {f"{hour:02}": told["by_hour"].get(hour, 0) for hour in range(24)}
    for label, counts in (("weekday", told["by_weekday"]), ("hour", hours)):
        console.print(
            f"[dim]{label:8}[/]"
            + " ".join(f"{name}{_bar(each, counts)}" for name, each in counts.items())
        )
    months = " ".join(f"{name} {count}" for name, count in told["by_month"].items())
    console.print(f"[dim]month   [/]{months}")


def _bar(count: int, counts: dict[str, int]) -> str:
    most = max(counts.values()) or 1
    return BLOCKS[-(-count * (len(BLOCKS) - 1) // most)]


def _compared(console: Console, found: Backtest) -> None:
    told = found.as_json
    console.print()
    for one in told["known"]:
        after = one["found_after_seconds"]
        start = datetime.fromisoformat(one["start"])
        columns = clean(" ".join(one["columns"])) or "anywhere"
        what = f"{start:%Y-%m-%d %H:%M}  {columns}" + (
            f" ({clean(one['note'])})" if one["note"] else ""
        )
        how = (
            "[red]not found[/]"
            if after is None
            else f"found after {lasting(start, start + timedelta(seconds=after))}"
        )
        console.print(f"known    {escape(what)}: {how}")
    table = Table("", "found", "alarms", "of them false", "median delay", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    epoch = found.subject.since
    for name, each in told["compared"].items():
        delay = each["median_delay_seconds"]
        late = "" if delay is None else lasting(epoch, epoch + timedelta(seconds=delay))
        table.add_row(
            name,
            f"{each['found']} of {len(found.known_incidents)}",
            f"{each['alarms']:,}",
            f"{each['false']:,}",
            late,
        )
    console.print(table)


def _shuffled(console: Console, found: Backtest) -> None:
    rate, budget = found.shuffled_rate, found.subject.false_pages_per_year
    assert rate is not None
    console.print(
        f"\n[bold]Shuffled[/], so that nothing changes: {rate.alarms} alarms in {number(round(rate.years, 1))} years, "
        f"{number(rate.mean)} a year (at most {number(rate.upper_bound)} with 95% confidence; "
        f"false_pages_per_year is {number(budget)})"
    )
    for each in found.noisy_series:
        about = " ".join(clean(value) for _, value in each.series.labels) or each.series.check
        console.print(
            f"[red]must not page[/]: {escape(about)} {escape(clean(each.series.name))} alarms {number(each.rate.mean)} times a "
            f"year of itself, its share is {number(each.share)}. Likely {escape(each.cause)}"
        )


def _tried(console: Console, found: Backtest, told: dict[str, Any]) -> None:
    import yaml

    table = Table(
        "false_pages_per_year",
        "alarms",
        "found",
        "false",
        "median delay",
        "shuffled, a year",
        "",
        box=None,
    )
    for column in table.columns[:6]:
        column.justify = "right"
    epoch = found.subject.since
    for row in told["tried"]:
        delay = row["median_delay_seconds"]
        table.add_row(
            number(row["false_pages_per_year"]), str(row["alarms"]), str(row["found"]),
            "" if row["false"] is None else str(row["false"]),
            "" if delay is None else lasting(epoch, epoch + timedelta(seconds=delay)), number(row["shuffled_a_year"]),
            "best" if row["chosen"] else "" if row["kept"] else "not kept",
        )  # fmt: skip
    console.print()
    console.print(table)
    if not found.proposals:
        console.print("Nothing to change.")
        return
    text = yaml.safe_dump(
        {"models": {told["model"]: found.proposals}}, sort_keys=False, allow_unicode=True
    )
    console.print("Proposed:")
    console.print(escape(text))
