"""Files: found whatever they are called, read exactly as they were listed."""

from __future__ import annotations

import io
import os
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from driftline_plugins.sources.local import Local

from driftline import DiscoverContext, ObjectChanged, ObjectGone, SourceError

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def found(path, skipped=None, **settings):
    ctx = DiscoverContext(
        now=NOW,
        skipped=lambda uri, why: skipped.append((uri, why)) if skipped is not None else None,
    )
    return list(Local(path=str(path), **settings).discover(ctx))


def names(objects):
    return [obj.uri.rpartition("/")[2] for obj in objects]


NAMES = [
    "a b.jsonl",
    "100%.jsonl",
    "%41.jsonl",
    "x\ny.jsonl",
    "🙂.jsonl",
    "a#b?c=d.jsonl",
    "[x].csv",
    "é.csv",
    b"\xff\xfe.csv",
]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names(tmp_path, name):
    """Any name the file system allows makes a URI of plain ASCII that leads back to the same
    file.
    """
    path = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
    with open(path, "wb") as file:
        file.write(b"content")
    [obj] = found(tmp_path)
    assert obj.uri.isascii()
    assert obj.uri.isprintable()
    assert Local(path=str(tmp_path)).open(obj).read() == b"content"
    if isinstance(name, str):
        assert found(tmp_path / name) == [obj]


