"""The scripts that pages load: files of the package only."""

from __future__ import annotations

import re

OWN_SCRIPT = re.compile(
    r'<script defer src="(\.\./)*static/(vega|htmx|pages)-[0-9a-f]{16}\.js"></script>'
)


def without_own_scripts(text: str) -> str:
    """Return a page without the elements that load files of the package."""
    return OWN_SCRIPT.sub("", text)
