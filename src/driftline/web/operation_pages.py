"""The pages of the agent's work: what was read of a model, health, and the configuration."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from driftline.agent.operation_views import OperationViews
from driftline.types.errors import DriftlineError
from driftline.types.phrasing import clean
from driftline.web.access import Access, answer_with_views, deny_reading
from driftline.web.pages import render_message, render_page, render_standby
from driftline.web.query import read_number
from driftline.web.status import StatusSource


def operation_routes(agent: StatusSource, access: Access) -> list[Route]:
    """The pages of runs, health and configuration, for those who may see incidents."""

    def show_runs(request: Request, views: OperationViews) -> Response:
        name, page = request.path_params["model"], read_number(request, "page", 1, most=100_000)
        only_troubled = request.query_params.get("only", "") == "trouble"
        view = views.runs(name, only_troubled=only_troubled, page=page)
        if view is None:
            return render_message("No such model", f"There is no model {clean(name, 100)}.", 404)

        def address(number: int) -> str:
            only = {"only": "trouble"} if only_troubled else {}
            return "?" + urlencode({"page": number} | only)

        return render_page(
            "runs",
            title=f"runs of {name}",
            view=view,
            only_troubled=only_troubled,
            newer=address(page - 1) if page > 1 else "",
            older=address(page + 1) if view.has_more else "",
            configurations=[(item, json.loads(item.plugins)) for item in view.configurations],
        )

    def show_health(request: Request, views: OperationViews | None) -> Response:
        ready, loops = agent.ready()
        view, problem = None, ""
        try:
            view = None if views is None else views.health()
        except Exception as error:
            # Loops are known without the state: a page of health has to work in trouble.
            problem = f"The state can't be read: {clean(str(error), 300)}"
        return render_page(
            "health",
            200 if ready and not problem else 503,
            ready=ready,
            loops=loops,
            is_standby=agent.is_standby,
            leader=agent.leader,
            view=view,
            problem=problem,
        )

    def show_configuration(request: Request, views: OperationViews) -> Response:
        query = request.query_params.get("q", "")
        try:
            settings: list[Any] = list(views.settings())
        except DriftlineError as error:
            return render_message(
                "The configuration can't be read",
                f"{error}. The agent works on with the configuration that it has read before.",
                503,
            )
        only_set = request.query_params.get("only", "") == "set"
        return render_page(
            "configuration",
            query=query,
            only_set=only_set,
            total=len(settings),
            settings=[
                (setting, json.dumps(setting.value, ensure_ascii=False))
                for setting in settings
                if query.lower() in setting.name.lower()
                and not (only_set and setting.origin == "default")
            ],
        )

    def with_views(
        answer: Callable[[Request, OperationViews], Response],
    ) -> Callable[[Request], Response]:
        return answer_with_views(
            access, lambda: agent.operation_views, answer, standby=render_standby
        )

    def answer_health(request: Request) -> Response:
        if not access.can_see_incidents(request):
            return deny_reading(access)
        return show_health(request, agent.operation_views)

    return [
        Route("/m/{model}/runs", with_views(show_runs)),
        Route("/health", answer_health),
        Route("/configuration", with_views(show_configuration)),
    ]
