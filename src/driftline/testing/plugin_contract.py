"""The contract of plugins, as one assertion for the test of any plugin.

Does not test the purpose of a plugin: that is left to its own tests.
"""

from __future__ import annotations

import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import Sequence
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
from driftline.types.settings import field_descriptions

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
"""SDKs that are imported in `start` at the earliest: `driftline validate` must not need them."""
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


def assert_plugin_contract(
    plugin: type[Plugin] | Plugin, *, unmeasured: Sequence[str] = (), **options: Any
) -> None:
    """Assert all that the host relies on.

    `options` are the settings of a class. `unmeasured` are names of `default_rules` and `wordings`
    that a check yields on other windows than those of the contract. Every plugin is registered
    under its type by a hook in its own module; its settings are frozen, documented and have a JSON
    Schema; unknown settings are an error; its secrets are not shown; `stop` is safe without `start`
    and twice; sources, formats and checks can be sent to another process; importing it loads no
    SDK. After that, the contract of its kind is asserted.
    """
    type_ = plugin if isinstance(plugin, type) else type(plugin)
    kind = next((kind for kind, base in BASES.items() if issubclass(type_, base)), "")
    assert kind, (
        f"{type_.__name__} is none of {', '.join(base.__name__ for base in BASES.values())}"
    )
    assert not inspect.isabstract(type_), (
        f"{type_.__name__} lacks {', '.join(sorted(type_.__abstractmethods__))}"
    )
    instance = type_(**options) if isinstance(plugin, type) else plugin
    _assert_name(type_)
    _assert_settings(type_, instance)
    _assert_registered(kind, type_)
    _assert_stops(instance)
    if kind in ("source", "format", "check"):
        assert pickle.loads(pickle.dumps(instance)) == instance, (
            f"{type_.type}: what is unpickled is another one"
        )
    _assert_loads_no_sdk(type_)
    if isinstance(instance, Check):
        assert_check(instance, unmeasured)
    elif isinstance(instance, Format):
        assert_format(instance)
    elif isinstance(instance, Sink):
        assert_sink(instance)
    elif isinstance(instance, Action):
        assert_action(instance)


def _assert_name(type_: type[Plugin]) -> None:
    assert isinstance(getattr(type_, "type", None), str), (
        f'{type_.__name__} has no name: add `type = "..."`'
    )
    assert re.fullmatch(r"[a-z][a-z0-9_-]*", type_.type), (
        f"'{type_.type}': small letters, digits, _ and - only"
    )
    docstring = type_.__doc__ or ""
    assert docstring.strip(), f"{type_.type}: needs a docstring; users read it in the reference"


def _assert_settings(type_: type[Plugin], instance: Plugin) -> None:
    texts = field_descriptions(type_)
    for name in type_.model_fields:
        assert texts.get(name), (
            f"{type_.type}.{name}: needs a sentence under it; users read it in the reference"
        )
    schema = type_.model_json_schema()
    assert schema["additionalProperties"] is False, (
        f"{type_.type}: takes settings that it doesn't know"
    )
    for name in type_.model_fields:
        try:
            setattr(instance, name, getattr(instance, name))
        except ValidationError:
            continue
        raise AssertionError(f"{type_.type}.{name} can be changed; settings are frozen")
    output = repr(instance) + instance.model_dump_json()
    for name, value in instance:
        secret = getattr(value, "_value", None)
        assert not secret or str(secret) not in output, f"{type_.type}.{name}: the secret is shown"


def _assert_registered(kind: str, type_: type[Plugin]) -> None:
    module = sys.modules[type_.__module__]
    hook = getattr(module, f"register_{kind}s", None)
    assert getattr(hook, "driftline_impl", None) is not None, (
        f"{type_.type}: its module needs a function register_{kind}s marked with @hookimpl"
    )
    assert hook is not None
    assert type_ in list(hook()), f"{type_.type}: register_{kind}s doesn't offer it"


def _assert_stops(instance: Plugin) -> None:
    fresh = instance.model_copy()
    fresh.stop()
    fresh.stop()
    rights = fresh.permissions()
    assert all(isinstance(right, str) for right in rights), (
        f"{instance.type}: permissions are texts"
    )


def _assert_loads_no_sdk(type_: type[Plugin]) -> None:
    module = type_.__module__
    file = getattr(sys.modules[module], "__file__", None) or ""
    code = _PROBE.format(path=sys.path, file=file, module=module, sdks=SDKS)
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == 0, f"{type_.type}: can't be imported alone:\n{process.stderr}"
    sdks = process.stdout.split()
    assert not sdks, f"{type_.type}: importing it loads {', '.join(sdks)}; import that in start()"
