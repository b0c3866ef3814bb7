"""Support for the tests of plugins: windows from lists, fakes of the host, contract assertions."""

from driftline.testing.collector_contract import assert_collector_contract
from driftline.testing.decode import decode
from driftline.testing.fakes import (
    FakeAnswer,
    FakeClock,
    FakeHttp,
    FakeLog,
    Post,
    notification,
    order,
    start_context,
)
from driftline.testing.plugin_contract import assert_plugin_contract
from driftline.testing.windows import context, schema_of, window

__all__ = [
    "FakeAnswer",
    "FakeClock",
    "FakeHttp",
    "FakeLog",
    "Post",
    "assert_collector_contract",
    "assert_plugin_contract",
    "context",
    "decode",
    "notification",
    "order",
    "schema_of",
    "start_context",
    "window",
]
