"""References in settings: `${env:NAME}` and `${file:/path}`.

Refuses to know where they are resolved: the composition root hands in a function, or none, and then
they stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from driftline.config.document import Document, Loc
from driftline.types.errors import Problem
from driftline.types.secret import REFERENCE, Resolved

Secrets = Callable[[str, str], str]
"""What `kind` (`env` or `file`) and a name stand for. Raises KeyError or OSError."""


def has_reference(value: object) -> bool:
    """Whether it is text with a reference in it."""
    return isinstance(value, str) and REFERENCE.search(value) is not None


class Resolver:
    """Replaces references in a tree of settings; keeps the problems, and what must not be shown."""

    def __init__(self, document: Document, secrets: Secrets) -> None:
        self._document = document
        self._secrets = secrets
        self.problems: list[Problem] = []
        self.hidden: dict[str, str] = {}
        """From the text that came in to the reference it came from."""

    def tree(self, value: Any, loc: Loc = ()) -> Any:
        """The same tree with all references resolved; what can't be is left as it is."""
        if isinstance(value, dict):
            return {key: self.tree(item, (*loc, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item, (*loc, number)) for number, item in enumerate(value)]
        if not has_reference(value):
            return value
        whole = REFERENCE.fullmatch(value)
        if whole:
            found = self._resolve(whole, loc)
            return value if found is None else Resolved(found, str(value))
        return REFERENCE.sub(lambda match: self._resolve(match, loc) or match.group(), value)

    def _resolve(self, match: re.Match[str], loc: Loc) -> str | None:
        kind, name = match.groups()
        try:
            found = self._secrets(kind, name)
        except KeyError:
            self._wrong(loc, f"the environment has no variable {name}; set it, or name another")
        except OSError as error:
            self._wrong(loc, f"the file {name} can't be read: {error.strerror or error}")
        except UnicodeDecodeError:
            self._wrong(loc, f"the file {name} is no text")
        else:
            if found:
                self.hidden[found] = match.group()
                return found
            self._wrong(loc, f"{match.group()} is empty; give it a value")
        return None

    def _wrong(self, loc: Loc, message: str) -> None:
        self.problems.append(self._document.problem(loc, message))

    def mask(self, text: str) -> str:
        """`text` without what references stand for."""
        for found, reference in self.hidden.items():
            text = text.replace(found, reference)
        return text
