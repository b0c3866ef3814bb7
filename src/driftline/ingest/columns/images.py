"""Pictures as columns: their size, light, colours and sharpness.

Refuses to recognise anything, to decode what would fill the memory, and to run without Pillow.
"""

from __future__ import annotations

import base64
import binascii
from io import BytesIO

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline.types.errors import SourceError
from driftline.types.model import DERIVED, Kind

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
PIXELS = 50_000_000
"""Larger pictures are not decoded."""
SIDE = 512
"""Light and sharpness are taken of the picture reduced to fit into a square of so many pixels."""
NAMES = tuple(DERIVED[Kind.IMAGE])
KEYS = ("b64", "bytes", "data")
"""Under which a picture stands in an object of its own."""


def derive_image_columns(pictures: pa.Array) -> tuple[dict[str, pa.Array], NDArray[np.bool_]]:
    """The columns that stand for `pictures` (binary, or base64, data URLs, or JSON with one of
    these), and which are none.

    `brightness`, `contrast` (the standard deviation of the light) and the means of the colours are
    in 0 to 1, `blur` is the variance of the Laplacian of the light in 0 to 255: the less, the more
    blurred. Raises SourceError without Pillow.
    """
    rows: list[tuple[float, ...] | None] = []
    wrong = np.zeros(len(pictures), bool)
    for place, scalar in enumerate(pictures):
        picture = scalar.as_py()
        data = _bytes(picture) if isinstance(picture, str) else picture
        found = _measured(data) if data else None
        wrong[place] = picture is not None and picture not in ("", b"") and found is None
        rows.append(found)
    columns = [[None if row is None else row[place] for row in rows] for place in range(len(NAMES))]
    return {
        name: pa.array(column, pa.float64()) for name, column in zip(NAMES, columns, strict=True)
    }, wrong


def _bytes(text: str) -> bytes | None:
    if text.startswith("{"):
        try:
            told = msgspec.json.decode(text, type=dict[str, str])
        except msgspec.MsgspecError:
            return None
        text = next((told[key] for key in KEYS if key in told), "")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _measured(data: bytes) -> tuple[float, ...] | None:
    """What NAMES says of one picture; None for what can't be decoded."""
    try:
        from PIL import Image
    except ImportError:
        raise SourceError("a column of images needs `pip install 'driftline[image]'`") from None
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > PIXELS:
                return None
            deep = picture.mode.startswith("I")  # 16 bits of grey, which Pillow would cut to 8
            if not deep:
                picture.draft("RGB", (SIDE, SIDE))
            small = picture.convert("I") if deep else picture.convert("RGB")
            small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
            pixels = np.asarray(small, np.float64) / (65535 if deep else 255)
    except Exception:  # hostile bytes make decoders raise anything
        return None
    colours = np.repeat(pixels[:, :, None], 3, axis=2) if deep else pixels
    light = colours @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    means = colours.mean(axis=(0, 1)).tolist()
    return (
        width,
        height,
        width / height,
        float(light.mean()),
        float(light.std()),
        _sharpness(light),
        *means,
        len(data),
    )


def _sharpness(light: NDArray[np.float64]) -> float:
    """Variance of the Laplacian inside the borders (Pech-Pacheco et al. 2000); 0 where there is no
    inside.
    """
    if min(light.shape) < 3:
        return 0.0
    inside = light[1:-1, 1:-1]
    edges = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:] - 4 * inside
    return float(np.var(edges * 255))
