"""numpy sorts with AVX2 where AVX-512 is slower."""

import os
import subprocess
import sys

import pytest

from driftline.cli.slow_sort import FEATURES, SETTING, avoid_slow_sort, has_slow_sort

ZEN_4 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
flags\t\t: fpu avx avx2 avx512f avx512vl

processor\t: 1
vendor_id\t: AuthenticAMD
"""
OTHERS = {
    "Zen 3, without AVX-512": ZEN_4.replace(" avx512f avx512vl", ""),
    "Zen 5": ZEN_4.replace("family\t: 25", "family\t: 26"),
    "Intel": ZEN_4.replace("AuthenticAMD", "GenuineIntel"),
    "ARM": "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n",
    "none": "",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_processors_keep_avx_512(name: str) -> None:
    """Only a Zen 4 is described as slow."""
    environment: dict[str, str] = {}
    avoid_slow_sort(environment, OTHERS[name])
    assert not environment
    assert has_slow_sort(ZEN_4)


def test_a_setting_of_the_environment_stays() -> None:
    """Who chooses numpy's features keeps the choice."""
    environment = {SETTING: ""}
    avoid_slow_sort(environment, ZEN_4)
    assert environment == {SETTING: ""}


def test_numpy_can_be_imported_with_the_setting() -> None:
    """numpy knows the names, warns of none of them, and sorts the same."""
    environment: dict[str, str] = {}
    avoid_slow_sort(environment, ZEN_4)
    assert environment in ({}, {SETTING: FEATURES})
    code = "import numpy as np; print(np.sort(np.array([3.0, 1.0, np.nan, 2.0])).tolist())"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[1.0, 2.0, 3.0, nan]"
