"""The plugin host: finds plugins, registers them, and calls them so that a failure stays small."""

from driftline.extensions.guard import CallStats, Guard, Overdue
from driftline.extensions.hooks import announce, enrich, transform
from driftline.extensions.load import PluginProblem
from driftline.extensions.registry import PluginInfo, Registry

__all__ = [
    "CallStats",
    "Guard",
    "Overdue",
    "PluginInfo",
    "PluginProblem",
    "Registry",
    "announce",
    "enrich",
    "transform",
]
