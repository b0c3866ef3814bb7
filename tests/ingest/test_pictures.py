"""Columns made of images: real ones are measured, all else is invalid and harms nobody."""

import base64
import io
import sys

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from driftline.ingest.columns import images
from driftline.ingest.columns.derived import derive
from driftline.types.errors import SourceError
from driftline.types.model import Field, Kind

PART = Field("photo", "photo", Kind.IMAGE)
DRAW = np.random.default_rng(7)
PIXELS = DRAW.integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(pixels, form="PNG", **options):
    stream = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(
        stream, form, **options
    )
    return stream.getvalue()


def measured(*values):
    made, wrong = derive(PART, pa.array(values))
    rows = wrong.get("photo.width", np.zeros(len(values), bool)).tolist()
    return [
        {name.removeprefix("photo."): array[place].as_py() for name, array in made.items()}
        for place in range(len(values))
    ], rows


def laplacian_variance(light):
    """Sign by sign."""
    found = [
        light[y - 1][x] + light[y + 1][x] + light[y][x - 1] + light[y][x + 1] - 4 * light[y][x]
        for y in range(1, len(light) - 1)
        for x in range(1, len(light[0]) - 1)
    ]
    mean = sum(found) / len(found)
    return sum((value - mean) ** 2 for value in found) / len(found)


def test_a_png_is_measured_pixel_by_pixel():
    """Size, light, colours and sharpness are those of the pixels."""
    data = encoded(PIXELS)
    [found], wrong = measured(data)
    light = (PIXELS @ np.array([0.299, 0.587, 0.114])).tolist()
    flat = [value for row in light for value in row]
    assert wrong == [False]
    assert (found["width"], found["height"], found["aspect"], found["bytes"]) == (
        60,
        40,
        1.5,
        len(data),
    )
    assert found["brightness"] == pytest.approx(np.mean(flat) / 255)
    assert found["contrast"] == pytest.approx(np.std(flat) / 255)
    assert found["blur"] == pytest.approx(laplacian_variance(light))
    for place, colour in enumerate(("red", "green", "blue")):
        assert found[colour] == pytest.approx(PIXELS[:, :, place].mean() / 255)


def test_each_way_to_write_an_image_gives_the_same():
    """Bytes, base64 with line ends or without, a data URL and an object with base64 in it are one
    image.
    """
    data = encoded(PIXELS)
    text = base64.b64encode(data).decode()
    ways = (
        text,
        f"{text[:40]}\r\n{text[40:]}",
        f"data:image/png;base64,{text}",
        f'{{"b64": "{text}"}}',
    )
    [alone], _ = measured(data)
    found, wrong = measured(*ways)
    assert found == [alone] * len(ways)
    assert not any(wrong)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_usual_formats_are_read(form):
    """Other formats than PNG are measured too, as exactly as they keep pixels."""
    smooth = np.repeat(np.linspace(0, 255, 60, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(
        3, axis=2
    )
    [found], wrong = measured(encoded(smooth, form))
    assert wrong == [False]
    assert (found["width"], found["height"]) == (60, 40)
    assert found["brightness"] == pytest.approx(smooth.mean() / 255, abs=0.01)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_each_kind_of_pixels_has_its_light(mode):
    """A half-bright image has half the light, with a palette, with transparency, in 16 bits or
    one.
    """
    if mode == "I;16":
        picture = Image.fromarray(np.full((8, 8), 32768, np.uint16))
    else:
        picture = Image.new("RGB", (8, 8), (128, 128, 128)).convert(
            mode, dither=Image.Dither.NONE, palette=Image.Palette.ADAPTIVE
        )
    [found], wrong = measured(encoded(picture, "TIFF" if mode == "CMYK" else "PNG"))
    assert wrong == [False]
    assert found["brightness"] == pytest.approx(1 if mode == "1" else 0.5, abs=0.01)
    assert found["blur"] == pytest.approx(0)


def test_blurring_lowers_the_blur_and_noise_raises_it():
    """The number goes down when an image is blurred, and does not depend on how large the file
    is.
    """
    from PIL import ImageFilter

    sharp = Image.fromarray(PIXELS)
    (before, after), _ = measured(
        encoded(sharp), encoded(sharp.filter(ImageFilter.GaussianBlur(2)))
    )
    assert after["blur"] < before["blur"] / 20


def test_a_large_image_is_measured_reduced():
    """A photo of eight million pixels has its own size, and the light of the reduced one."""
    large = Image.fromarray(PIXELS).resize((4000, 2000), Image.Resampling.NEAREST)
    (jpeg, png), wrong = measured(encoded(large, "JPEG"), encoded(large))
    assert wrong == [False, False]
    assert (jpeg["width"], jpeg["height"], jpeg["aspect"]) == (4000, 2000, 2)
    assert jpeg["brightness"] == pytest.approx(PIXELS.mean() / 255, abs=0.02)
    assert png["brightness"] == pytest.approx(jpeg["brightness"], abs=0.01)


def test_what_is_no_image_is_invalid_and_what_is_missing_is_null():
    """Cut, damaged and foreign bytes are invalid and counted; null and empty ones are missing."""
    data = encoded(PIXELS, "JPEG")
    text = base64.b64encode(data).decode()
    bad = [
        data[:300],
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"%!PS-Adobe-3.0 EPSF-3.0",
        bytes(1000),
    ]
    found, wrong = measured(*bad, None, b"", data)
    assert wrong == [True] * len(bad) + [False] * 3
    assert [row["width"] for row in found] == [None] * (len(bad) + 2) + [60]
    _, wrong = measured(
        "no base64!", text[:-3], '{"b64": 5}', '{"other": "x"}', "{", "", None, text
    )
    assert wrong == [True] * 5 + [False] * 3
    for odd in (pa.array([1.5, None]), pa.array([["a"], None]), pa.array([True, None])):
        made, marked = derive(PART, odd)
        assert all(rows.tolist() == [True, False] for rows in marked.values())
        assert set(marked) == set(made) == set(PART.profile_columns)
    assert derive(PART, pa.nulls(2))[1] == {}


def test_a_bomb_is_not_unpacked(monkeypatch):
    """An image of more pixels than the bound is invalid, and none of it is decoded."""
    bomb = encoded(Image.new("L", (9000, 6000)))
    assert len(bomb) < 100_000
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("it was decoded"))
    assert measured(bomb)[1] == [True]


def test_without_pillow_the_extra_is_named(monkeypatch):
    """A schema with images says which extra it needs, as trouble of the source: the objects
    wait.
    """
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(SourceError, match=r"driftline\[image\]"):
        images.derive_image_columns(pa.array([b"x"]))
