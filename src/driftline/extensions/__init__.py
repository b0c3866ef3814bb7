"""The plugin host: finds plugins, keeps them apart, and calls them from a safe distance."""

from driftline.extensions.guard import Calls, Guard, Overdue
from driftline.extensions.hooks import announce, enrich, transform
from driftline.extensions.load import PluginProblem
from driftline.extensions.registry import PluginInfo, Registry

__all__ = [
    "Calls",
    "Guard",
    "Overdue",
    "PluginInfo",
    "PluginProblem",
    "Registry",
    "announce",
    "enrich",
    "transform",
]
