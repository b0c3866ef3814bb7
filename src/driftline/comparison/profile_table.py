"""`driftline.profile`: a table in, its profile out. The composition root of a profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.comparison.compare_tables import collector_names, own_checks
from driftline.comparison.own_plugins import load_registry
from driftline.comparison.schema import ColumnRoles, check_roles, infer_compared_schema
from driftline.comparison.table_profile import PartKey, TableProfile, profile_of_records
from driftline.comparison.tables import OpenTable, open_table
from driftline.contracts.context import StartContext
from driftline.evaluate.check_plan import CheckPlan, collector_requests
from driftline.extensions.registry import Registry
from driftline.ingest.read.plan import whole_object
from driftline.ingest.read.read_object import read_object
from driftline.ingest.reference.build import make_grid
from driftline.kit.decoding.profile_records import profile_header, profile_records
from driftline.profiles.label_classes import listing
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec
from driftline.telemetry.logs import make_log
from driftline.types.errors import ComparisonError, SourceError
from driftline.types.model import Field, Schema
from driftline.types.records import DONE
from driftline.types.scalars import parse_duration

if TYPE_CHECKING:
    from driftline.comparison.tables import Table

EVERYTHING = 1 << 61
"""A window of 73,000 years, for rows without times, in microseconds."""


def profile(
    data: Table,
    reference: Table | None = None,
    *,
    label: str | None = None,
    prediction: str | None = None,
    score: str | None = None,
    segments: Sequence[str] | str = (),
    timestamp: str | None = None,
    window: str = "1d",
    redact: Sequence[str] | str = (),
    plugins: Sequence[Path | str] = (),
) -> TableProfile:
    """Profile a table: exact counts, moments and quantiles of its columns, a sample of 500 rows.

    `data` is a path, a glob, a URI, an object with `__arrow_c_stream__`, or the path of a saved
    profile. Profiles of one grid can be added with `+`, compared, saved with `.save(path)`, and
    read by the agent. The grid comes from these rows, or from `reference`: a profile, its path, or
    a table. The reference of a model in the agent is `driftline.connect(...).reference(MODEL)`.

    `label`, `prediction`, `score` and `segments` name columns as for `compare`. With `timestamp`
    (the column of times) each `window` gets a profile of its own. Values of the columns in `redact`
    are summarised and never enter the sample. With a reference, all of these are those of the
    reference.

    Raises ComparisonError when the columns don't fit, SourceError when the table can't be read, and
    TypeError for an object that is no table.
    """
    registry = load_registry(plugins)
    roles = ColumnRoles(
        label=label,
        prediction=prediction,
        score=score,
        segments=(segments,) if isinstance(segments, str) else tuple(segments),
    )
    hidden = frozenset((redact,) if isinstance(redact, str) else redact)
    if reference is not None and (roles != ColumnRoles() or timestamp is not None or hidden):
        raise ComparisonError(
            "with a reference, the columns are those of the reference: name label, prediction, "
            "score, segments, timestamp and redact there"
        )
    grid = None
    if isinstance(reference, TableProfile):
        grid = reference
    elif reference is not None:
        grid = _profile(reference, "reference", None, _Columns(), registry)
    length = 0 if timestamp is None else _microseconds(window)
    columns = _Columns(roles=roles, timestamp=timestamp, length=length, redact=hidden)
    return _profile(data, "table", grid, columns, registry)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """The columns that a person names."""

    roles: ColumnRoles = field(default_factory=ColumnRoles)
    timestamp: str | None = None
    length: int = 0
    """Length of a window in microseconds; 0 without times."""
    redact: frozenset[str] = frozenset()


def _microseconds(window: str) -> int:
    try:
        length = round(parse_duration(window).total_seconds() * 1e6)
    except ValueError as error:
        raise ComparisonError(f"window: {window!r} {error}") from None
    if length <= 0:
        raise ComparisonError(f"window: {window!r} should be longer than 0")
    return length


def _profile(
    data: Table,
    role: str,
    grid: TableProfile | None,
    columns: _Columns,
    registry: Registry,
) -> TableProfile:
    if isinstance(data, TableProfile):
        return data if grid is None else data.on_grid_of(grid)
    now = datetime.now(UTC)
    context = StartContext(
        name="profile", log=make_log(), clock=lambda: now, config_folder=Path.cwd()
    )
    with ExitStack() as stack:
        table = open_table(data, role, registry, context, now)
        stack.callback(table.source.stop)
        if table.profiled is not None:
            loaded = _load(table, registry, now)
            return loaded if grid is None else loaded.on_grid_of(grid)
        if grid is None:
            grid = _make_grid(table, columns, registry, now)
        elif not set(table.columns) & {part.path for part in grid.schema.fields}:
            raise ComparisonError(
                f"{table.name} has no column of the reference: it has {listing(table.columns)}"
            )
        table_profile = _read(table, grid, now)
    # Only rows in memory are the same for sure when they are read again.
    if isinstance(data, (str, PathLike)):
        return table_profile
    return replace(
        table_profile,
        profile_again=lambda other: _profile(table.held_rows(), role, other, _Columns(), registry),
    )


def _make_grid(
    table: OpenTable, columns: _Columns, registry: Registry, now: datetime
) -> TableProfile:
    """Return the empty profile of a table: schema and grid."""
    check_roles(columns.roles, table)
    schema, _ = infer_compared_schema(table.batches, columns.roles)
    schema = replace(schema, redact=columns.redact)
    for option, names in (
        ("timestamp", {columns.timestamp} - {None}),
        ("redact", columns.redact),
    ):
        for name in names:
            if name not in table.columns:
                raise ComparisonError(
                    f"{option}: {table.name} has no column {name!r}; it has "
                    f"{listing(table.columns)}"
                )
    timestamp = columns.timestamp
    if timestamp is not None:
        features = {name: part for name, part in schema.features.items() if name != timestamp}
        schema = replace(schema, timestamp=Field(timestamp, timestamp), features=features)
    if not schema.profile_columns:
        raise ComparisonError(
            f"{table.name}: nothing to profile: of the columns {listing(table.columns)} none is an "
            "input or output of a model: they are ids, times, or the same text nowhere twice"
        )
    plans = _plans(registry, schema)
    collectors = registry.collectors()
    reference = make_grid(
        table.job(schema, ProfileSpec(columns={}), now, collectors),
        table.objects,
        now,
        collector_names(plans),
        options=collector_requests(plans),
    )
    return TableProfile(
        schema=schema,
        spec=reference.spec,
        collectors=collectors,
        length=columns.length,
        parts={},
    )


def _plans(registry: Registry, schema: Schema) -> list[CheckPlan]:
    """Return all default checks of a model with these columns, and those of its segments."""
    parts = {part.kind.value for part in schema.features.values() if part.kind is not None}
    parts |= {"label"} if schema.label is not None else set()
    checks = [type_() for type_ in registry.default_checks(parts)]
    checks += own_checks(registry)
    by_segment = (type_.for_segments(schema.segments) for type_ in registry.checks())
    checks += [check for check in by_segment if check is not None and schema.segments]
    return [CheckPlan(name=check.type, check=check) for check in checks]


def _read(table: OpenTable, grid: TableProfile, now: datetime) -> TableProfile:
    """Profile all rows of a table on a grid, as the agent reads its objects."""
    schema = grid.schema if grid.length else replace(grid.schema, timestamp=None)
    job = replace(
        table.job(schema, grid.spec, now, grid.collectors), length=grid.length or EVERYTHING
    )
    parts = dict[PartKey, Profile]()
    for obj in table.objects:
        outcome = read_object(job, whole_object(obj, now))
        if outcome.state != DONE:
            raise SourceError(f"{table.name}: {outcome.error or 'it is gone'}")
        for share in outcome.shares:
            piece = Profile.from_bytes(share.profile, grid.spec, grid.collectors)
            if not grid.length:
                piece.first = piece.last = None
            key = share.start if grid.length else 0, share.version, share.segment
            if key in parts:
                parts[key].merge(piece)
            else:
                parts[key] = piece
    if not parts:
        need = f": a row needs a time in '{schema.timestamp.name}'" if schema.timestamp else ""
        raise SourceError(f"{table.name}: no row can be read{need}")
    return replace(grid, parts=_sort_parts(parts), profile_again=None)


def _sort_parts(parts: Mapping[PartKey, Profile]) -> dict[PartKey, Profile]:
    return {key: parts[key] for key in sorted(parts)}


def _load(table: OpenTable, registry: Registry, now: datetime) -> TableProfile:
    """Add up the profiles of some files. Raises ComparisonError for different grids."""
    total: TableProfile | None = None
    for batch in table.all_batches(now):
        header = profile_header(batch)
        if header is None:
            raise ComparisonError(f"{table.name}: some files hold profiles, and others rows")
        loaded = profile_of_records(header, list(profile_records(batch)), registry.collectors())
        total = loaded if total is None else total + loaded
    if total is None:
        raise SourceError(f"{table.name}: no profile can be read")
    return total
