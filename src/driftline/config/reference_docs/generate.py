"""`python -m driftline.config.reference_docs.generate`: write the files under docs/reference again.

Refuses to describe plugins of others: only what ships with driftline is in there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from driftline.config.reference_docs.full import full_config
from driftline.config.reference_docs.pages import configuration_page, plugins_page
from driftline.config.reference_docs.schema import json_schema
from driftline.extensions.registry import Registry
from driftline.types.notification import Notification

FOLDER = Path("docs/reference")


def generated() -> dict[str, str]:
    """The text of each file by its name."""
    registry = shipped()
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


def shipped() -> Registry:
    """The plugins of driftline itself, whatever else is installed. Raises RuntimeError when one
    can't be loaded.
    """
    everything = Registry.load()
    broken = [
        str(problem) for problem in everything.problems if problem.origin.startswith("driftline (")
    ]
    if broken:
        raise RuntimeError("\n".join(broken))
    infos = tuple(info for info in everything.infos if info.origin.startswith("driftline ("))
    own = {(info.kind, info.name) for info in infos}
    return replace(
        everything,
        infos=infos,
        types={key: type_ for key, type_ in everything.types.items() if key in own},
    )


def main() -> None:
    """Write them below the current folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in generated().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)


if __name__ == "__main__":
    main()
