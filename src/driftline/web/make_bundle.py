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


def main() -> None:
    """Write the bundle."""
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;", vl_version=LANGUAGE)
    notice = NOTICE.format(
        language=LANGUAGE,
        vega=vl_convert.get_vega_version(),
        embed=vl_convert.get_vega_embed_version(),
    )
    path = Path(__file__).parent / "static" / "vega.js"
    # Within a function its names are not those of the page.
    path.write_text(f"{notice}(()=>{{{bundle}}})();\n", encoding="utf-8")


if __name__ == "__main__":
    main()
