"""Files that hold a secret: regular, short, and read without waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driftline.config import load_config
from driftline.types.errors import ConfigError
from driftline.types.secret import LARGEST_SECRET, read_secret


def test_a_regular_file_is_read_without_its_last_line_break(tmp_path: Path) -> None:
    """As editors and Kubernetes write it."""
    (tmp_path / "key").write_text("s3cret\n")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    assert read_secret("file", str(tmp_path / "key")) == "s3cret"
    assert read_secret("file", str(tmp_path / "link")) == "s3cret"


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("pipe", "it is no regular file"),
        ("device", "it is no regular file"),
        ("folder", "directory|regular"),
        ("large", "more than 64,000 bytes"),
        ("binary", "not text in UTF-8"),
        ("missing", "No such file"),
    ],
)
def test_files_of_odd_kinds_are_named_mistakes(tmp_path: Path, kind: str, sentence: str) -> None:
    """None of them stops the agent."""
    path = tmp_path / "key"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"x" * (LARGEST_SECRET + 1))
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe")
    config = tmp_path / "driftline.yaml"
    config.write_text(
        f"version: 1\nagent: {{token: '${{file:{path}}}'}}\n"
        "models: {m: {source: {type: local, options: {path: logs}}}}\n"
    )
    with pytest.raises(ConfigError, match=sentence):
        load_config(config, secrets=read_secret)
