"""The file: whole lines that the disk has, read by their owner only, put aside by size, and not
written twice.
"""

import errno
import os
import stat
from pathlib import Path

import pytest
from cases import START, lives
from driftline_plugins.sinks.file import File

from driftline import Notification, Retryable, StartContext
from driftline.testing import FakeLog, assert_plugin_contract

GOLDEN = Path(__file__).parent / "golden"
LIVES = lives()


def started(folder, **options) -> File:
    sink = File(path="told.jsonl", **options)
    sink.start(StartContext(name="file", log=FakeLog(), clock=lambda: START, config_folder=folder))
    return sink


def told(path) -> list[Notification]:
    return [Notification.model_validate_json(line) for line in path.read_bytes().splitlines()]


def test_every_message_is_a_line_of_the_published_schema(tmp_path):
    """What is read back is what was told, hostile names included; nobody else may read it."""
    sink = started(tmp_path)
    for notification in LIVES.values():
        assert sink.send(notification) == notification.id
    path = tmp_path / "told.jsonl"
    assert told(path) == list(LIVES.values())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("case", LIVES)
def test_every_line_reads_as_stored(tmp_path, case):
    """Byte for byte."""
    started(tmp_path).send(LIVES[case])
    written, path = (
        (tmp_path / "told.jsonl").read_text(encoding="utf-8"),
        GOLDEN / f"file_{case}.jsonl",
    )
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(written, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == written


def test_it_is_on_the_disk_before_it_is_sent(tmp_path, monkeypatch):
    """`send` comes back after the disk has said so; when it does not, no part of the line stays."""
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(file), real(file)))
    sink = started(tmp_path)
    sink.send(LIVES["opened"])
    assert len(synced) == 1

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Retryable, match="No space left"):
        sink.send(LIVES["resolved"])
    assert told(tmp_path / "told.jsonl") == [LIVES["opened"]]


def test_half_a_line_of_a_crash(tmp_path):
    """It spoils no line after it, and does not pass for a message that is there."""
    sink = started(tmp_path)
    path = tmp_path / "told.jsonl"
    whole = LIVES["opened"].model_dump_json()
    path.write_text(whole[:-5])
    assert sink.find_delivered(LIVES["opened"], START) is None
    sink.send(LIVES["opened"])
    assert path.read_text().splitlines() == [whole[:-5], whole]


def test_it_looks_before_it_repeats(tmp_path):
    """A line that is there, also in the file put aside last, is not written again."""
    sink = started(tmp_path)
    assert sink.find_delivered(LIVES["opened"], START) is None
    sink.send(LIVES["opened"])
    assert sink.find_delivered(LIVES["opened"], START) == LIVES["opened"].id
    (tmp_path / "told.jsonl").rename(tmp_path / "told.jsonl.1")
    assert sink.find_delivered(LIVES["opened"], START) == LIVES["opened"].id
    assert sink.find_delivered(LIVES["resolved"], START) is None


def test_files_are_put_aside_by_size(tmp_path):
    """No file is larger than asked, no line is lost, and the oldest are dropped."""
    sink = started(tmp_path, max_size="0.02MB", keep=3)
    sent = [LIVES["several"].model_copy(update={"id": f"ntf_{number}"}) for number in range(100)]
    for notification in sent:
        sink.send(notification)
    names = ["told.jsonl.3", "told.jsonl.2", "told.jsonl.1", "told.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert all((tmp_path / name).stat().st_size <= 20_000 for name in names)
    kept = [one for name in names for one in told(tmp_path / name)]
    assert kept == sent[-len(kept) :]


def test_a_folder_that_is_not_there(tmp_path):
    """It waits until somebody has made it."""
    with pytest.raises(Retryable, match="No such file"):
        started(tmp_path / "none").send(LIVES["opened"])


def test_it_keeps_the_contract(tmp_path):
    """What is asked of every plugin."""
    assert_plugin_contract(File, path=str(tmp_path / "told.jsonl"))


def test_it_does_not_write_through_a_link(tmp_path):
    """A link in place of the file is named, and what it leads to stays as it is."""
    (tmp_path / "other").write_text("mine")
    (tmp_path / "told.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(Retryable, match="symbolic link"):
        started(tmp_path).send(LIVES["opened"])
    assert (tmp_path / "other").read_text() == "mine"
