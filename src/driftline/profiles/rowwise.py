"""Evaluates an expression on each row of a batch.

A literal is equal to its form of 32 bits: `x <= 0.1` holds for the 0.1 of a column of 32 bits.
Where a value that decides is missing, the result is null (three-valued logic, as in SQL). NaN
counts as missing, and so does the result of a calculation that is not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple
from typing import Literal as Only

from driftline.profiles.language import Node, match_whole
from driftline.types.model import Kind

if TYPE_CHECKING:
    from driftline.profiles.batch import Batch

Sort = Only["number", "text", "truth"]
SORT_NAMES = {"number": "a number", "text": "text", "truth": "true or false"}
ORDER = {
    "==": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}
ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}


class UnsuitableColumns(ValueError):
    """An expression can't be evaluated on these columns; the text says why."""


class _Value(NamedTuple):
    sort: Sort
    data: Any
    """An Arrow array, shape (rows,); for a literal an Arrow scalar."""


@dataclass(frozen=True, slots=True)
class ExpressionRows:
    """The rows of a batch that an expression is evaluated on."""

    batch: Batch
    kinds: Mapping[str, Kind]
    """The kinds of all columns; one that the batch lacks is missing in every row."""
    required_columns: Sequence[str]
    """The columns that `present()` without arguments checks."""

    def evaluate(self, tree: Node) -> Any:
        """Booleans for a condition, float64 for a number; an Arrow array of shape (rows,).

        Raises UnsuitableColumns.
        """
        import pyarrow as pa

        sort, data = self._value(tree)
        if sort == "text":
            raise UnsuitableColumns("a text is neither a condition nor a number")
        if isinstance(data, pa.Scalar):
            raise UnsuitableColumns("says the same of every row")
        return data

    def _value(self, node: Node) -> _Value:
        import pyarrow as pa
        import pyarrow.compute as pc

        match node.op:
            case "column":
                return self._column(str(node.value))
            case "literal":
                sort: Sort = (
                    "truth"
                    if isinstance(node.value, bool)
                    else "text"
                    if isinstance(node.value, str)
                    else "number"
                )
                return _Value(sort, pa.scalar(node.value))
            case "and" | "or":
                conditions = [self._data_of_sort(arg, "truth") for arg in node.args]
                return _Value(
                    "truth", reduce(pc.and_kleene if node.op == "and" else pc.or_kleene, conditions)
                )
            case "not":
                return _Value("truth", pc.invert(self._data_of_sort(node.args[0], "truth")))
            case "null":
                return _Value("truth", pc.is_null(self._value(node.args[0]).data))
            case "present":
                names = [str(arg.value) for arg in node.args] or self.required_columns
                validity = [pc.is_valid(self._column(name).data) for name in names]
                return _Value(
                    "truth", reduce(pc.and_, validity, pa.repeat(pa.scalar(True), self.batch.rows))
                )
            case "in":
                return self._is_in(self._value(node.args[0]), node.args[1].args)
            case "abs":
                return _Value("number", pc.abs(self._data_of_sort(node.args[0], "number")))
            case "len":
                length = _by_name(self._data_of_sort(node.args[0], "text"), pc.utf8_length)
                return _Value("number", length.cast(pa.float64()))
            case "matches":
                pattern = str(node.args[1].value)
                return _Value(
                    "truth",
                    _by_name(
                        self._data_of_sort(node.args[0], "text"),
                        lambda texts: match_whole(texts, pattern),
                    ),
                )
            case "near":
                return self._near(
                    self._value(node.args[0]), self._value(node.args[1]), float(node.args[2].value)
                )
            case op if op in ORDER:
                return _Value(
                    "truth",
                    _compare(ORDER[op], self._value(node.args[0]), self._value(node.args[1])),
                )
            case op:
                left, right = (self._data_of_sort(arg, "number") for arg in node.args)
                return _Value("number", _finite(getattr(pc, ARITHMETIC[op])(left, right)))

    def _data_of_sort(self, node: Node, sort: Sort) -> Any:
        """The data of a form that must have this sort."""
        value = self._value(node)
        if value.sort != sort:
            subject = str(node.value) or "what stands there"
            raise UnsuitableColumns(
                f"{subject} is {SORT_NAMES[value.sort]}, where {SORT_NAMES[sort]} is needed"
            )
        return value.data

    def _column(self, name: str) -> _Value:
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = self.kinds.get(name)
        if kind is None:
            raise UnsuitableColumns(f"there is no column '{name}' in the schema")
        array = self.batch.columns.get(name)
        if kind is Kind.CATEGORICAL:
            return _Value(
                "text",
                pa.nulls(self.batch.rows, pa.string()).dictionary_encode()
                if array is None
                else array,
            )
        if array is None:
            return _Value("number", pa.nulls(self.batch.rows, pa.float64()))
        return _Value("number", pc.if_else(pc.is_nan(array), None, array))

    def _is_in(self, value: _Value, items: Sequence[Node]) -> _Value:
        import pyarrow as pa
        import pyarrow.compute as pc

        if value.sort == "truth":
            raise UnsuitableColumns("true or false is in no list")
        members: list[Any] = [
            _word(item.value) if value.sort == "text" else item.value for item in items
        ]
        if value.sort == "number" and any(isinstance(item, str) for item in members):
            raise UnsuitableColumns("a number is in no list of texts")
        value_set = (
            pa.array(members, pa.string())
            if value.sort == "text"
            else pa.array(
                [form for item in members for form in (float(item), _in_32_bits(item))],
                pa.float64(),
            )
        )
        is_member = _by_name(value.data, lambda values: pc.is_in(values, value_set=value_set))
        return _Value("truth", pc.if_else(pc.is_valid(value.data), is_member, None))

    def _near(self, left: _Value, right: _Value, share: float) -> _Value:
        import pyarrow as pa
        import pyarrow.compute as pc

        same = _compare("equal", left, right)
        if left.sort != "number" or right.sort != "number":
            return _Value("truth", same)
        size = pc.max_element_wise(pc.abs(left.data), pc.abs(right.data), skip_nulls=False)
        # The difference of two very large numbers may overflow: then they aren't near.
        close = pc.less_equal(
            pc.abs(pc.subtract(left.data, right.data)), pc.multiply(size, pa.scalar(share))
        )
        return _Value("truth", pc.or_kleene(same, pc.and_kleene(close, pc.is_finite(size))))


