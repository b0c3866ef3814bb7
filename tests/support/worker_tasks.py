"""Tasks that a worker of a cluster runs."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path


def sleep_and_return(number: int) -> int:
    """Take some time."""
    time.sleep(0.3)
    return number


def end_process(code: int) -> None:
    """End the worker, as a fault in native code does."""
    os._exit(code)


def end_process_once(name: str) -> None:
    """End the first worker that runs this."""
    path = Path(tempfile.gettempdir()) / f"driftline-{name}"
    if not path.exists():
        path.touch()
        os._exit(1)
    path.unlink()
