"""Who may come in: the bearers of a token, or browsers that give it as the password of any user.

Refuses to tell how much of a wrong token was right.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.responses import PlainTextResponse, Response


def bears(header: str, token: str) -> bool:
    """Whether an `Authorization` header has the token."""
    scheme, _, text = header.partition(" ")
    given = text.encode("latin-1")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given, token.encode())


def challenge() -> Response:
    """What a browser answers by asking for a password."""
    return PlainTextResponse(
        "This needs the token: as a bearer token, or as the password of any user.\n",
        401,
        headers={"WWW-Authenticate": 'Basic realm="driftline", charset="UTF-8"'},
    )
