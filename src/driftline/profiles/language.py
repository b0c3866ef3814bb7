"""The expressions that people write about a row: text to a tree, or the reason why it can't be one.

Refuses to run anything: Python's parser reads the text, and of what it finds only a short list of
forms is let through.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

LONGEST = 2000
"""Characters of an expression."""
DEEPEST = 50
"""Forms within forms."""
COMPARISONS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
FUNCTIONS = {
    "abs": (1, 1),
    "len": (1, 1),
    "matches": (2, 2),
    "near": (3, 3),
    "between": (3, 3),
    "present": (0, 1000),
}
"""How many arguments each takes, at least and at most; `column` beside them."""
CONDITIONS = {*COMPARISONS.values(), "and", "or", "not", "null", "in", "matches", "near", "present"}
"""What is true or false of a row."""
WORDS = {"true": True, "false": False}

Literal = str | float | bool


@dataclass(frozen=True, slots=True)
class Node:
    """One form: what it does, and to what."""

    op: str
    """`column`, `literal`, `list`, an operator, `null` for `is null`, or a function."""
    args: tuple[Node, ...] = ()
    value: Literal = ""
    """Of a column its name, of a literal its value."""


class _Wrong(Exception):
    """What is wrong, and where."""


@lru_cache(maxsize=1000)
def parse(text: str) -> Node:
    """The tree of an expression. Raises ValueError that says what is wrong with it, for its author.

    Strings have no escapes: a backslash is a backslash, so that regular expressions can be written
    as they are.
    """
    if len(text) > LONGEST:
        raise ValueError(f"should have {LONGEST} characters at most")
    # The line that stands here for Python has its backslashes doubled; columns are told in the text
    # that was given.
    line = " ".join(text.splitlines()).strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(line.replace("\\", "\\\\"), mode="eval").body
        node = _Reader(line).read(tree)
    except _Wrong as wrong:
        raise ValueError(str(wrong)) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(_broken(line, error)) from None
    if not any(True for _ in column_names(node)) and not any(
        each.op == "present" for each in _all(node)
    ):
        raise ValueError("should name a column")
    return node


def column_names(node: Node) -> Iterator[str]:
    """The columns that it names, in order, with repeats."""
    return (str(each.value) for each in _all(node) if each.op == "column")


def quote_column(column: str) -> str:
    """A column in an expression, whatever its name. Raises ValueError for a name with both kinds of
    quotes.
    """
    quote = '"' if '"' not in column else "'"
    if quote in column:
        raise ValueError("a column with both kinds of quotes in its name can't be named here")
    return f"column({quote}{column}{quote})"


def _all(node: Node) -> Iterator[Node]:
    yield node
    for arg in node.args:
        yield from _all(arg)


def _broken(line: str, error: BaseException) -> str:
    if isinstance(error, (RecursionError, MemoryError)):
        return "is nested too deeply"
    for sign, mend in (("=", "compare with =="), ("&&", "write and"), ("||", "write or")):
        if sign in line.replace("==", "").replace("<=", "").replace(">=", "").replace("!=", ""):
            return f"is no expression: {mend}"
    place = getattr(error, "offset", None)
    about = f" near '{line[max(place - 1, 0) :][:20]}'" if place and place <= len(line) else ""
    return f"is no expression{about}"


class _Reader:
    """From Python's tree to ours."""

    def __init__(self, line: str) -> None:
        self._source = line.replace("\\", "\\\\").encode()
        self._depth = 0

    def read(self, tree: ast.expr) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _Wrong("is nested too deeply")
        try:
            return self._read(tree)
        finally:
            self._depth -= 1

    def _read(self, tree: ast.expr) -> Node:
        match tree:
            case ast.BoolOp(op, values):
                return Node("and" if isinstance(op, ast.And) else "or", self._several(values))
            case ast.UnaryOp(ast.Not(), operand):
                return Node("not", (self.read(operand),))
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as number)) if not isinstance(
                number, bool
            ):
                return Node("literal", value=-float(number))
            case ast.UnaryOp(ast.USub(), operand):
                return Node("-", (Node("literal", value=0.0), self.read(operand)))
            case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
                return Node(ARITHMETIC[type(op)], (self.read(left), self.read(right)))
            case ast.Compare(left, ops, comparators):
                places = [left, *comparators]
                pairs = [
                    self._compared(op, *pair)
                    for op, pair in zip(ops, pairwise(places), strict=True)
                ]
                return pairs[0] if len(pairs) == 1 else Node("and", tuple(pairs))
            case ast.Call(ast.Name(name), args, []) if name == "column":
                return self._quoted(args)
            case ast.Call(ast.Name(name), args, []):
                return self._called(name, args)
            case ast.Name(name) if name.lower() in WORDS:
                return Node("literal", value=WORDS[name.lower()])
            case ast.Constant(None) | ast.Name("null"):
                raise _Wrong("null is compared with `is null` and `is not null` only")
            case ast.Name() | ast.Attribute():
                return Node("column", value=self._dotted(tree))
            case ast.Constant(str() | bool() | int() | float()):
                return Node("literal", value=self._constant(tree))
        raise _Wrong(f"'{self._shown(tree)}' can't stand in an expression")

    def _several(self, trees: Sequence[ast.expr]) -> tuple[Node, ...]:
        return tuple(self.read(tree) for tree in trees)

    def _compared(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> Node:
        if isinstance(op, (ast.Is, ast.IsNot)):
            if (
                not (isinstance(right, ast.Constant) and right.value is None)
                and getattr(right, "id", "") != "null"
            ):
                raise _Wrong("`is` compares with null only: write `is null` or `is not null`")
            found = Node("null", (self.read(left),))
            return found if isinstance(op, ast.Is) else Node("not", (found,))
        if isinstance(op, (ast.In, ast.NotIn)):
            if not isinstance(right, (ast.List, ast.Tuple, ast.Set)) or not right.elts:
                raise _Wrong("`in` is followed by a list: [a, b]")
            items = self._several(right.elts)
            if (
                any(item.op != "literal" for item in items)
                or len({isinstance(item.value, str) for item in items}) > 1
            ):
                raise _Wrong("a list holds numbers only, or texts only")
            found = Node("in", (self.read(left), Node("list", items)))
            return found if isinstance(op, ast.In) else Node("not", (found,))
        return Node(COMPARISONS[type(op)], (self.read(left), self.read(right)))

    def _called(self, name: str, given: Sequence[ast.expr]) -> Node:
        if name not in FUNCTIONS:
            raise _Wrong(
                f"there is no function '{name}'; there are: column, {', '.join(FUNCTIONS)}"
            )
        least, most = FUNCTIONS[name]
        if not least <= len(given) <= most:
            raise _Wrong(f"{name} takes {least} argument{'s' if least > 1 else ''}")
        args = self._several(given)
        if name == "between":
            return Node("and", (Node(">=", (args[0], args[1])), Node("<=", (args[0], args[2]))))
        if name == "present" and any(arg.op != "column" for arg in args):
            raise _Wrong("present takes columns")
        if name == "matches":
            _known_pattern(args[1])
        if name == "near" and (
            args[2].op != "literal" or isinstance(args[2].value, (str, bool)) or args[2].value < 0
        ):
            raise _Wrong("near takes two values and a share, such as 0.001")
        return Node(name, args)

    def _quoted(self, args: Sequence[ast.expr]) -> Node:
        value = (
            self._constant(args[0])
            if len(args) == 1 and isinstance(args[0], ast.Constant)
            else None
        )
        if not isinstance(value, str):
            raise _Wrong('column takes a name in quotes: column("Day Mins")')
        return Node("column", value=value)

    def _constant(self, tree: ast.expr) -> Literal:
        assert isinstance(tree, ast.Constant)
        value = tree.value
        assert isinstance(value, (str, int, float))
        if isinstance(value, str):
            if self._source[tree.col_offset : tree.col_offset + 1] not in (b'"', b"'"):
                raise _Wrong("a text stands in plain quotes, without a letter before them")
            return value.replace("\\\\", "\\")
        if isinstance(value, bool):
            return value
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise _Wrong("a number is too large")
        return number

    def _dotted(self, tree: ast.expr) -> str:
        if isinstance(tree, ast.Attribute):
            return f"{self._dotted(tree.value)}.{tree.attr}"
        if isinstance(tree, ast.Name):
            return tree.id
        raise _Wrong(f"'{self._shown(tree)}' can't stand in an expression")

    def _shown(self, tree: ast.expr) -> str:
        part = self._source[tree.col_offset : tree.end_col_offset].decode("utf-8", "replace")
        return part.replace("\\\\", "\\")[:40]


def _known_pattern(pattern: Node) -> None:
    if pattern.op != "literal" or not isinstance(pattern.value, str):
        raise _Wrong("matches takes a regular expression in quotes")
    if reason := pattern_trouble(pattern.value):
        raise _Wrong(reason)


def pattern_trouble(pattern: str) -> str:
    """Why a text is no regular expression, for its author; empty when it is one.

    The dialect is RE2, whose time grows with the length of the text alone: no look-around and no
    back references.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        for form in (pattern, _whole(pattern)):
            pc.match_substring_regex(pa.array([""]), form)
    except pa.ArrowInvalid as error:
        told = str(error).partition(": ")[2] or str(error)
        return f"is no regular expression (of RE2): {' '.join(told.split())[:120]}"
    return ""


def match_whole(texts: Any, pattern: str) -> Any:
    """Which texts of an Arrow array match a pattern from their first character to their last; shape
    (n,).
    """
    import pyarrow.compute as pc

    return pc.match_substring_regex(texts, _whole(pattern))


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"
