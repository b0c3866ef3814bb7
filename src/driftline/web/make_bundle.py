"""Writes the file that draws charts in browsers: Vega-Lite, as `vl-convert` has it inside.

Pages and pictures then draw with the same versions. Run it after `vl-convert-python` changed:
`python -m driftline.web.make_bundle`.
"""

from __future__ import annotations

from pathlib import Path

from driftline.charts.picture import LANGUAGE

NOTICE = """/*! Vega-Lite {language}, Vega {vega}, vega-embed {embed} and their dependencies, as
vl-convert-python bundles them. Copyright 2015-2025 University of Washington Interactive Data Lab;
BSD 3-Clause. Parts are by Mike Bostock (d3), ISC licence. See NOTICE of driftline. */
"""


def make_bundle() -> str:
    """Return the bundle with its notice."""
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;", vl_version=LANGUAGE)
    notice = NOTICE.format(
        language=LANGUAGE,
        vega=vl_convert.get_vega_version(),
        embed=vl_convert.get_vega_embed_version(),
    )
    # Within a function its names are not those of the page.
    return f"{notice}(()=>{{{bundle}}})();\n"


def main() -> None:
    """Write the file."""
    path = Path(__file__).parent / "static" / "vega.js"
    path.write_text(make_bundle(), encoding="utf-8")


if __name__ == "__main__":
    main()