def _compare(operator: str, left: _Value, right: _Value) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    compare: Callable[[Any, Any], Any] = getattr(pc, operator)
    if left.sort != right.sort:
        left, right = _as_words(left, right, operator), _as_words(right, left, operator)
        if left.sort != right.sort:
            raise UnsuitableColumns(
                f"{SORT_NAMES[left.sort]} is compared with {SORT_NAMES[right.sort]}"
            )
    if left.sort == "truth" and operator not in ("equal", "not_equal"):
        raise UnsuitableColumns("true or false has no order")
    if left.sort == "number":
        return compare(_same_width(left.data, right.data), _same_width(right.data, left.data))
    if left.sort == "truth":
        return compare(left.data, right.data)
    if isinstance(right.data, pa.Scalar):
        return _by_name(left.data, lambda texts: compare(texts, right.data))
    if isinstance(left.data, pa.Scalar):
        return _by_name(right.data, lambda texts: compare(left.data, texts))
    return compare(left.data.cast(pa.string()), right.data.cast(pa.string()))


def _same_width(numbers: Any, beside: Any) -> Any:
    """The numbers, where the literal `beside` stands for its form of 32 bits, too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(numbers, pa.Scalar) or not isinstance(beside, pa.Scalar):
        return numbers
    literal = float(beside.as_py())
    narrow = _in_32_bits(literal)
    return numbers if narrow == literal else pc.if_else(pc.equal(numbers, narrow), literal, numbers)


def _in_32_bits(literal: float) -> float:
    """The literal as a writer of 32-bit floats has it.

    A whole number, and one beyond the range of 32 bits, stays as it is.
    """
    import numpy as np

    with np.errstate(over="ignore", under="ignore"):
        narrow = float(np.float32(literal))
    is_close = abs(narrow - literal) <= 1e-7 * abs(literal)
    return narrow if is_close and not float(literal).is_integer() else float(literal)


def _as_words(value: _Value, beside: _Value, operator: str) -> _Value:
    """A literal beside a text as its category; true and false beside a number as 1 and 0."""
    import pyarrow as pa

    if not isinstance(value.data, pa.Scalar):
        return value
    if beside.sort == "text" and operator in ("equal", "not_equal"):
        return _Value("text", pa.scalar(_word(value.data.as_py())))
    if beside.sort == "number" and value.sort == "truth":
        return _Value("number", pa.scalar(float(value.data.as_py())))
    return value


def _word(value: str | float | bool) -> str:
    """The category that a value counts as: true and 1.0 are `1`."""
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def _by_name(data: Any, answer: Callable[[Any], Any]) -> Any:
    """Apply a function to each category once, or to the array when it has no dictionary."""
    import pyarrow as pa

    return (
        answer(data.dictionary).take(data.indices)
        if isinstance(data, pa.DictionaryArray)
        else answer(data)
    )


def _finite(numbers: Any) -> Any:
    import pyarrow.compute as pc

    return pc.if_else(pc.is_finite(numbers), numbers, None)
