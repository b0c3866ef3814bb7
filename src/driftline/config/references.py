"""References in settings: `${env:NAME}` and `${file:/path}`.

Does not read the environment or files: the caller passes a function that does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from driftline.config.document import Document, Loc
from driftline.types.errors import Problem
from driftline.types.secret import REFERENCE, Resolved

Secrets = Callable[[str, str], str]
"""Returns the value of a kind (`env` or `file`) and a name. Raises KeyError or OSError."""


def has_reference(value: object) -> bool:
    """Whether a value is text that contains a reference."""
    return isinstance(value, str) and REFERENCE.search(value) is not None


class Resolver:
    """Replaces the references in a tree of settings; keeps mistakes and the values to hide."""

    def __init__(self, document: Document, secrets: Secrets) -> None:
        self._document = document
        self._secrets = secrets
        self.problems: list[Problem] = []
        self.references: dict[str, str] = {}
        """The reference of each value that one was replaced by."""

    def tree(self, value: Any, loc: Loc = ()) -> Any:
        """Return the tree with all references resolved; those that can't be stay as they are."""
        if isinstance(value, dict):
            return {key: self.tree(item, (*loc, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item, (*loc, number)) for number, item in enumerate(value)]
        if not has_reference(value):
            return value
        whole = REFERENCE.fullmatch(value)
        if whole:
            text = self._resolve(whole, loc)
            return value if text is None else Resolved(text, str(value))
        return REFERENCE.sub(lambda match: self._resolve(match, loc) or match.group(), value)

    def _resolve(self, match: re.Match[str], loc: Loc) -> str | None:
        kind, name = match.groups()
        try:
            value = self._secrets(kind, name)
        except KeyError:
            self._add_problem(
                loc, f"the environment has no variable {name}; set it, or name another one"
            )
        except OSError as error:
            self._add_problem(loc, f"the file {name} can't be read: {error.strerror or error}")
        except UnicodeDecodeError:
            self._add_problem(loc, f"the file {name} is not text in UTF-8")
        else:
            if value:
                self.references[value] = match.group()
                return value
            self._add_problem(loc, f"{match.group()} is empty; give it a value")
        return None

    def _add_problem(self, loc: Loc, message: str) -> None:
        self.problems.append(self._document.problem(loc, message))

    def mask(self, text: str) -> str:
        """Return `text` with each resolved value replaced by its reference."""
        for value, reference in self.references.items():
            text = text.replace(value, reference)
        return text
