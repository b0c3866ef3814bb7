"""The base of all plugins: settings, start and stop.

Does not time, retry, log or isolate: the host does that for every plugin alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import PrivateAttr

from driftline.contracts.context import StartContext
from driftline.types.settings import Settings

PluginKind = Literal["source", "format", "check", "collector", "sink", "action", "executor"]


class Plugin(Settings):
    """A frozen set of settings, each with a sentence under it, and the work done with them.

    `start` may fail; `stop` must not, is safe without `start` and safe twice.
    """

    type: ClassVar[str]
    """The name by which a configuration asks for it."""
    extra: ClassVar[str] = ""
    """The extra of the package that brings what this plugin imports in `start`, such as `aws`."""

    _context: StartContext | None = PrivateAttr(default=None)

    def __getstate__(self) -> dict[Any, Any]:
        # Connections and contexts can't be pickled: on another machine the plugin has only its
        # settings, as before `start`.
        fresh = {}
        for name, attribute in self.__private_attributes__.items():
            factory = attribute.default_factory
            value = factory() if factory else attribute.get_default()  # type: ignore[call-arg]
            fresh[name] = value
        return super().__getstate__() | {"__pydantic_private__": fresh}

    @property
    def context(self) -> StartContext:
        """The context that `start` got. Raises RuntimeError before `start`."""
        if self._context is None:
            raise RuntimeError(f"{self.type}: start() comes first")
        return self._context

    def start(self, context: StartContext) -> None:
        """Open what the plugin needs. Raise to say that it can't work now."""
        self._context = context

    def stop(self) -> None:
        """Release everything that `start` opened."""
        self._context = None

    def probe(self) -> str:
        """Connect once without changing anything, and return the result in a few words.

        Raise to say what is missing.
        """
        return "nothing to reach"

    def permissions(self) -> Sequence[str]:
        """Return the least rights that this plugin needs where it reads or writes."""
        return ()
