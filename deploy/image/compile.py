"""Compiles the modules that the agent uses, so that its start does not; others are compiled in memory.

Run with the interpreter of an environment whose files can be written.
"""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import suppress

LATER = ("boto3", "botocore.session", "uvicorn.protocols.http.h11_impl", "vl_convert", "google.cloud.bigquery",
         "google.cloud.storage", "azure.identity", "azure.storage.blob", "psycopg", "pyarrow.parquet", "scipy.stats")  # fmt: skip
"""Modules that are imported where they are used only."""


def main() -> None:
    """Import all modules of the agent and of its plugins; a cloud that is not installed is left out."""
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
