"""Setting a value in a configuration's text: everything else stays as it was, or nothing is changed
at all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.config.document import parse_document
from driftline.config.edit import set_value, snippet
from driftline.types.errors import ConfigError

PATH = Path("driftline.yaml")
CHECK = {
    "type": "constraints",
    "options": {
        "features": {
            "age": {"type": "integral", "completeness": 1.0},
            "plan": {"domain": ["NO", "1e3", "a: b", "é", ""]},
        }
    },
}
REFERENCE = {
    "type": "local",
    "options": {"path": "statistics.json", "format": "sagemaker_statistics"},
}


@pytest.mark.parametrize(
    "model",
    [
        "  a:   # the model\n    source: {type: local}  # where\n    # the end\n",
        "  a:\n    source:\n      type: local\n      options:\n        path: |\n          x\n          y\n",
        "  a:\n    checks:\n    source: {type: local}\n",
        "  a:\n    source: {type: local}\n    checks:\n      old: {type: drift}   # keep\n\n      # other: {type: volume}\n",
        "  a:\n    reference:   # of May\n      type: s3\n      # the bucket\n      options: {b: c}\n    source: {type: x}\n",
        "  a: {source: {type: local}, # in flow\n  }\n",
        "  a: {source: {type: local}, checks: {}, reference: {trailing: 28d}}\n",
        '  "a": {\n    source: {type: local},\n    checks: {old: {type: drift}},\n  }\n',
        "    a:\n        source:\n            type: local\n        checks:\n            model_monitor: {type: missing}\n",
    ],
)
@pytest.mark.parametrize("tail", ["", "sinks: {}  # none\n", "# the end", "...\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_rest_of_the_file_stays(model, tail, newline):
    """Every shape: only the values asked for differ afterwards, and each comment outside of them is
    still there.
    """
    text = f"# mine\nversion: 1\nmodels:\n{model}{tail}".replace("\n", newline)
    before = parse_document(text, PATH).value
    made = set_value(text, PATH, ("models", "a"), "reference", REFERENCE)
    if isinstance(before["models"]["a"].get("checks"), dict):
        made = set_value(made, PATH, ("models", "a", "checks"), "model_monitor", CHECK)
    else:
        made = set_value(
            made, PATH, ("models", "a"), "checks", {"model_monitor": CHECK}, "two\nlines"
        )
    before["models"]["a"]["reference"] = REFERENCE
    before["models"]["a"]["checks"] = (before["models"]["a"].get("checks") or {}) | {
        "model_monitor": CHECK
    }
    assert parse_document(made, PATH).value == before
    replaced = ("# of May", "# the bucket")
    comments = [line[line.index("#") :].strip() for line in text.splitlines() if "#" in line]
    assert all(comment in made for comment in comments if comment not in replaced)
    assert ("\r\n" in made) == (newline == "\r\n")


def test_a_shared_model_is_left_alone():
    """What is merged or an alias, or would lose its anchor, is not touched: the error names the
    place.
    """
    for text in (
        "models:\n  b: &b {source: {type: local}}\n  a: *b\n",
        "models:\n  b: {reference: &r {type: local}}\n  a: {reference: *r}\n",
        "models:\n  a: {reference: &r {type: local}}\n  b: {reference: *r}\n",
    ):
        with pytest.raises(ConfigError, match="by hand"):
            set_value(text, PATH, ("models", "a"), "reference", REFERENCE)


def test_what_looks_like_something_else_is_quoted():
    """A snippet reads back as itself under YAML 1.2: NO stays bare, numbers as text are quoted."""
    assert parse_document(snippet(CHECK), PATH).value == CHECK
    assert "NO" in snippet(CHECK)
    assert "'NO'" not in snippet(CHECK)
    assert "'1e3'" in snippet(CHECK)


TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n:#'\"{}[],&*!|>%@` "),
    max_size=20,
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(VALUES, st.booleans())
def test_any_value_can_be_written(value, flow):
    """Whatever the value, it reads back as itself, in block and in flow style."""
    text = "models:\n  a: {x: 1}\n" if flow else "models:\n  a:\n    x: 1 # one\nz: 2\n"
    assert parse_document(set_value(text, PATH, ("models", "a"), "key", value), PATH).value[
        "models"
    ]["a"] == {
        "x": 1,
        "key": value,
    }
