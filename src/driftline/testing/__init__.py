"""For the tests of plugins: windows from plain lists, fakes of what the host hands in, and the
contracts as assertions.
"""

from driftline.testing.collectors import assert_collector_contract
from driftline.testing.contract import assert_plugin_contract
from driftline.testing.decoded import decode
from driftline.testing.fakes import (
    FakeAnswer,
    FakeClock,
    FakeHttp,
    FakeLog,
    Post,
    fake_http,
    notification,
    order,
    start_context,
)
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
    "fake_http",
    "notification",
    "order",
    "schema_of",
    "start_context",
    "window",
]
