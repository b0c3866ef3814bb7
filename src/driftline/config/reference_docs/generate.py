"""`python -m driftline.config.reference_docs.generate`: writes the files in docs/reference.

Does not describe plugins of others: only those that ship with driftline.
"""

from __future__ import annotations

import json
from pathlib import Path

from driftline.config.reference_docs.full import full_config
from driftline.config.reference_docs.pages import configuration_page, plugins_page
from driftline.config.reference_docs.schema import json_schema
from driftline.extensions.registry import Registry
from driftline.types.notification import Notification

FOLDER = Path("docs/reference")
DISTRIBUTION = "driftline"
"""The distribution of the plugins that ship with driftline."""


def build_files() -> dict[str, str]:
    """Return the text of each file by its name."""
    registry = load_shipped()
    return {
        "driftline.schema.json": json.dumps(json_schema(registry), indent=2, ensure_ascii=False)
        + "\n",
        "notification.schema.json": json.dumps(
            Notification.model_json_schema(), indent=2, ensure_ascii=False
        )
        + "\n",
        "configuration.md": configuration_page(),
        "plugins.md": plugins_page(registry),
        "config.full.yaml": full_config(registry),
    }


def load_shipped() -> Registry:
    """Load the plugins of driftline itself, without others that are installed.

    Raises RuntimeError when one can't be loaded.
    """
    registry = Registry.load()
    registry.load_all()
    problems = [
        str(problem) for problem in registry.problems if problem.distribution == DISTRIBUTION
    ]
    if problems:
        raise RuntimeError("\n".join(problems))
    return registry.select(DISTRIBUTION)


def main() -> None:
    """Write the files below the current folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in build_files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)


if __name__ == "__main__":
    main()
