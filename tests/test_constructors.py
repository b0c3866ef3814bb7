"""A call of a constructor with many fields names them: an order of five values can't be read.

Named tuples are left out: to be a tuple, they need an order.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_FIELDS = 4
"""Fields of a class that all may be passed by position."""
MOST_POSITIONAL = 3
"""Fields that may be passed by position where there are more."""


def test_a_constructor_with_more_than_four_fields_takes_them_by_name() -> None:
    files = [path for room in ("src/driftline", "plugins") for path in (ROOT / room).rglob("*.py")]
    failures = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in positional_classes(ast.parse(path.read_text()))
    ]
    assert files
    assert failures == []


def test_the_test_sees_dataclasses_and_constructors() -> None:
    source = """
@dataclass(frozen=True)
class Positional:
    a: int
    b: int
    c: int
    d: int
    e: int = 0

@dataclass(kw_only=True)
class KeywordOnly:
    a: int
    b: int
    c: int
    d: int
    e: int

@dataclass
class TwoThenKeywords:
    count: ClassVar[int] = 0
    a: int
    b: int
    _: KW_ONLY
    c: int
    d: int
    e: int

class Constructor:
    def __init__(self, a, b, c, d, e): ...

class KeywordConstructor:
    def __init__(self, a, *, b, c, d, e): ...

class Tuple(NamedTuple):
    a: int
    b: int
    c: int
    d: int
    e: int
"""
    assert list(positional_classes(ast.parse(source))) == ["Positional", "Constructor"]


def positional_classes(tree: ast.Module) -> Iterator[str]:
    """The names of the classes of a file with too many fields that are passed by position."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            positional, keyword = dataclass_fields(node)
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    arguments = item.args
                    positional = len(arguments.posonlyargs + arguments.args) - len(["self"])
                    keyword = len(arguments.kwonlyargs)
            if positional + keyword > MOST_FIELDS and positional > MOST_POSITIONAL:
                yield node.name


def dataclass_fields(node: ast.ClassDef) -> tuple[int, int]:
    """The fields of a dataclass that are passed by position, and by keyword; else (0, 0)."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    decorator = next((text for text in decorators if text.startswith("dataclass")), "")
    counts, is_keyword = [0, 0], "kw_only=True" in decorator
    for item in node.body if decorator else []:
        if isinstance(item, ast.AnnAssign):
            annotation = ast.unparse(item.annotation)
            is_init = item.value is None or "init=False" not in ast.unparse(item.value)
            is_keyword |= annotation == "KW_ONLY"
            if is_init and annotation != "KW_ONLY" and not annotation.startswith("ClassVar"):
                counts[is_keyword] += 1
    return counts[0], counts[1]
