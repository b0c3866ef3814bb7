"""A job on its way to another process, with the user's modules that it needs there."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from driftline.extensions.load import load_own_modules, own_modules
from driftline.ingest.read.job import Job


@dataclass(frozen=True, slots=True)
class PackedJob:
    """A pickled job; its plugins may come from files that the other process does not know."""

    data: bytes
    modules: Mapping[str, tuple[Path, bytes]]
    """File and source of each module of the user, by its name."""

    def unpack(self) -> Job:
        """Load the modules and return the job. Raises what its plugins raise while they load."""
        load_own_modules(self.modules)
        return cast(Job, pickle.loads(self.data))


def pack_job(job: Job) -> PackedJob:
    """Pack a job. Raises what pickle raises when a part of it can't be sent."""
    return PackedJob(pickle.dumps(job), own_modules())
