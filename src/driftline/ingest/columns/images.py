"""Derives columns from images: their size, light, colours and sharpness.

Does not recognise anything in them, and does not decode images that would fill the memory. Needs
Pillow.
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
"""Larger images are not decoded."""
SIDE = 512
"""Light and sharpness are measured on the image reduced to fit a square of this side."""
NAMES = tuple(DERIVED[Kind.IMAGE])
KEYS = ("b64", "bytes", "data")
"""Keys of a JSON object that may hold an image."""


def derive_image_columns(images: pa.Array) -> tuple[dict[str, pa.Array], NDArray[np.bool_]]:
    """Columns (float64) of images, and the mask of values that are no images; all of shape (n,).

    `images` holds bytes, base64, data URLs, or JSON with one of these. `brightness`, `contrast`
    (the standard deviation of the light) and the means of the colours are in 0 to 1; `blur` is the
    variance of the Laplacian of the light in 0 to 255: the lower, the more blurred. Raises
    SourceError without Pillow.
    """
    rows: list[tuple[float, ...] | None] = []
    wrong = np.zeros(len(images), bool)
    for place, scalar in enumerate(images):
        value = scalar.as_py()
        data = _bytes(value) if isinstance(value, str) else value
        row = _measure(data) if data else None
        wrong[place] = value is not None and value not in ("", b"") and row is None
        rows.append(row)
    columns = [[None if row is None else row[place] for row in rows] for place in range(len(NAMES))]
    return {
        name: pa.array(column, pa.float64()) for name, column in zip(NAMES, columns, strict=True)
    }, wrong


def _bytes(text: str) -> bytes | None:
    if text.startswith("{"):
        try:
            document = msgspec.json.decode(text, type=dict[str, str])
        except msgspec.MsgspecError:
            return None
        text = next((document[key] for key in KEYS if key in document), "")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _measure(data: bytes) -> tuple[float, ...] | None:
    """The values of one image, in the order of NAMES; None when it can't be decoded."""
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
    """Variance of the Laplacian inside the borders (Pech-Pacheco et al. 2000); 0 without inside."""
    if min(light.shape) < 3:
        return 0.0
    inside = light[1:-1, 1:-1]
    edges = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:] - 4 * inside
    return float(np.var(edges * 255))
