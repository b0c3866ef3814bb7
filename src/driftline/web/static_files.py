"""The scripts of the pages: files of the package, under addresses that change with their content.

They are open to all, and browsers keep them for good: another content has another address.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

SCRIPTS = ("vega.js", "htmx.js", "pages.js")
"""In the order in which they run."""
FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One script."""

    address: str
    """Its name with a hash of its content."""
    content: bytes
    packed: bytes
    """The content, compressed with gzip."""


@cache
def load_scripts() -> dict[str, StaticFile]:
    """Load all scripts, by address, in the order in which they run."""
    scripts = {}
    for name in SCRIPTS:
        content = files("driftline.web").joinpath("static", name).read_bytes()
        stem, _, end = name.partition(".")
        address = f"{stem}-{sha256(content).hexdigest()[:16]}.{end}"
        scripts[address] = StaticFile(address, content, gzip.compress(content, 6, mtime=0))
    return scripts


def static_routes() -> list[Route]:
    """The addresses of the scripts."""

    def serve_script(request: Request) -> Response:
        script = load_scripts().get(request.path_params["name"])
        if script is None:
            return PlainTextResponse("there is no such file\n", 404)
        headers = {"Cache-Control": FOR_GOOD, "Vary": "Accept-Encoding"}
        content = script.content
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["Content-Encoding"] = script.packed, "gzip"
        return Response(content, media_type="text/javascript", headers=headers)

    return [Route("/static/{name}", serve_script)]
