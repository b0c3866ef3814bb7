"""Which formats decode the objects of a source."""

from __future__ import annotations

from collections.abc import Mapping

from driftline.contracts.format import Format, FormatRef
from driftline.contracts.source import Source
from driftline.extensions.registry import Registry


def source_formats(source: Source, registry: Registry) -> Mapping[str, Format]:
    """The format a source names, under ""; else every format that can be told by a suffix."""
    asked = source.format
    if asked is not None:
        ref = asked if isinstance(asked, FormatRef) else FormatRef(type=asked)
        made = registry.get("format", ref.type).model_validate(ref.options)
        assert isinstance(made, Format)
        return {"": made}
    found: dict[str, Format] = {}
    for name in registry.names("format"):
        kind = registry.get("format", name)
        if not issubclass(kind, Format) or not kind.suffixes:
            continue
        made = kind()
        found |= dict.fromkeys(kind.suffixes, made)
    return found
