"""A record behaves as the frozen dataclass with slots that it replaces."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import pytest

from driftline.types.record import record


@record
class Place:
    kind: ClassVar[str] = "place"
    name: str
    rows: int = 0
    tags: dict[str, int] = field(default_factory=dict, hash=False)
    cache: list[int] = field(default_factory=list, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamePlace:
    kind: ClassVar[str] = "place"
    name: str
    rows: int = 0
    tags: dict[str, int] = field(default_factory=dict, hash=False)
    cache: list[int] = field(default_factory=list, compare=False, repr=False)


@record(kw_only=False)
class Point:
    x: int
    y: int = 0
    total: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.x + self.y)


@record(kw_only=False)
class NamedPoint(Point):
    name: str = ""


@record(eq=False)
class Table:
    rows: list[int]


@record
class Nothing:
    pass


@record(slots=False)
class Square:
    side: int

    @cached_property
    def area(self) -> int:
        return self.side**2


@pytest.mark.parametrize(
    "values", [{"name": "a"}, {"name": "b", "rows": 3}, {"name": "c", "tags": {"x": 1}}]
)
def test_text_hash_and_fields_are_those_of_a_dataclass(values: dict[str, Any]) -> None:
    ours, theirs = Place(**values), SamePlace(**values)
    assert repr(ours) == repr(theirs).replace("SamePlace", "Place")
    assert hash(ours) == hash(theirs)
    assert asdict(ours) == asdict(theirs)  # type: ignore[call-overload]
    assert [part.name for part in fields(ours)] == [part.name for part in fields(theirs)]
    assert Place.__slots__ == SamePlace.__slots__


def test_records_of_one_class_are_equal_when_their_compared_fields_are() -> None:
    assert Place(name="a", cache=[1]) == Place(name="a", cache=[2])
    assert Place(name="a") != Place(name="b")
    assert Point(1) != NamedPoint(1)
    assert Nothing() == Nothing()
    assert Table(rows=[]) != Table(rows=[])


def test_default_factories_give_each_record_its_own_value() -> None:
    assert Place(name="a").tags is not Place(name="a").tags


@pytest.mark.parametrize("name", ["rows", "other"])
def test_a_record_can_not_be_changed(name: str) -> None:
    place = Place(name="a")
    with pytest.raises(FrozenInstanceError):
        setattr(place, name, 1)
    with pytest.raises(FrozenInstanceError):
        delattr(place, name)


def test_a_constructor_takes_keywords_only_by_default() -> None:
    with pytest.raises(TypeError):
        Place("a")  # type: ignore[misc]
    with pytest.raises(TypeError):
        Place()  # type: ignore[call-arg]
    assert (Point(1, 2).total, NamedPoint(1, 2, "p").total) == (3, 3)


def test_a_record_without_slots_may_have_cached_properties() -> None:
    square = Square(side=3)
    assert (square.area, square.area, replace(square, side=2).area) == (9, 9, 4)
    with pytest.raises(FrozenInstanceError):
        square.side = 4  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(square)) == square


def test_records_are_replaced_copied_and_pickled() -> None:
    place = Place(name="a", rows=2)
    assert replace(place, rows=3) == Place(name="a", rows=3)
    assert copy.deepcopy(place) == place
    assert pickle.loads(pickle.dumps(place)) == place
