"""Compiles the modules that the agent uses, so that its start does not.

Others are compiled in memory. Run it with the interpreter of an environment that can be written.
"""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import suppress

LATER = (
    "azure.identity",
    "azure.storage.blob",
    "boto3",
    "botocore.session",
    "google.cloud.bigquery",
    "google.cloud.storage",
    "psycopg",
    "pyarrow.parquet",
    "scipy.stats",
    "uvicorn.protocols.http.h11_impl",
    "vl_convert",
)
"""Modules that are imported where they are used only."""


def main() -> None:
    """Import all modules of the agent and of its plugins; absent clouds are left out."""
    for name in LATER:
        with suppress(ImportError):
            importlib.import_module(name)
    for package in map(importlib.import_module, ("driftline", "driftline_plugins")):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                with suppress(ImportError):
                    importlib.import_module(module.name)


if __name__ == "__main__":
    main()
