"""`driftline versions compare`: only what differs between two versions of a model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import config_option, json_option
from driftline.cli.records import open_record_catalog

if TYPE_CHECKING:
    from driftline.catalog.version_diff import NewestValue


@click.group("versions")
def versions_group() -> None:
    """Compare versions of a model."""


@versions_group.command("compare")
@click.argument("model")
@click.argument("first")
@click.argument("second")
@json_option
@config_option
def compare_two(model: str, first: str, second: str, as_json: bool, config: Path) -> None:
    """Show only what differs between the versions FIRST and SECOND of MODEL.

    An alias such as champion stands for its version. Measurements are those of all rows in the
    newest window of each version; they differ where their 95% intervals do not overlap.
    """
    from driftline.catalog.version_diff import compare_versions

    with open_record_catalog(config) as catalog:
        diff = compare_versions(catalog, model, first, second)
    if as_json:
        click.echo(json.dumps(asdict(diff), ensure_ascii=False, indent=2))
        return
    rows = [(item.name, _text(item.first), _text(item.second)) for item in diff.recorded]
    rows += [(item.name, _estimate(item.first), _estimate(item.second)) for item in diff.measured]
    table = [("", first, second), *rows]
    widths = [max(len(row[place]) for row in table) for place in range(2)]
    for row in table:
        line = f"{row[0].ljust(widths[0])}  {row[1].ljust(widths[1])}  {row[2]}"
        click.echo(line.rstrip())
    click.echo(f"{diff.alike} measurements are alike")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return "-" if value is None else str(value)


def _estimate(estimate: NewestValue | None) -> str:
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4g}"
    return f"{estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"
