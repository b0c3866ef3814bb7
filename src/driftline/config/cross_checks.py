"""Finds names in one part of the configuration that another part must define, but does not.

Skips parts of a wrong shape: their errors are reported elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Annotated, Any, get_args, get_origin

from driftline.config.document import Document, Loc
from driftline.config.mistakes import unknown_name
from driftline.config.patterns import PLACEHOLDER, NamePattern, find_folder_option
from driftline.config.references import has_reference
from driftline.config.tokens import find_token_problems
from driftline.contracts.check import COLUMNS_OPTION, Check, ColumnNames
from driftline.extensions.registry import Registry
from driftline.profiles.language import column_names, parse
from driftline.types.errors import Problem
from driftline.types.model import DERIVED, Kind

NAME = re.compile(r"[^\W_][\w .:-]{0,99}")


def find_cross_problems(document: Document, registry: Registry) -> Iterator[Problem]:
    """Yield a problem for every name that nothing defines, and for every missing token."""
    models, sinks = _get_dict(document.value, "models"), _get_dict(document.value, "sinks")
    actions = _get_dict(document.value, "actions")
    for part, names in (("models", models), ("sinks", sinks), ("actions", actions)):
        yield from _check_names(document, (part,), names)
    yield from _check_http_token(document)
    yield from _check_token(document)
    yield from _check_certificate(document)
    yield from find_token_problems(document)
    yield from _check_names(document, ("mute_times",), _get_dict(document.value, "mute_times"))
    yield from _check_routes(document, ("routes",), _get_dict(document.value, "routes"), sinks)
    for name, sink in sinks.items():
        yield from _check_templates(
            document, ("sinks", name, "templates"), _get_dict(sink, "templates")
        )
    for name, action in actions.items():
        yield from _check_conditions(
            document, ("actions", name, "when"), _get_dict(action, "when"), models
        )
    for name, model in models.items():
        at: Loc = ("models", name)
        if isinstance(model, dict):
            yield from _check_sink_names(document, (*at, "notify"), model.get("notify"), sinks)
            yield from _check_names(document, (*at, "checks"), _get_dict(model, "checks"))
            yield from _check_columns(document, at, model, registry)
            yield from _check_labels(document, at, model)
            if pattern := NamePattern.parse(name):
                yield from _check_pattern(document, at, pattern, model, registry)


def _get_dict(value: Any, key: str) -> dict[str, Any]:
    part = value.get(key) if isinstance(value, dict) else None
    return part if isinstance(part, dict) else {}


def _enumerate_texts(value: Any) -> list[tuple[int, str]]:
    return (
        [(number, item) for number, item in enumerate(value) if isinstance(item, str)]
        if isinstance(value, list)
        else []
    )


def _check_names(document: Document, loc: Loc, names: dict[str, Any]) -> Iterator[Problem]:
    for name in names:
        plain = PLACEHOLDER.sub("x", name, count=1) if loc == ("models",) else name
        if not NAME.fullmatch(plain):
            message = (
                "a name begins with a letter or digit and holds up to 100 letters, digits, "
                "and any of space . : _ -"
            )
            if "{" in name and loc == ("models",):
                message = (
                    "a pattern of names has one placeholder in small letters, such as "
                    "prod-{endpoint}"
                )
            yield document.problem((*loc, name), message, at_key=True)


def _check_http_token(document: Document) -> Iterator[Problem]:
    """Check that pages which other machines can reach have a token."""
    agent = _get_dict(document.value, "agent")
    http = agent.get("http")
    is_guarded = any(agent.get(name) is not None for name in ("http_token", "http_user_header"))
    if isinstance(http, str) and not is_guarded and not has_reference(http):
        host = http.rpartition(":")[0].removeprefix("[").removesuffix("]")
        if host and not _is_loopback(host):
            message = (
                "other machines can reach this address; set agent.http_token, "
                "such as ${env:DRIFTLINE_HTTP_TOKEN}"
            )
            yield document.problem(("agent", "http"), f"{message}, or listen on 127.0.0.1")


def _check_token(document: Document) -> Iterator[Problem]:
    """Check that there is a token, if messages have signed links or programs bring points."""
    agent = _get_dict(document.value, "agent")
    if agent.get("inbox") is not None and agent.get("token") is None:
        yield document.problem(
            ("agent", "inbox"), "only requests with a token bring points; set agent.token"
        )
    if agent.get("public_url") is not None and agent.get("token") is None:
        message = "links in messages are signed: set agent.token, such as ${env:DRIFTLINE_TOKEN}"
        yield document.problem(("agent", "public_url"), message)


def _check_certificate(document: Document) -> Iterator[Problem]:
    """Check that the certificate of the agent's port has its key, and the key its certificate."""
    agent = _get_dict(document.value, "agent")
    for name, other in (("http_certificate", "http_key"), ("http_key", "http_certificate")):
        if agent.get(name) is not None and agent.get(other) is None:
            yield document.problem(("agent", name), f"TLS needs both: set agent.{other}, too")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_sink_names(
    document: Document, loc: Loc, names: Any, sinks: dict[str, Any]
) -> Iterator[Problem]:
    for number, name in _enumerate_texts(names):
        if name not in sinks:
            yield document.problem(
                (*loc, number), unknown_name(name, sinks, f"no sink is called '{name}'")
            )


