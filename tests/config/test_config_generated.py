"""The generated files are what the declarations say; `make generated` writes them anew."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from driftline import Check
from driftline.config import load_config
from driftline.config.document import read_document
from driftline.config.reference_docs.full import _plugin
from driftline.config.reference_docs.generate import FOLDER, load_shipped
from driftline.config.reference_docs.generate import build_files as build_files_anew
from driftline.config.reference_docs.schema import json_schema
from driftline.kit.checks import ColumnName

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def validator():
    schema = json_schema(load_shipped())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@cache
def build_files():
    """The files, built once for all tests of this process."""
    return build_files_anew()


@pytest.mark.parametrize(
    "name",
    [
        "driftline.schema.json",
        "notification.schema.json",
        "configuration.md",
        "plugins.md",
        "config.full.yaml",
    ],
)
def test_checked_in(name):
    """What is checked in equals what is generated."""
    assert (ROOT / FOLDER / name).read_text(encoding="utf-8") == build_files()[name], (
        "run `make generated`"
    )


def test_nothing_else_is_in_the_folder():
    """A page whose declaration is gone goes too."""
    assert {path.name for path in (ROOT / FOLDER).iterdir()} == set(build_files())


def test_the_full_configuration_is_valid(validator):
    """The file with every setting passes `validate` and the JSON Schema, also with all its comments
    made settings.
    """
    path = ROOT / FOLDER / "config.full.yaml"
    config = load_config(path)
    assert list(config.models["churn"].checks) == config.registry.names("check")
    validator.validate(read_document(path).value)


class Lists(Check):
    """A check with a list that has no default."""

    type = "lists"

    columns: tuple[str, ...]
    """The columns."""
    keys: list[ColumnName]
    """The columns of the key."""
    words: frozenset[str]
    """The words."""

    def evaluate(self, ctx):
        return iter(())


def test_a_list_without_a_default_gets_a_list():
    """The full configuration shows a list for it, of a column of its schema where columns are
    meant.
    """
    values = {line.strip() for line in _plugin(Lists, 0)}
    assert {"columns: [tenure]", "keys: [tenure]", "words: [my-words]"} <= values


def test_every_setting_has_a_sentence(validator):
    """No setting of the core or of a shipped plugin is without a description."""

    def bare(node, where):
        if isinstance(node, dict):
            for name, told in node.get("properties", {}).items():
                if (
                    "description" not in told
                    and name not in ("type", "options")
                    and "$ref" not in told
                    and "const" not in told
                ):
                    yield f"{where}.{name}"
            for key, part in node.items():
                yield from bare(part, f"{where}.{key}")
        elif isinstance(node, list):
            for part in node:
                yield from bare(part, where)

    assert list(bare(validator.schema, "")) == []


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("{source: {type: local, options: {path: x}}}", True),
        ("{source: {type: local, options: {path: x, grows: '${env:GROWS}'}}}", True),
        ("{source: {type: local, options: {pth: x}}}", False),
        ("{source: {type: local}}", False),
        ("{source: {type: loco, options: {path: x}}}", False),
        ("{source: {type: local, options: {path: x}}, reference: {trailing: 28d}}", True),
        (
            "{source: {type: local, options: {path: x}}, reference: {type: local, options: {path: y}}}",
            True,
        ),
        (
            "{source: {type: local, options: {path: x}}, reference: {trailing: 28d, window: 2024-01-01/2024-02-01}}",
            False,
        ),
        ("{source: {type: local, options: {path: x}}, windows: {length: 3600}}", False),
        (
            "{source: {type: local, options: {path: x}}, checks: {a: {type: drift, for: 2, rule: {above: {info: 1}}}}}",
            True,
        ),
        ("{source: {type: local, options: {path: x}}, checks: {a: {type: drift, fr: 2}}}", False),
        (
            "{source: {type: local, options: {path: x}}, schema: {timestamp: at, features: {a: numeric}}}",
            True,
        ),
        ("{source: {type: local, options: {path: x}}, schema: {features: {a: number}}}", False),
    ],
)
def test_editors_see_what_validate_sees(tmp_path, validator, text, fine):
    """The schema accepts and refuses as `validate` does."""
    path = tmp_path / "driftline.yaml"
    path.write_text(f"version: 1\nmodels:\n  m: {text}\n")
    assert validator.is_valid(read_document(path).value) is fine
    try:
        load_config(path)
    except Exception:
        assert not fine
    else:
        assert fine


def test_the_published_notification():
    """The schema of what the webhook sends accepts a notification."""
    from driftline.testing import notification

    jsonschema.validate(
        json.loads(notification().model_dump_json()),
        json.loads(build_files()["notification.schema.json"]),
    )