def test_a_folder_a_file_and_globs(tmp_path):
    """A folder is read with all folders in it, a glob as it says, in the order of names."""
    for name in ("b.csv", "a.csv", "x/c.csv", "x/y/d.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert names(found(tmp_path)) == ["a.csv", "b.csv", "c.csv", "d.jsonl"]
    assert names(found(tmp_path / "*.csv")) == ["a.csv", "b.csv"]
    assert names(found(tmp_path / "**" / "*.csv")) == ["a.csv", "b.csv", "c.csv"]
    assert names(found(tmp_path / "**")) == ["a.csv", "b.csv", "c.csv", "d.jsonl"]
    assert names(found(tmp_path / "x" / "y" / "d.jsonl")) == ["d.jsonl"]
    assert found(tmp_path / "*.parquet") == []


def test_what_is_no_data_is_left_out_and_told(tmp_path):
    """Markers, hidden files, checksums, temporary files and folders, and pipes are skipped with a
    reason, never in silence.
    """
    for name in (
        "ok.csv",
        "_SUCCESS",
        ".hidden",
        ".a.csv.crc",
        "b.crc",
        "c.tmp",
        "_temporary/0/part.csv",
        ".git/x.csv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    os.mkfifo(tmp_path / "pipe.csv")
    skipped = []
    assert names(found(tmp_path, skipped)) == ["ok.csv"]
    assert sorted(uri.rpartition("/")[2] for uri, _ in skipped) == [
        ".a.csv.crc", ".git", ".hidden", "_SUCCESS", "_temporary", "b.crc", "c.tmp", "pipe.csv",
    ]  # fmt: skip
    assert all(why for _, why in skipped)
    assert names(found(tmp_path / "**" / "*.csv")) == ["ok.csv"]


def test_a_missing_place_is_an_error(tmp_path):
    """A path that leads nowhere is told; a glob without a match is not."""
    with pytest.raises(SourceError, match="no such file or folder"):
        found(tmp_path / "nope")


def test_only_what_was_listed_is_read(tmp_path):
    """A file that grew gives the listed bytes and no more, from any start."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"one\ntwo\n")
    [obj] = found(path)
    assert obj.grows
    with path.open("ab") as file:
        file.write(b"three\n")
    source = Local(path=str(path))
    assert source.open(obj).read() == b"one\ntwo\n"
    assert source.open(obj, 4).read() == b"two\n"
    assert source.open(obj, 8).read() == b""
    [grown] = found(path)
    assert grown.version != obj.version
    assert source.open(grown, obj.size).read() == b"three\n"


def test_other_content_is_another_version(tmp_path):
    """A file that shrank, was rewritten or replaced is not read as the one that was listed."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"one\ntwo\n")
    os.utime(path, ns=(1, 1))
    [obj] = found(path)
    source = Local(path=str(path))
    path.write_bytes(b"one\n")
    with pytest.raises(ObjectChanged):
        source.open(obj)
    path.write_bytes(b"ONE\nTWO\n")
    with pytest.raises(ObjectChanged):
        source.open(obj)
    other = tmp_path / "other"
    other.write_bytes(b"a larger one that took its place\n")
    os.replace(other, path)
    with pytest.raises(ObjectChanged):
        source.open(obj)
    path.unlink()
    with pytest.raises(ObjectGone):
        source.open(obj)


def test_what_is_written_once_does_not_grow(tmp_path):
    """Parquet and packed files, and all files where `grows` is off, must be exactly what was
    listed.
    """
    for name, settings in (
        ("a.parquet", {}),
        ("a.jsonl.gz", {}),
        ("a.CSV.ZST", {}),
        ("a.jsonl", {"grows": False}),
    ):
        path = tmp_path / name
        path.write_bytes(b"1")
        [obj] = found(path, **settings)
        assert not obj.grows
        path.write_bytes(b"12")
        with pytest.raises(ObjectChanged):
            Local(path=str(path), **settings).open(obj)


def test_streams_seek_within_their_bounds(tmp_path):
    """Positions count from where reading began, and the end is the listed end."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"0123456789")
    [obj] = found(path)
    with path.open("ab") as file:
        file.write(b"beyond")
    stream = Local(path=str(path)).open(obj, 2)
    assert stream.seekable()
    assert stream.seek(0, io.SEEK_END) == 8
    assert stream.seek(-3, io.SEEK_END) == 5
    assert stream.read() == b"789"
    assert stream.seek(0) == 0
    assert stream.read(3) == b"234"
    assert stream.tell() == 3


def test_it_says_what_it_sees_and_travels(tmp_path):
    """The probe counts files; a copy on another machine is equal and needs no start."""
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "_SUCCESS").write_text("")
    source = Local(path=str(tmp_path))
    assert source.probe() == f"1 files under {tmp_path}, 1 left out"
    assert pickle.loads(pickle.dumps(source)) == source


def test_relative_paths_start_where_the_agent_does(tmp_path, monkeypatch):
    """URIs are absolute all the same."""
    (tmp_path / "a.csv").write_text("x")
    monkeypatch.chdir(tmp_path)
    assert found("a.csv") == found(tmp_path / "a.csv")


def test_a_layout_of_one_folder_for_each_minute(tmp_path):
    """Folders and files whose names hold more than the hour are found by their beginning."""
    for name in (
        "20240430-2359/a.csv",
        "20240430-2210/b.csv",
        "20240401-0000/c.csv",
        "20240430-23.csv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    source = Local(path=str(tmp_path), layout="%Y%m%d-%H%M/")
    since = DiscoverContext(now=NOW, since=NOW - timedelta(minutes=90))
    assert sorted(names(source.discover(since))) == ["20240430-23.csv", "a.csv", "b.csv"]
    assert len(names(source.discover(DiscoverContext(now=NOW)))) == 4


def test_a_folder_without_the_layouts_next_part_is_passed_over(tmp_path):
    """A stranger beside the folders of a layout hides nothing and stops nothing, also when only the
    newest are listed.
    """
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    for folder in ("eu/logs/ep/2026/05/01", "tmp/other"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.jsonl").write_text("{}\n")
    source = Local(path=str(tmp_path), layout="{region}/logs/{ep}/%Y/%m/%d/")
    listed = list(source.discover(DiscoverContext(now=now, since=now - timedelta(hours=1))))
    assert [obj.parts for obj in listed] == [{"region": "eu", "ep": "ep"}]
