"""Pure functions on numpy arrays and counts: no input or output, no clock, no configuration.

Degenerate input raises no exception and gives no NaN: the result is None, or an `Estimate` without
value.

The names and their homes stand in `__init__.pyi`. A name loads at its first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
