"""Parses the expressions that people write about a row to a tree of nodes.

Does not run anything: Python's parser reads the text, and only a short list of forms is allowed.
The spellings of MLflow and SQL are rewritten before, see `spellings`.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driftline.profiles.spellings import Rewriting

LIKE_CALLS = frozenset({"_like", "_ilike", "_not_like", "_not_ilike"})
"""The functions as which LIKE and ILIKE are rewritten."""
LONGEST = 2000
"""Characters of an expression."""
DEEPEST = 50
"""Levels of nested forms."""
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
"""The least and most arguments of each function; `column` is a function too."""
CONDITIONS = {*COMPARISONS.values(), "and", "or", "not", "null", "in", "matches", "near", "present"}
"""Operators whose result is true or false."""
WORDS = {"true": True, "false": False}

Literal = str | float | bool


@dataclass(frozen=True, slots=True)
class Node:
    """One form: an operator with its arguments, a column or a literal."""

    op: str
    """`column`, `literal`, `list`, an operator, `null` for `is null`, or a function."""
    args: tuple[Node, ...] = ()
    value: Literal = ""
    """The name of a column, or the value of a literal."""
    place: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)
    """Start and end in the text of the expression."""


class ExpressionError(ValueError):
    """A mistake in an expression, as a sentence for its author."""

    def __init__(self, message: str, place: tuple[int, int] = (0, 0)) -> None:
        super().__init__(message)
        self.place = place
        """Start and end of the words that the mistake is about."""

    def show(self, text: str) -> str:
        """Return the message below a line with `text` and one that points at the mistake."""
        line = " ".join(text.splitlines())
        start, end = self.place
        return f"{line}\n{' ' * start}{'^' * max(end - start, 1)}\n{self}"


class _InvalidExpression(Exception):
    """The text of the error for the author of the expression."""

    tree: ast.expr | None = None
    """What the mistake is in."""


@lru_cache(maxsize=1000)
def parse(text: str) -> Node:
    """The tree of an expression. Raises ValueError with a sentence for its author.

    Strings have no escapes: a backslash is a backslash, so that regular expressions can be written
    as they are.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"should have {LONGEST} characters at most")
    # Most configurations have no expressions.
    from driftline.profiles.spellings import rewrite

    line = " ".join(text.splitlines())
    rewriting = rewrite(line)
    # Python parses the line with doubled backslashes; offsets refer to the doubled text.
    reader = _Reader(rewriting)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(rewriting.text.replace("\\", "\\\\"), mode="eval").body
        node = reader.read(tree)
    except _InvalidExpression as error:
        place = (0, 0) if error.tree is None else reader.place_of(error.tree)
        raise ExpressionError(str(error), place) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _syntax_error(line, rewriting, error) from None
    if not any(True for _ in column_names(node)) and not any(
        item.op == "present" for item in walk(node)
    ):
        raise ExpressionError("should name a column", (0, len(line.rstrip())))
    return node


def column_names(node: Node) -> Iterator[str]:
    """The names of the columns that an expression uses, in order, with repeats."""
    return (str(item.value) for item in walk(node) if item.op == "column")


