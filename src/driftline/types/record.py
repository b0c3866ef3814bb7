"""Records: frozen dataclasses with slots that are made faster.

`dataclass` compiles six functions for each class, which took a fifth of a start. Here the
constructor is compiled at the first call; the other methods are the same for every record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def record(cls: type[T], /) -> type[T]: ...


@overload
def record(
    *, kw_only: bool = True, eq: bool = True, slots: bool = True
) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(
    cls: type[T] | None = None, /, *, kw_only: bool = True, eq: bool = True, slots: bool = True
) -> Any:
    """Make a class a frozen dataclass; used as a decorator.

    `fields`, `replace` and `asdict` of `dataclasses` take its instances. With `kw_only`, the
    constructor takes keywords only. With `eq`, two instances of one class are equal when their
    fields are, and have a hash; else only an instance and itself are equal. Without `slots`, a
    class may have cached properties.
    """

    def make(cls: type[T]) -> type[T]:
        return _make(cls, kw_only=kw_only, eq=eq, slots=slots)

    return make if cls is None else make(cls)


def _make(cls: type[T], *, kw_only: bool, eq: bool, slots: bool) -> type[T]:
    own = vars(cls)
    made: Any = dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
    parts = fields(made)
    if eq:
        made._compared = _getter(part.name for part in parts if part.compare)
        made._hashed = _getter(
            part.name for part in parts if (part.compare if part.hash is None else part.hash)
        )
        made.__eq__, made.__hash__ = _is_equal, _hash
    if "__repr__" not in own:
        made.__repr__ = _describe

    def compile_and_construct(self: Any, *values: Any, **named_values: Any) -> None:
        made.__init__ = _constructor(made, parts, slots=slots)
        made.__init__(self, *values, **named_values)

    made.__init__ = compile_and_construct
    made.__setattr__ = made.__delattr__ = _reject_change
    if slots:
        made.__getstate__, made.__setstate__ = _state, _restore
    return made  # type: ignore[no-any-return]


def _getter(names: Iterable[str]) -> staticmethod[[Any], Any]:
    """Return a function that gives the values of these fields as something to compare."""
    listed = tuple(names)
    return staticmethod(attrgetter(*listed) if listed else lambda self: ())


def _is_equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._compared(self) == self._compared(other)


def _hash(self: Any) -> int:
    return hash(self._hashed(self))


def _describe(self: Any) -> str:
    shown = (f"{part.name}={getattr(self, part.name)!r}" for part in fields(self) if part.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _state(self: Any) -> list[Any]:
    return [getattr(self, part.name) for part in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for part, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, part.name, value)


def _reject_change(self: Any, name: str, *value: object) -> None:
    raise FrozenInstanceError(f"cannot change field {name!r}")


def _constructor(cls: Any, parts: Iterable[Field[Any]], *, slots: bool) -> Callable[..., None]:
    """Compile the constructor: its arguments are the fields, as `dataclass` has them."""
    # Both ways to set a field go past `__setattr__`, which rejects every change.
    scope: dict[str, Any] = {"MISSING": MISSING, "set_field": object.__setattr__}
    positional, keywords, lines = ["self"], list[str](), list[str]()
    for part in parts:
        name, value, default = part.name, part.name, ""
        if not part.init:
            continue  # `__post_init__` sets it
        if part.default is not MISSING:
            default = f"=default_{name}"
            scope[f"default_{name}"] = part.default
        elif part.default_factory is not MISSING:
            default = "=MISSING"
            scope[f"make_{name}"] = part.default_factory
            value = f"make_{name}() if {name} is MISSING else {name}"
        (keywords if part.kw_only else positional).append(name + default)
        if slots:
            scope[f"set_{name}"] = getattr(cls, name).__set__
            lines.append(f"set_{name}(self, {value})")
        else:
            lines.append(f"set_field(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    arguments = ", ".join([*positional, *(["*", *keywords] if keywords else [])])
    exec(f"def __init__({arguments}):\n " + "\n ".join(lines or ["pass"]), scope)
    return scope["__init__"]  # type: ignore[no-any-return]
