"""Starting up costs little: what is heavy loads when it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
    assert not HEAVY.intersection(packages(loaded_modules(start)))


UNNEEDED = {
    "alembic",
    "azure",
    "boto3",
    "botocore",
    "google",
    "h11",
    "httpcore",
    "httpx",
    "jinja2",
    "prometheus_client",
    "psycopg",
    "pyarrow",
    "rich",
    "scipy",
    "starlette",
    "structlog",
    "uvicorn",
}
"""What only reads, judges, sends, serves or connects."""

CALL = """
from driftline.cli.main import main
try:
    main({arguments!r})
except SystemExit as leaving:
    assert not leaving.code, leaving.code
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of a log in JSONL, after a first pass over it."""
    rows = [
        {
            "timestamp": f"2026-03-{1 + row // 96:02}T{row // 4 % 24:02}:00:00Z",
            "age": row % 7,
            "prediction": row % 2,
        }
        for row in range(192)
    ]
    log, config = tmp_path / "log.jsonl", tmp_path / "driftline.yaml"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config.write_text(
        "version: 1\nagent: {state: 'sqlite:///state.db', http: null}\n"
        "models: {churn: {source: {type: local, options: {path: log.jsonl}}, "
        "windows: {length: 1d}, notify: []}}\n"
    )
    loaded_modules(CALL.format(arguments=["run", "--once", "-c", str(config)]))
    return config


MOST_MODULES = 900
"""Modules of a pass with nothing new, those of the interpreter included."""


def test_a_pass_with_nothing_new_loads_no_format_and_few_modules(config):
    """The modules are counted, since seconds depend on the machine."""
    modules = loaded_modules(CALL.format(arguments=["run", "--once", "-c", str(config)]))
    assert not [name for name in modules if name.startswith("driftline_plugins.formats.")]
    assert "driftline.stats.multivariate.clouds" not in modules
    assert len(modules) <= MOST_MODULES, len(modules)


@pytest.mark.parametrize(
    "command",
    [
        "run --once",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("validate", "status")),
    ],
)
def test_a_command_loads_what_it_uses(config, command):
    """A pass with nothing new loads no library for reading, judging, sending or serving; what only
    looks at the configuration or the state doesn't either.
    """
    call = CALL.format(arguments=[*command.split(), "-c", str(config)])
    modules = loaded_modules(call)
    assert not UNNEEDED.intersection(packages(modules))
    assert "driftline_plugins.sources.local" in modules
    assert "driftline_plugins.sources.s3" not in modules
    assert "driftline_plugins.sinks.slack" not in modules


def loaded_modules(start: str) -> list[str]:
    """Run code in a new interpreter, and return the names of all modules that it loaded."""
    tell = "print('loaded:', *sorted(sys.modules))"
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
    return loaded[1:]


def packages(modules: list[str]) -> set[str]:
    """Return the top-level packages of modules."""
    return {name.partition(".")[0] for name in modules}


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
