"""Matchers: a few words that say which incidents are meant, as in
`model=churn,severity=info|warning,column=age*`.

Refuses what can't be read, with the mend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from driftline.types.model import Severity


@dataclass(frozen=True, slots=True)
class Matchers:
    """Names with patterns, all of which must hold; without any, everything is meant."""

    pairs: tuple[tuple[str, str], ...] = ()
    """Name and pattern; `*` stands for any text, `|` for or."""

    @classmethod
    def parse(cls, text: str) -> Matchers:
        """Read `name=pattern`, separated by commas. Raises ValueError."""
        found: dict[str, str] = {}
        for part in (part.strip() for part in text.split(",") if part.strip()):
            name, equals, pattern = (piece.strip() for piece in part.partition("="))
            if not equals or not name or not pattern:
                raise ValueError(
                    f"{part!r} should be name=pattern, such as model=churn or column=age*"
                )
            if name in found:
                raise ValueError(
                    f"{name} is given twice: write {name}={found[name]}|{pattern} for either"
                )
            found[name] = pattern
        if "severity" in found and "*" not in found["severity"]:
            unknown = set(found["severity"].split("|")) - {severity.value for severity in Severity}
            if unknown:
                raise ValueError(f"severity is info, warning or critical, not {min(unknown)}")
        return cls(tuple(sorted(found.items())))

    def __str__(self) -> str:
        return ",".join(f"{name}={pattern}" for name, pattern in self.pairs)

    def restricted_to(self, names: frozenset[str]) -> Matchers:
        """Those that ask for one of `names`."""
        return Matchers(tuple(pair for pair in self.pairs if pair[0] in names))

    def without(self, names: frozenset[str]) -> Matchers:
        """Those that ask for none of `names`."""
        return Matchers(tuple(pair for pair in self.pairs if pair[0] not in names))

    def match(self, known: Mapping[str, str]) -> bool:
        """Whether all of them hold; what is not known is empty."""
        return all(
            any(like(known.get(name, ""), one) for one in pattern.split("|"))
            for name, pattern in self.pairs
        )


def like(value: str, pattern: str) -> bool:
    """Whether `value` fits a pattern in which `*` and `?` stand for any text and any letter, and
    all else for itself.
    """
    return fnmatchcase(value, pattern.replace("[", "[[]"))
