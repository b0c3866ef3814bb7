"""What people and programs say of the models: versions, parameters, events and more."""

from driftline.catalog.api import open_catalog

__all__ = ["open_catalog"]
