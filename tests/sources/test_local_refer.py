"""References to other files: what lies under the source's folder is read, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from driftline_plugins.sources.local import Local

from driftline import ObjectGone, Unreadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log folder with a neighbour that is none of its business."""
    (tmp_path / "log" / "out").mkdir(parents=True)
    (tmp_path / "log" / "a.jsonl").write_text("a")
    (tmp_path / "log" / "out" / "b c.csv").write_text("inside")
    (tmp_path / "log-secret").mkdir()
    (tmp_path / "log-secret" / "x").write_text("outside")
    (tmp_path / "secret").write_text("outside")
    return tmp_path / "log"


@pytest.mark.parametrize("path", [".", "a.jsonl", "*.jsonl", "out/../a.jsonl"])
def test_files_under_the_folder(folder, path):
    """By path from the folder, whichever way the source names it, and by address, also with percent
    signs.
    """
    source = Local(path=str(folder / path))
    for uri in (
        "out/b c.csv",
        "./out/b c.csv",
        "out/../out/b c.csv",
        f"file://{folder}/out/b%20c.csv",
    ):
        with source.open_reference(uri) as stream:
            assert stream.read() == b"inside"


@pytest.mark.parametrize(
    "uri", ["../secret", "out/../../secret", "/etc/passwd", "file:///etc/passwd", "file://{root}/secret", "file://{root}/log/%2e%2e/secret",
            "../log-secret/x", "s3://bucket/key", "https://127.0.0.1/x", "out\0/x"],
)  # fmt: skip
def test_what_lies_outside_is_refused(folder, uri):
    """Whatever the way out, it is Unreadable and not read."""
    with pytest.raises(Unreadable):
        Local(path=str(folder)).open_reference(uri.replace("{root}", str(folder.parent)))


def test_links_that_lead_out_are_refused(folder):
    """A link within is fine; a link to a file or through a folder outside is not."""
    (folder / "near").symlink_to("a.jsonl")
    (folder / "far").symlink_to("../secret")
    (folder / "door").symlink_to("../log-secret")
    source = Local(path=str(folder))
    assert source.open_reference("near").read() == b"a"
    for uri in ("far", "door/x"):
        with pytest.raises(Unreadable, match="outside"):
            source.open_reference(uri)


def test_what_is_no_file(folder):
    """A missing one is gone; a folder and a pipe are refused at once."""
    os.mkfifo(folder / "pipe")
    source = Local(path=str(folder))
    with pytest.raises(ObjectGone):
        source.open_reference("nowhere.csv")
    for uri in ("out", "pipe", "a.jsonl/x"):
        with pytest.raises(Unreadable):
            source.open_reference(uri)