def _check_routes(
    document: Document, loc: Loc, route: dict[str, Any], sinks: dict[str, Any]
) -> Iterator[Problem]:
    """Check the sinks that routes name, and that the root takes everything."""
    for key in ("sinks", "fallback"):
        yield from _check_sink_names(document, (*loc, key), route.get(key), sinks)
    if loc == ("routes",) and route.get("match"):
        yield document.problem(
            (*loc, "match"),
            "the outermost route takes everything; match in the routes within it",
            at_key=True,
        )
    inner = route.get("routes")
    for number, inner_route in enumerate(inner if isinstance(inner, list) else []):
        if isinstance(inner_route, dict):
            yield from _check_routes(document, (*loc, "routes", number), inner_route, sinks)


def _check_templates(document: Document, loc: Loc, templates: dict[str, Any]) -> Iterator[Problem]:
    """Check that templates can be read and parsed."""
    from jinja2 import Environment, TemplateSyntaxError

    for piece, template in templates.items():
        file = template.get("file") if isinstance(template, dict) else None
        try:
            text = (
                (document.path.parent / file).read_text("utf-8")
                if isinstance(file, str)
                else template
            )
            Environment().parse(text if isinstance(text, str) else "")
        except TemplateSyntaxError as error:
            yield document.problem(
                (*loc, piece), f"the template is wrong in its line {error.lineno}: {error.message}"
            )
        except (OSError, ValueError) as error:
            yield document.problem(
                (*loc, piece), f"the template can't be read: {type(error).__name__}"
            )


def _check_conditions(
    document: Document, loc: Loc, when: dict[str, Any], models: dict[str, Any]
) -> Iterator[Problem]:
    """Find models and checks of `when` that do not exist.

    Models without `checks` have default checks, which the configuration does not name.
    """
    for number, name in _enumerate_texts(when.get("models")):
        if name not in models and not _fits_pattern(name, models):
            yield document.problem(
                (*loc, "models", number), unknown_name(name, models, f"no model is called '{name}'")
            )
    if all(isinstance(model, dict) and model.get("checks") for model in models.values()):
        checks = {check for model in models.values() for check in _get_dict(model, "checks")}
        for number, name in _enumerate_texts(when.get("checks")):
            if name not in checks:
                yield document.problem(
                    (*loc, "checks", number),
                    unknown_name(name, checks, f"no check is called '{name}'"),
                )


def _fits_pattern(name: str, models: dict[str, Any]) -> bool:
    patterns = filter(None, map(NamePattern.parse, models))
    return any(pattern.part_of(name) is not None for pattern in patterns)


