"""Rules for the tokens of the agent's own port."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from driftline.config.document import Document
from driftline.types.errors import Problem
from driftline.types.secret import REFERENCE, Resolved

SHORTEST_TOKEN = 16
NAMES = ("token", "http_token")


def find_token_problems(
    document: Document, read_secret: Callable[[str, str], str] | None = None
) -> Iterator[Problem]:
    """Yield the tokens that are too short or alike, without their values.

    Looks at the values that the document holds; where it holds references, at what `read_secret`
    returns for kind and name. A reference that can't be read is no mistake here.
    """
    agent = document.value.get("agent") if isinstance(document.value, Mapping) else None
    if not isinstance(agent, Mapping):
        return
    values = {}
    for name in NAMES:
        value = _find_value(agent.get(name), read_secret)
        if value is None:
            continue
        values[name] = value
        if len(value) < SHORTEST_TOKEN:
            yield document.problem(
                ("agent", name),
                f"a token needs {SHORTEST_TOKEN} random characters, and this one has {len(value)}; "
                "make one with: python -c 'import secrets; print(secrets.token_urlsafe(24))'",
            )
    if len(values) == len(NAMES) and len(set(values.values())) == 1:
        yield document.problem(
            ("agent", "http_token"),
            "who may read could act, too: this token and agent.token are the same; use another one",
        )


def _find_value(setting: object, read_secret: Callable[[str, str], str] | None) -> str | None:
    if isinstance(setting, Resolved):
        return str(setting)
    match = REFERENCE.fullmatch(setting) if isinstance(setting, str) else None
    if match is None or read_secret is None:
        return None
    try:
        return read_secret(*match.groups())
    except (KeyError, OSError, UnicodeDecodeError):
        return None
