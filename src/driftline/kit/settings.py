"""Types for the settings of a plugin: groups, durations, sizes, and a format named in a setting."""

from driftline.contracts.format import FormatRef
from driftline.types.scalars import Bytes, Duration, Length, Size
from driftline.types.settings import Settings

__all__ = ["Bytes", "Duration", "FormatRef", "Length", "Settings", "Size"]
