"""Wrong tokens are slowed down and logged without their value."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from driftline import Secret
from driftline.testing import FakeLog
from driftline.web.wrong_tokens import MOST_WRONG, PERIOD, WrongTokens

TOKEN = Secret("${env:T}", "kX9wQ2vB7nR4tY6uPz")


class Scene:
    """An application behind the guard, with a clock that is turned by hand."""

    def __init__(self) -> None:
        self.now, self.log = datetime(2026, 5, 1, tzinfo=UTC), FakeLog()

        async def page(request: Request) -> Response:
            return PlainTextResponse("page")

        app = Starlette(routes=[Route("/", page)])
        app.add_middleware(WrongTokens, tokens=[TOKEN], clock=lambda: self.now, log=self.log)
        self.app = app

    def ask(self, token: str | None, address: str = "192.0.2.1") -> int:
        """The status of the answer to a request with the token."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}

        async def get() -> int:
            transport = httpx.ASGITransport(self.app, client=(address, 5000))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return (await client.get("/", headers=headers)).status_code

        return asyncio.run(get())


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_address_with_many_wrong_tokens_has_to_wait(scene: Scene) -> None:
    """For a minute its tokens are not compared, also the right one; others are not affected."""
    assert [scene.ask(f"guess-{number}") for number in range(MOST_WRONG)] == [200] * MOST_WRONG
    assert scene.ask("guess") == 429
    assert scene.ask(TOKEN.reveal()) == 429
    assert scene.ask(None) == 200
    assert scene.ask(TOKEN.reveal(), "192.0.2.2") == 200
    scene.now += PERIOD
    assert scene.ask(TOKEN.reveal()) == 200


def test_some_wrong_tokens_are_a_mistake(scene: Scene) -> None:
    """A program with an old token asks four times a minute and does not lock others out."""
    for _ in range(60):
        scene.ask("old-token")
        scene.now += timedelta(seconds=15)
        assert scene.ask(TOKEN.reveal()) == 200


def test_the_log_names_the_address_and_not_the_token(scene: Scene) -> None:
    """One line at the first, one when it has to wait."""
    for number in range(3 * MOST_WRONG):
        scene.ask(f"guess-{number}")
    text = repr(scene.log.__dict__)
    assert "192.0.2.1" in text
    assert "guess-" not in text
    assert text.count("a request had a wrong token") == 1
    assert text.count("has to wait") == 1
