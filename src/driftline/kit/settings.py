"""Types for the settings of a plugin: durations, sizes, and a format named in a setting."""

from driftline.contracts.format import FormatRef
from driftline.types.scalars import Bytes, Duration, Length, Size

__all__ = ["Bytes", "Duration", "FormatRef", "Length", "Size"]