def quote_column(column: str) -> str:
    """An expression for any column. Raises ValueError for a name with both kinds of quotes."""
    quote = '"' if '"' not in column else "'"
    if quote in column:
        raise ValueError("a column with both kinds of quotes in its name can't be named here")
    return f"column({quote}{column}{quote})"


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all nodes below it."""
    yield node
    for arg in node.args:
        yield from walk(arg)


def _syntax_error(line: str, rewriting: Rewriting, error: BaseException) -> ExpressionError:
    if isinstance(error, (RecursionError, MemoryError)):
        return ExpressionError("is nested too deeply")
    for sign, hint in (("&&", "write and"), ("||", "write or")):
        if sign in line:
            start = line.index(sign)
            return ExpressionError(f"is no expression: {hint}", (start, start + 2))
    offset = getattr(error, "offset", None)
    if not line.strip():
        return ExpressionError("is no expression: it is empty")
    offset = offset or len(rewriting.text) + 2
    before = rewriting.text.replace("\\", "\\\\")[: offset - 1].replace("\\\\", "\\")
    start, end = rewriting.place(len(before), len(before) + 1)
    near = line[start:].rstrip()[:20]
    if not near:
        start, end = len(line.rstrip()), len(line.rstrip()) + 1
    message = f"is no expression near '{near}'" if near else "is no expression: it ends too early"
    return ExpressionError(message, (start, max(end, start + 1)))


class _Reader:
    """Translates Python's syntax tree to nodes."""

    def __init__(self, rewriting: Rewriting) -> None:
        self._rewriting = rewriting
        self._source = rewriting.text.replace("\\", "\\\\").encode()
        self._depth = 0

    def read(self, tree: ast.expr) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _InvalidExpression("is nested too deeply")
        try:
            return replace(self._read(tree), place=self.place_of(tree))
        except _InvalidExpression as error:
            error.tree = error.tree or tree
            raise
        finally:
            self._depth -= 1

    def place_of(self, tree: ast.expr) -> tuple[int, int]:
        """Start and end of a part in the text of its author."""
        return self._rewriting.place(
            self._characters(tree.col_offset), self._characters(tree.end_col_offset or 0)
        )

    def _characters(self, offset: int) -> int:
        """Characters of the rewritten text before an offset in bytes of the doubled one."""
        before = self._source[:offset].decode("utf-8", "replace")
        return len(before.replace("\\\\", "\\"))

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
            case ast.BinOp(
                left, ast.MatMult(), ast.Call(ast.Name(name), [ast.Constant() as text])
            ) if name in LIKE_CALLS:
                return self._like(left, name, str(self._constant(text)))
            case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
                return Node(ARITHMETIC[type(op)], (self.read(left), self.read(right)))
            case ast.Compare(left, ops, comparators):
                places = [left, *comparators]
                pairs = [
                    self._compare(op, *pair) for op, pair in zip(ops, pairwise(places), strict=True)
                ]
                return pairs[0] if len(pairs) == 1 else Node("and", tuple(pairs))
            case ast.Call(ast.Name(name), args, []) if name == "column":
                return self._column_call(args)
            case ast.Call(ast.Name(name), args, []):
                return self._call(name, args)
            case ast.Name(name) if name.lower() in WORDS:
                return Node("literal", value=WORDS[name.lower()])
            case ast.Constant(None) | ast.Name("null" | "NULL"):
                raise _InvalidExpression("null is compared with `is null` and `is not null` only")
            case ast.Name() | ast.Attribute():
                return Node("column", value=self._dotted_name(tree))
            case ast.Constant(str() | bool() | int() | float()):
                return Node("literal", value=self._constant(tree))
        raise _InvalidExpression(f"'{self._source_of(tree)}' can't stand in an expression")

    def _like(self, left: ast.expr, name: str, pattern: str) -> Node:
        from driftline.profiles.spellings import like_pattern

        form = like_pattern(pattern)
        if "ilike" in name:
            form = f"(?i){form}"
        node = Node("matches", (self.read(left), Node("literal", value=form)))
        return Node("not", (node,)) if "not" in name else node

    def _several(self, trees: Sequence[ast.expr]) -> tuple[Node, ...]:
        return tuple(self.read(tree) for tree in trees)

    def _compare(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> Node:
        if isinstance(op, (ast.Is, ast.IsNot)):
            if (
                not (isinstance(right, ast.Constant) and right.value is None)
                and getattr(right, "id", "") != "null"
            ):
                raise _InvalidExpression(
                    "`is` compares with null only: write `is null` or `is not null`"
                )
            node = Node("null", (self.read(left),))
            return node if isinstance(op, ast.Is) else Node("not", (node,))
        if isinstance(op, (ast.In, ast.NotIn)):
            if not isinstance(right, (ast.List, ast.Tuple, ast.Set)) or not right.elts:
                raise _InvalidExpression("`in` is followed by a list: [a, b]")
            items = self._several(right.elts)
            if (
                any(item.op != "literal" for item in items)
                or len({isinstance(item.value, str) for item in items}) > 1
            ):
                raise _InvalidExpression("a list holds numbers only, or texts only")
            node = Node("in", (self.read(left), Node("list", items)))
            return node if isinstance(op, ast.In) else Node("not", (node,))
        return Node(COMPARISONS[type(op)], (self.read(left), self.read(right)))

    def _call(self, name: str, trees: Sequence[ast.expr]) -> Node:
        if name not in FUNCTIONS:
            raise _InvalidExpression(
                f"there is no function '{name}'; there are: column, {', '.join(FUNCTIONS)}"
            )
        least, most = FUNCTIONS[name]
        if not least <= len(trees) <= most:
            raise _InvalidExpression(f"{name} takes {least} argument{'s' if least > 1 else ''}")
        args = self._several(trees)
        if name == "between":
            return Node("and", (Node(">=", (args[0], args[1])), Node("<=", (args[0], args[2]))))
        if name == "present" and any(arg.op != "column" for arg in args):
            raise _InvalidExpression("present takes columns")
        if name == "matches":
            _known_pattern(args[1])
        if name == "near" and (
            args[2].op != "literal" or isinstance(args[2].value, (str, bool)) or args[2].value < 0
        ):
            raise _InvalidExpression("near takes two values and a share, such as 0.001")
        return Node(name, args)

    def _column_call(self, args: Sequence[ast.expr]) -> Node:
        value = (
            self._constant(args[0])
            if len(args) == 1 and isinstance(args[0], ast.Constant)
            else None
        )
        if not isinstance(value, str):
            raise _InvalidExpression('column takes a name in quotes: column("Day Mins")')
        return Node("column", value=value)

    def _constant(self, tree: ast.expr) -> Literal:
        assert isinstance(tree, ast.Constant)
        value = tree.value
        assert isinstance(value, (str, int, float))
        if isinstance(value, str):
            if self._source[tree.col_offset : tree.col_offset + 1] not in (b'"', b"'"):
                raise _InvalidExpression(
                    "a text stands in plain quotes, without a letter before them"
                )
            return value.replace("\\\\", "\\")
        if isinstance(value, bool):
            return value
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise _InvalidExpression("a number is too large")
        return number

    def _dotted_name(self, tree: ast.expr) -> str:
        if isinstance(tree, ast.Attribute):
            return f"{self._dotted_name(tree.value)}.{tree.attr}"
        if isinstance(tree, ast.Name):
            return tree.id
        raise _InvalidExpression(f"'{self._source_of(tree)}' can't stand in an expression")

    def _source_of(self, tree: ast.expr) -> str:
        part = self._source[tree.col_offset : tree.end_col_offset].decode("utf-8", "replace")
        return part.replace("\\\\", "\\")[:40]


def _known_pattern(pattern: Node) -> None:
    if pattern.op != "literal" or not isinstance(pattern.value, str):
        raise _InvalidExpression("matches takes a regular expression in quotes")
    if reason := pattern_trouble(pattern.value):
        raise _InvalidExpression(reason)


def pattern_trouble(pattern: str) -> str:
    """Why a text is no regular expression, as a sentence for its author; "" when it is one.

    The dialect is RE2, whose time grows with the length of the text alone: no look-around and no
    back references.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        for form in (pattern, _whole(pattern)):
            pc.match_substring_regex(pa.array([""]), form)
    except pa.ArrowInvalid as error:
        message = str(error).partition(": ")[2] or str(error)
        return f"is no regular expression (of RE2): {' '.join(message.split())[:120]}"
    return ""


def match_whole(texts: Any, pattern: str) -> Any:
    """Which texts of an Arrow array match a pattern as a whole; Arrow booleans, shape (n,)."""
    import pyarrow.compute as pc

    return pc.match_substring_regex(texts, _whole(pattern))


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"
