"""The sentences that hold for every plugin, as one assertion that any plugin's test can make.

Refuses to test what a plugin is for: that is its own tests' business.
"""

from __future__ import annotations

import inspect
import pickle
import re
import subprocess
import sys
from typing import Any

from pydantic import ValidationError

from driftline.contracts.action import Action
from driftline.contracts.check import Check
from driftline.contracts.format import Format
from driftline.contracts.plugin import Plugin
from driftline.contracts.sink import Sink
from driftline.extensions.registry import BASES
from driftline.testing.action_contract import assert_action
from driftline.testing.check_contract import assert_check
from driftline.testing.format_contract import assert_format
from driftline.testing.sink_contract import assert_sink

SDKS = (
    "boto3",
    "botocore",
    "google.cloud",
    "azure",
    "snowflake",
    "databricks",
    "pyspark",
    "ray",
    "distributed",
    "psycopg",
    "torch",
    "scipy.stats",
    "apprise",
)
"""What is imported in `start` at the earliest: `driftline validate` must need none of it."""
_PROBE = """
import importlib, importlib.util, sys
sys.path[:] = {path!r}
if {file!r} and importlib.util.find_spec({module!r}.partition(".")[0]) is None:
    spec = importlib.util.spec_from_file_location({module!r}, {file!r})
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
else:
    importlib.import_module({module!r})
print(*[name for name in {sdks!r} if name in sys.modules])
"""


def assert_plugin_contract(plugin: type[Plugin] | Plugin, **options: Any) -> None:
    """Assert all that the host relies on. A class with required settings is given them as
    `options`, or as an instance.

    Of every plugin: it is offered under its type by a hook in its own module; settings are frozen,
    documented and have a JSON Schema; unknown settings are refused; its secrets are not shown;
    `stop` is safe without `start` and twice; sources, formats and checks can be sent to another
    process; importing it loads no SDK. Then what holds for its kind.
    """
    type_ = plugin if isinstance(plugin, type) else type(plugin)
    kind = next((kind for kind, base in BASES.items() if issubclass(type_, base)), "")
    assert kind, (
        f"{type_.__name__} is none of {', '.join(base.__name__ for base in BASES.values())}"
    )
    assert not inspect.isabstract(type_), (
        f"{type_.__name__} lacks {', '.join(sorted(type_.__abstractmethods__))}"
    )
    made = type_(**options) if isinstance(plugin, type) else plugin
    _assert_named(type_)
    _assert_settings(type_, made)
    _assert_offered(kind, type_)
    _assert_stops(made)
    if kind in ("source", "format", "check"):
        assert pickle.loads(pickle.dumps(made)) == made, (
            f"{type_.type}: what is unpickled is another one"
        )
    _assert_light(type_)
    if isinstance(made, Check):
        assert_check(made)
    elif isinstance(made, Format):
        assert_format(made)
    elif isinstance(made, Sink):
        assert_sink(made)
    elif isinstance(made, Action):
        assert_action(made)


def _assert_named(type_: type[Plugin]) -> None:
    assert isinstance(getattr(type_, "type", None), str), (
        f'{type_.__name__} has no name: add `type = "..."`'
    )
    assert re.fullmatch(r"[a-z][a-z0-9_-]*", type_.type), (
        f"'{type_.type}': small letters, digits, _ and - only"
    )
    about = type_.__doc__ or ""
    assert about.strip(), f"{type_.type}: needs a docstring; users read it in the reference"


def _assert_settings(type_: type[Plugin], made: Plugin) -> None:
    for name, field in type_.model_fields.items():
        assert field.description, (
            f"{type_.type}.{name}: needs a sentence under it; users read it in the reference"
        )
    schema = type_.model_json_schema()
    assert schema["additionalProperties"] is False, (
        f"{type_.type}: takes settings that it doesn't know"
    )
    for name in type_.model_fields:
        try:
            setattr(made, name, getattr(made, name))
        except ValidationError:
            continue
        raise AssertionError(f"{type_.type}.{name} can be changed; settings are frozen")
    shown = repr(made) + made.model_dump_json()
    for name, value in made:
        secret = getattr(value, "_value", None)
        assert not secret or str(secret) not in shown, f"{type_.type}.{name}: the secret is shown"


def _assert_offered(kind: str, type_: type[Plugin]) -> None:
    module = sys.modules[type_.__module__]
    hook = getattr(module, f"register_{kind}s", None)
    assert getattr(hook, "driftline_impl", None) is not None, (
        f"{type_.type}: its module needs a function register_{kind}s marked with @hookimpl"
    )
    assert hook is not None
    assert type_ in list(hook()), f"{type_.type}: register_{kind}s doesn't offer it"


def _assert_stops(made: Plugin) -> None:
    fresh = made.model_copy()
    fresh.stop()
    fresh.stop()
    rights = fresh.permissions()
    assert all(isinstance(right, str) for right in rights), f"{made.type}: permissions are texts"


def _assert_light(type_: type[Plugin]) -> None:
    module = type_.__module__
    file = getattr(sys.modules[module], "__file__", None) or ""
    code = _PROBE.format(path=sys.path, file=file, module=module, sdks=SDKS)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{type_.type}: can't be imported alone:\n{done.stderr}"
    loaded = done.stdout.split()
    assert not loaded, (
        f"{type_.type}: importing it loads {', '.join(loaded)}; import that in start()"
    )
