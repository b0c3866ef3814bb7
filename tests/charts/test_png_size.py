"""A smaller PNG is the same picture."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from driftline.charts.png_size import compress_png


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_the_pixels_stay_and_the_file_shrinks(mode):
    """Pictures of several parts and kinds of pixels."""
    rng = random.Random(1)
    size = (400, 300)
    picture = Image.new("RGB", size, "white")
    for _ in range(3_000):
        picture.putpixel((rng.randrange(400), rng.randrange(300)), (rng.randrange(256), 0, 0))
    file = io.BytesIO()
    picture.convert(mode).save(file, "PNG", compress_level=0)
    small = compress_png(file.getvalue())
    assert len(small) < len(file.getvalue()) / 4
    opened = Image.open(io.BytesIO(small))
    assert opened.mode == mode
    assert opened.tobytes() == picture.convert(mode).tobytes()


def test_what_is_no_png_is_an_error():
    """It is not taken for an empty picture."""
    with pytest.raises(ValueError, match="no PNG"):
        compress_png(b"<svg/>")