def _check_pattern(
    document: Document,
    at: Loc,
    pattern: NamePattern,
    model: dict[str, Any],
    registry: Registry,
) -> Iterator[Problem]:
    """Check that the folders of a pattern can be listed."""
    source = _get_dict(model, "source")
    type_ = registry.find("source", source.get("type", "")) if source else None
    if type_ is None:
        return
    if not type_.lists_folders:
        message = f"'{type_.type}' lists no folders: name its models one by one"
        yield document.problem((*at, "source"), message)
    elif find_folder_option(_get_dict(source, "options"), pattern.placeholder) is None:
        message = (
            f"one option of the source should have {{{pattern.placeholder}}} for the folder of "
            "each model"
        )
        yield document.problem((*at, "source"), message)


def _check_labels(document: Document, at: Loc, model: dict[str, Any]) -> Iterator[Problem]:
    """Check that labels that come later have a prediction to compare with and an id to join by."""
    labels, schema = _get_dict(model, "labels"), _get_dict(model, "schema")
    if not labels:
        return
    if not schema.get("prediction"):
        message = "labels are compared with predictions: say in schema.prediction where these stand"
        yield document.problem((*at, "labels"), message, at_key=True)
    if not schema.get("id") and not labels.get("joins"):
        message = (
            "say in labels.joins, or in schema.id, which column of the predictions "
            "the ids of the labels refer to"
        )
        yield document.problem((*at, "labels"), message, at_key=True)


def _derived_columns(name: str, kind: Any) -> list[tuple[str, str]]:
    """Return the columns that stand for a feature, each with its kind."""
    derived_kinds = DERIVED.get(Kind(kind), {}) if kind in list(Kind) else {}
    return [(f"{name}.{suffix}", kind) for suffix, kind in derived_kinds.items()] or [
        (name, str(kind))
    ]


def _check_segments(
    document: Document, at: Loc, segments: Any, kinds: dict[str, str], features: dict[str, Any]
) -> Iterator[Problem]:
    """Check the columns that segments are made of; `kinds` are those of all columns."""
    loc = (*at, "schema", "segments")
    for number, name in _enumerate_texts(segments):
        yield from _check_segment_column(document, (*loc, number), name, kinds, features)
    kinds = dict(kinds)
    for number, rule in enumerate(segments if isinstance(segments, list) else []):
        if not isinstance(rule, dict):
            continue
        place = (*loc, number)
        columns, where = rule.get("columns"), rule.get("where")
        for item, name in _enumerate_texts(columns):
            yield from _check_segment_column(
                document, (*place, "columns", item), name, kinds, features
            )
        column = rule.get("column")
        if isinstance(column, str) and column not in kinds:
            message = unknown_name(column, kinds, f"no feature is called '{column}'")
            yield document.problem((*place, "column"), message)
        elif isinstance(column, str) and kinds[column] != "numeric":
            message = f"'{column}' is not numeric; bands are made of numbers"
            yield document.problem((*place, "column"), message)
        with suppress(ValueError):
            for name in column_names(parse(where)) if isinstance(where, str) else ():
                if name not in kinds:
                    message = unknown_name(name, kinds, f"the schema has no column '{name}'")
                    yield document.problem((*place, "where"), message)
        rule_name = rule.get("name")
        if isinstance(rule_name, str):
            if rule_name in kinds:
                message = f"a column is called '{rule_name}'; give the segments another name"
                yield document.problem((*place, "name"), message)
            kinds[rule_name] = "categorical"


def _check_segment_column(
    document: Document, loc: Loc, name: str, kinds: dict[str, str], features: dict[str, Any]
) -> Iterator[Problem]:
    if name not in features and name not in kinds:
        yield document.problem(loc, unknown_name(name, kinds, f"no feature is called '{name}'"))
    elif name in features and name not in kinds:
        words = [
            column
            for column, kind in kinds.items()
            if column.startswith(f"{name}.") and kind == "categorical"
        ]
        hint = f"; of it there is {words[0]}" if words else ""
        message = f"'{name}' is not categorical; segments are made of categorical features{hint}"
        yield document.problem(loc, message)
    elif kinds.get(name) == "numeric":
        message = f"'{name}' is numeric; give segments of bands: name, column and bands"
        yield document.problem(loc, message)


