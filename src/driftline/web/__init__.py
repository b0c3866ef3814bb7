"""The HTTP face of the agent: pages of incidents, forms, the API, health and metrics."""

from driftline.web.address import Address, AddressError, check_address
from driftline.web.app import create_app
from driftline.web.server import WebServer, serve
from driftline.web.status import LoopStatus, StatusSource

__all__ = [
    "Address",
    "AddressError",
    "LoopStatus",
    "StatusSource",
    "WebServer",
    "check_address",
    "create_app",
    "serve",
]
