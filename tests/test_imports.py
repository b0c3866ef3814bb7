"""Starting up costs little: what is heavy loads when it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.system

HEAVY = {
    "numpy",
    "scipy",
    "pyarrow",
    "boto3",
    "botocore",
    "sqlalchemy",
    "alembic",
    "httpx",
    "starlette",
    "uvicorn",
}

HELP = """
from driftline.cli.main import main
sys.argv = ["driftline", "--help"]
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
"""


@pytest.mark.parametrize(
    "start", ["import driftline", HELP], ids=["import driftline", "driftline --help"]
)
def test_nothing_heavy_is_loaded(start):
    """Neither the package nor its help loads numbers, tables, clouds, databases or web servers."""
    tell = "print('loaded:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{start}\n{tell}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.splitlines()[-1].split()
    assert loaded[0] == "loaded:"
    assert not HEAVY.intersection(loaded)


NAMES = """
import importlib, pkgutil
from types import ModuleType
import driftline
for module in pkgutil.walk_packages(driftline.__path__, "driftline."):
    if "migrations" not in module.name and not module.name.endswith(("__main__", ".postgres")):
        importlib.import_module(module.name)
print(*[name for name in driftline.__all__ if isinstance(getattr(driftline, name), ModuleType)])
"""


def test_names_stay_what_they_are():
    """No name that plugins import is hidden by a module of the same name, however often and
    wherever it was loaded.
    """
    done = subprocess.run(
        [sys.executable, "-c", NAMES], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []
