"""What several sinks and actions share."""

from driftline.types import phrasing
from driftline.types.action_request import compact

__all__ = ["compact", "phrasing"]
