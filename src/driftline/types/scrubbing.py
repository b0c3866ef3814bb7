"""Takes secrets out of texts that others wrote: answers of receivers, errors of libraries.

A receiver may echo a request in whole, in parts, in Base64 or with percent signs. So each secret is
searched in these forms, and eight characters of one in a row are taken out as well.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus, urlsplit

from pydantic import BaseModel

from driftline.types.secret import Secret

PART = 8
"""Characters of a secret in a row that are taken out."""
SHORTEST = 3
"""Characters of the shortest secret that is searched: fewer stand in every text."""
MASK = "***"
"""Stands in the place of a password that is no reference."""
_PASSWORD = re.compile(r"(://[^/\s:@]*:)([^/\s@]+)@")


class Scrubber:
    """Takes the secrets of some settings out of texts."""

    def __init__(self, *settings: object) -> None:
        """`settings` are models, mappings or lists with secrets, or with passwords in URLs."""
        found = [value for setting in settings for value in _find_secrets(setting)]
        self._secrets = [value for value in found if isinstance(value, Secret)]
        self._passwords = tuple({value for value in found if isinstance(value, str)})

    def scrub(self, text: str) -> str:
        """Return the text with the reference of each secret, such as `${env:X}`, in its place."""
        known = [(password, MASK) for password in self._passwords]
        for secret in self._secrets:
            try:
                known.append((secret.reveal(), secret.reference))
            except RuntimeError:
                continue
        return _take_out(text, *_combine(tuple(known))) if known else text


def mask_passwords(text: str) -> str:
    """Return the text with `***` in the place of each password in a URL."""
    return _PASSWORD.sub(rf"\1{MASK}@", text)


def find_password(text: str) -> str:
    """Return the password in a URL; empty where there is none, or a reference stands there."""
    match = _PASSWORD.search(text)
    return "" if match is None or "${" in match[2] else match[2]


def _find_secrets(value: object) -> Iterator[Secret | str]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, str):
        match = _PASSWORD.search(value)
        if match is not None:
            yield match[2]
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _find_secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _find_secrets(part)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from _find_secrets(part)


@lru_cache(maxsize=64)
def _combine(
    known: tuple[tuple[str, str], ...],
) -> tuple[tuple[tuple[str, str], ...], Mapping[str, str]]:
    """Return whole values, longest first, and parts, each with what stands in its place."""
    whole: dict[str, str] = {}
    parts: dict[str, str] = {}
    for value, reference in known:
        if len(value) < SHORTEST:
            continue
        whole.setdefault(value, reference)
        for piece in _hidden_pieces(value):
            for form in _forms(piece):
                if len(form) < PART:
                    whole.setdefault(form, reference)
                for start in range(len(form) - PART + 1):
                    parts.setdefault(form[start : start + PART], reference)
            # Three bytes of this form are a part of many texts.
            whole.setdefault("".join(f"%{byte:02X}" for byte in piece.encode()), reference)
            whole.setdefault("".join(f"%{byte:02x}" for byte in piece.encode()), reference)
    return tuple(sorted(whole.items(), key=lambda pair: -len(pair[0]))), parts


def _hidden_pieces(value: str) -> list[str]:
    """The parts of a secret that nobody else knows: of an address, all but scheme and host."""
    if not re.match(r"[a-z][a-z0-9+.-]*://", value):
        return [value]
    try:
        url = urlsplit(value)
        place = url.netloc.rpartition("@")[0]
    except ValueError:
        return [value]
    path = url.path.lstrip("/") + (f"?{url.query}" if url.query else "")
    pieces = [path, *path.split("/"), place, *place.split(":")]
    return [piece for piece in dict.fromkeys(pieces) if len(piece) >= SHORTEST + 1]


def _forms(value: str) -> set[str]:
    """The value as it is, as it stands in an address or in JSON, and in Base64 within any text."""
    encoded = set(_base64_forms(value))
    forms = {value, quote(value, safe=""), quote(value), quote_plus(value), *encoded}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    # A header such as `Basic ...` is Base64 already, and may be encoded once more.
    forms |= {twice for once in encoded for twice in _base64_forms(once)}
    return forms | {form.replace("%2F", "%2f").replace("%3A", "%3a") for form in forms}


def _base64_forms(value: str) -> Iterator[str]:
    """The characters of Base64 that depend on the value alone, whatever stands around it."""
    data = value.encode("utf-8", "surrogatepass")
    for before in range(3):
        first = (before * 8 + 5) // 6
        last = (before + len(data)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(b"\0" * before + data).decode()[first:last]


def _take_out(text: str, whole: Iterable[tuple[str, str]], parts: Mapping[str, str]) -> str:
    for value, reference in whole:
        if value in text:
            text = text.replace(value, reference)
    pieces, done, place, most = [], 0, 0, len(text) - PART
    while place <= most:
        reference = parts.get(text[place : place + PART], "")
        if not reference:
            place += 1
            continue
        end = place + PART
        while end < len(text) and text[end - PART + 1 : end + 1] in parts:
            end += 1
        pieces += [text[done:place], reference]
        done = place = end
    return text if not done else "".join([*pieces, text[done:]])
