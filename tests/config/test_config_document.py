"""YAML is read with the meaning of version 1.2, places and all, and refuses what hides mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.config.document import MAX_NODES, Quoted, parse_document, read_document
from driftline.types.errors import ConfigError

PATH = Path("x.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-05-01", "2024-05-01"),
        ("1_000", "1_000"),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("-3", -3),
        ("+3", 3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'7'", "7"),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text, value):
    """`NO` and `12:30` are text, `0o17` is octal, and nothing else surprises."""
    found = parse_document(f"a: {text}\n", PATH).value["a"]
    assert (found, type(found)) == (value, Quoted if text == "'7'" else type(value))


def test_quotes_are_remembered():
    """Quoted text and blocks can be told from bare words."""
    found = parse_document("a: '1'\nb: \"x\"\nc: |\n  text\nd: x\n", PATH).value
    assert [isinstance(found[key], Quoted) for key in "abcd"] == [True, True, True, False]


def test_places():
    """Every key and every value has its line and column."""
    document = parse_document("a:\n  b: [1, {c: 2}]\n", PATH)
    assert (document.keys["a", "b"].line, document.keys["a", "b"].column) == (2, 3)
    assert (document.values["a", "b", 1, "c"].line, document.values["a", "b", 1, "c"].column) == (
        2,
        14,
    )


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("a: [1, 2\nb: 3\n", 2, 2, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, 1, "tab"),
        ("a: b: c\n", 1, 5, "quotes"),
        ("a: @home\n", 1, 4, "quotes"),
        ("a: *hunter2\n", 1, 4, "anchor"),
        ("- a\n", 1, 1, "name: value"),
        ("", 1, 1, "empty"),
        ("# only this\n", 1, 1, "empty"),
        ("a: 1\n---\nb: 2\n", 2, 1, "not YAML"),
        ("a: \x07\n", 1, 4, "control character"),
        ("[" * 3000, 1, 1, "nested too deeply"),
    ],
)
def test_what_is_no_yaml(text, line, column, word):
    """A broken file gives the place and the mend, and never what stands there."""
    with pytest.raises(ConfigError) as caught:
        parse_document(text, PATH)
    [problem] = caught.value.problems
    assert (problem.line, problem.column) == (line, column)
    assert word in problem.message
    assert "hunter2" not in problem.message


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: 1\na: 2\n", 2, "twice"),
        ("a: !python/object:os.system x\n", 1, "tag"),
        ("a: !hunter2\n", 1, "tag"),
        ("a: !!binary aGk=\n", 1, "tag"),
        ("a: .inf\n", 1, "finite"),
        ("? [1, 2]\n: x\n", 1, "plain text"),
        ("a: &x {b: *x}\n", 1, "within itself"),
        (f"a: {'9' * 400}\n", 1, "number"),
    ],
)
def test_what_hides_mistakes(text, line, word):
    """Duplicate keys, tags, endless numbers and structures within themselves are told, and reading
    goes on.
    """
    [problem] = parse_document(text, PATH).problems
    assert problem.line == line
    assert word in problem.message
    assert "hunter2" not in problem.message


def test_a_bomb_of_aliases():
    """A small file that means a huge one is refused quickly."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match=str(MAX_NODES)):
        parse_document("\n".join(lines), PATH)


def test_files_that_cannot_be_read(tmp_path):
    """A missing file, a folder and a file of another encoding are mistakes with a mend."""
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: 1\nb: é\n".encode("latin-1"))
    for path, word in (
        (tmp_path / "no.yaml", "driftline init"),
        (tmp_path, "can't be read"),
        (latin, "UTF-8"),
    ):
        with pytest.raises(ConfigError, match=word):
            read_document(path)
    with pytest.raises(ConfigError) as caught:
        read_document(latin)
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (2, 4)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
TREES = st.dictionaries(
    st.text(min_size=1),
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


class Quoting(yaml.SafeDumper):
    """Quotes all text: what YAML 1.1 thinks plain, such as 0E0, is a number in YAML 1.2."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@settings(max_examples=60, deadline=None)
@given(TREES)
@example({"0": "0E0", "no": "1_0"})
def test_what_is_written_is_read(tree):
    """Any plain structure comes back as it was written, and every part of it has a place."""
    document = parse_document(yaml.dump(tree, Dumper=Quoting), PATH)
    assert document.value == tree
    assert not document.problems
    assert all((key,) in document.keys and (key,) in document.values for key in tree)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab:- {}[],&*!|>'\"#%@`?\n\t1.~<=", max_size=40))
def test_any_text_is_read_or_refused(text):
    """Whatever the file holds, the answer is a document or a ConfigError."""
    try:
        found = parse_document(text, PATH).problems
    except ConfigError as error:
        found = error.problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in found)


def test_characters_that_json_escapes_in_two_halves_are_one():
    """JSON is YAML: `json.dumps` escapes an emoji as a pair, in names as well as in values."""
    document = parse_document(r'{"\ud83d\ude80": "a\uD83D\uDE80b", plain: \ud83d\ude80}', PATH)
    assert document.value == {"🚀": "a🚀b", "plain": r"\ud83d\ude80"}
    assert document.values["🚀",].column == 18


@pytest.mark.parametrize("text", [r'a: "\ud83d"', r'"x\ude80\ud83d": 1'])
def test_half_a_character_is_a_mistake_with_its_place(text):
    with pytest.raises(ConfigError, match=r"x.yaml:1:\d.*half a character"):
        parse_document(text, PATH)
