"""Has numpy sort with AVX2 on processors whose AVX-512 sorts several times as slowly.

On AMD Zen 4 the instruction that numpy's AVX-512 sort stores with is microcode: sorting 131,072
floats takes 7 ms, and 0.8 ms with AVX2 (https://github.com/numpy/x86-simd-sort/issues/6). Profiles
sort every batch. numpy reads the setting once, when it is imported.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from importlib.util import find_spec
from pathlib import Path

SETTING = "NPY_DISABLE_CPU_FEATURES"
FEATURES = "X86_V4 AVX512_ICL AVX512_SPR"
"""What numpy calls AVX-512 since FIRST_VERSION."""
FIRST_VERSION = (2, 4)
CPU_INFO = Path("/proc/cpuinfo")
FAMILY = 0x19
"""AMD's family of Zen 3 and Zen 4; only the latter has AVX-512. Zen 5 is not concerned."""


def avoid_slow_sort(environment: MutableMapping[str, str], cpu_info: str) -> None:
    """Set in `environment` that numpy leaves AVX-512 alone, on a processor where it sorts slowly.

    `cpu_info` is the text of /proc/cpuinfo. A setting that is there already stays.
    """
    if SETTING not in environment and has_slow_sort(cpu_info) and _is_wheel():
        environment[SETTING] = FEATURES


def has_slow_sort(cpu_info: str) -> bool:
    """Return whether /proc/cpuinfo describes a Zen 4."""
    first = cpu_info.partition("\n\n")[0]
    values = dict(re.findall(r"^(vendor_id|cpu family|flags)\s*: (.*)$", first, re.MULTILINE))
    return (
        values.get("vendor_id") == "AuthenticAMD"
        and values.get("cpu family") == str(FAMILY)
        and "avx512f" in values.get("flags", "").split()
    )


def read_cpu_info() -> str:
    """Return the text of /proc/cpuinfo, empty where there is none."""
    try:
        return CPU_INFO.read_text("utf-8", "replace")
    except OSError:
        return ""


def _is_wheel() -> bool:
    """Return whether numpy is a wheel of PyPI that knows the names.

    A numpy built for one processor can't be imported without the features it was built with.
    """
    spec = find_spec("numpy")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    if not any(Path(folder).with_name("numpy.libs").is_dir() for folder in folders):
        return False
    from importlib.metadata import version

    return tuple(int(part) for part in version("numpy").split(".")[:2]) >= FIRST_VERSION
