"""Matchers that select incidents, such as `model=churn,severity=info|warning,column=age*`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from driftline.types.model import Severity


@dataclass(frozen=True, slots=True)
class Matchers:
    """Names with patterns. All of them must match; without any, every incident matches."""

    pairs: tuple[tuple[str, str], ...] = ()
    """Name and pattern; `*` stands for any text, `|` separates alternatives."""

    @classmethod
    def parse(cls, text: str) -> Matchers:
        """Parse `name=pattern` pairs, separated by commas. Raises ValueError."""
        patterns: dict[str, str] = {}
        for part in (part.strip() for part in text.split(",") if part.strip()):
            name, equals, pattern = (piece.strip() for piece in part.partition("="))
            if not equals or not name or not pattern:
                raise ValueError(
                    f"{part!r} should be name=pattern, such as model=churn or column=age*"
                )
            if name in patterns:
                raise ValueError(
                    f"{name} is given twice: write {name}={patterns[name]}|{pattern} for either"
                )
            patterns[name] = pattern
        if "severity" in patterns and "*" not in patterns["severity"]:
            unknown = set(patterns["severity"].split("|")) - {
                severity.value for severity in Severity
            }
            if unknown:
                raise ValueError(f"severity is info, warning or critical, not {min(unknown)}")
        return cls(tuple(sorted(patterns.items())))

    def __str__(self) -> str:
        return ",".join(f"{name}={pattern}" for name, pattern in self.pairs)

    def restricted_to(self, names: frozenset[str]) -> Matchers:
        """Return the matchers of these names only."""
        return Matchers(tuple(pair for pair in self.pairs if pair[0] in names))

    def without(self, names: frozenset[str]) -> Matchers:
        """Return the matchers of all other names."""
        return Matchers(tuple(pair for pair in self.pairs if pair[0] not in names))

    def match(self, values: Mapping[str, str]) -> bool:
        """Whether all matchers match these values; a missing value is an empty text."""
        return all(
            any(
                matches_pattern(values.get(name, ""), alternative)
                for alternative in pattern.split("|")
            )
            for name, pattern in self.pairs
        )


def matches_pattern(value: str, pattern: str) -> bool:
    """Whether `value` matches a pattern: `*` stands for any text, `?` for any one letter."""
    return fnmatchcase(value, pattern.replace("[", "[[]"))
