"""What several sinks and actions share."""

from driftline.contracts.context import Answer, Http
from driftline.types import phrasing
from driftline.types.action_request import compact

__all__ = ["Answer", "Http", "compact", "phrasing"]
