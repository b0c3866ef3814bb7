"""A leader that was deposed between taking a message from the outbox and sending it."""

from __future__ import annotations

from random import Random

import pytest
from driftline_plugins.sinks.slack import Slack
from messages import NOW, tell
from receivers import SlackReceiver
from test_delivery_whole import Quiet

from driftline import Secret, StartContext
from driftline.delivery.network.http import HttpClient
from driftline.delivery.rendering.renderer import Renderer
from driftline.delivery.worker import SinkWorker
from driftline.state import leadership, outbox
from driftline.state.factory import open_store
from driftline.types.errors import StateError


def test_nothing_is_sent_by_a_leader_that_was_deposed(postgres, monkeypatch):
    """It asks once more when it is connected to the receiver; the next leader sends the message,
    once.
    """
    monkeypatch.setattr(leadership, "BEAT", 1000.0)
    monkeypatch.setattr(leadership, "SILENCE", 0.0)
    url = postgres.database("deposed")
    with SlackReceiver() as receiver:
        first = open_store(url)
        tell(first, "a", "opened")
        made = []

        def worker(store, permit):
            sink = Slack(webhook_url=Secret("${env:A}", receiver.url))
            sink.start(
                StartContext(
                    name="chat",
                    log=Quiet(),
                    clock=lambda: NOW,
                    http=HttpClient(lambda: NOW, allow_private=True, permit=permit),
                    render=Renderer(),
                )
            )
            return SinkWorker(name="chat", sink=sink, store=store, clock=lambda: NOW, rng=Random(3))

        def deposed_now() -> None:
            made.append(open_store(url))
            first.confirm()

        with pytest.raises(StateError):
            worker(first, deposed_now).deliver_due(NOW)
        assert receiver.requests == []
        [second] = made
        with second.write() as connection:
            outbox.recover_unfinished(connection, NOW)
        assert worker(second, second.confirm).deliver_due(NOW) == 1
        assert [request.status for request in receiver.requests] == [200]
        first.close()
        second.close()
