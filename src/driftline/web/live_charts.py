"""Charts of a page: a picture that the server draws, and the specification for the browser.

Where scripts run, the browser draws the specification in the place of the picture.
"""

from __future__ import annotations

import json

from markupsafe import Markup

from driftline.charts.theme import PAGE, Specification, with_theme


def live_chart(picture: Markup, specification: Specification) -> Markup:
    """Return a picture with its specification as an attribute of its element."""
    if not picture.startswith("<svg"):
        return picture
    # Plain quotation marks are shorter than escaped ones: the attribute has single ones around it.
    text = (
        json.dumps(with_theme(specification, PAGE), separators=(",", ":"))
        .replace("&", "\\u0026")
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("'", "\\u0027")
    )
    return Markup(f"<div class=\"chart\" data-spec='{text}'>{picture}</div>")