def _check_columns(
    document: Document, at: Loc, model: dict[str, Any], registry: Registry
) -> Iterator[Problem]:
    schema = _get_dict(model, "schema")
    features = _get_dict(schema, "features")
    if not features:
        return
    roles = {
        "prediction": _get_dict(schema, "prediction").get("column"),
        "score": _get_dict(schema, "prediction").get("score"),
    }
    label = schema.get("label")
    roles["label"] = label if isinstance(label, str) else _get_dict(schema, "label").get("column")
    kinds: dict[str, str] = {}
    for feature, settings in features.items():
        for column, kind in _derived_columns(
            feature, settings.get("kind") if isinstance(settings, dict) else settings
        ):
            if column in kinds:
                loc = (*at, "schema", "features", feature)
                yield document.problem(
                    loc, f"another feature makes a column {column} too", at_key=True
                )
            kinds[column] = kind
    role_of = dict.fromkeys([*features, *kinds], "features")
    for role, column_setting in roles.items():
        name = (
            column_setting.get("name") or column_setting.get("path")
            if isinstance(column_setting, dict)
            else column_setting
        )
        if isinstance(name, str):
            if name in role_of:
                where = (
                    ("label" if isinstance(label, str) else "label.column")
                    if role == "label"
                    else f"prediction.{'column' if role == 'prediction' else role}"
                )
                loc = (*at, "schema", *where.split("."))
                yield document.problem(
                    loc, f"the column is in {role_of[name]} already; a column plays one part"
                )
            role_of.setdefault(name, role)
    yield from _check_segments(document, at, schema.get("segments"), kinds, features)
    # A check can't name a column that is kept for samples only.
    columns = [name for name in role_of if name in kinds or name not in features]
    segments = schema.get("segments")
    columns += [
        rule["name"]
        for rule in (segments if isinstance(segments, list) else [])
        if isinstance(rule, dict) and isinstance(rule.get("name"), str)
    ]
    for check, settings in _get_dict(model, "checks").items():
        type_ = _check_type(settings, check, registry)
        if type_ is None:
            continue
        options, loc = _get_dict(settings, "options"), (*at, "checks", check, "options")
        for place, name in find_named_columns(type_, options, loc):
            if name not in columns:
                yield document.problem(
                    place, unknown_name(name, columns, f"the schema has no column '{name}'")
                )


def _check_type(settings: Any, name: str, registry: Registry) -> type[Check] | None:
    type_ = settings.get("type", name) if isinstance(settings, dict) else name
    return registry.find("check", type_) if isinstance(type_, str) else None


def find_named_columns(
    type_: type[Check], options: dict[str, Any], loc: Loc
) -> Iterator[tuple[Loc, str]]:
    """Yield the columns that a check's options name, each with its place; see `ColumnNames`."""
    for name, field in type_.model_fields.items():
        if name not in options:
            continue
        columns = list(
            _find_marked_columns(field.annotation, field.metadata, options[name], (*loc, name))
        )
        if not columns and name == COLUMNS_OPTION:
            columns = [
                ((*loc, name, number), text) for number, text in _enumerate_texts(options[name])
            ]
        yield from columns


def _find_marked_columns(
    annotation: Any, metadata: Sequence[Any], value: Any, loc: Loc
) -> Iterator[tuple[Loc, str]]:
    """Yield the columns in a value, where its type marks them."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from _find_marked_columns(inner, [*metadata, *more], value, loc)
        return
    for mark in metadata:
        if isinstance(mark, ColumnNames) and isinstance(value, str):
            with suppress(ValueError):
                # A text that can't be read is an error of the option itself.
                yield from ((loc, name) for name in mark.read(value))
    arguments = get_args(annotation)
    if isinstance(value, dict) and len(arguments) == 2:
        for key, item in value.items():
            yield from _find_marked_columns(arguments[0], (), key, (*loc, key))
            yield from _find_marked_columns(arguments[1], (), item, (*loc, key))
    elif isinstance(value, list) and arguments:
        for number, item in enumerate(value):
            yield from _find_marked_columns(arguments[0], (), item, (*loc, number))
