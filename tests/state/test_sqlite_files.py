"""The files of a SQLite state: a log that is missing, rights of others, and copies."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys

import pytest

from driftline.state import models
from driftline.state.backup import back_up
from driftline.state.factory import open_store
from driftline.types.errors import StateError, Unreachable

URL = "sqlite:///state.db"


def add(store, name: str) -> None:
    with store.write() as connection:
        models.add_model(connection, name, 0)


def names(path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM models ORDER BY name")]


def crash(folder) -> None:
    """Leave the state as an agent does that is killed after a commit."""
    program = (
        "import os, signal, pathlib, sys; from driftline.state.factory import open_store;"
        "from driftline.state import models;"
        f"store = open_store({URL!r}, base=pathlib.Path(sys.argv[1]));"
        "context = store.write(); connection = context.__enter__();"
        "models.add_model(connection, 'churn', 0); context.__exit__(None, None, None);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(folder)], check=False)
    assert ended.returncode == -signal.SIGKILL


def test_a_log_that_was_removed_after_a_crash_is_noticed(tmp_path):
    """The file without its log is not opened; with it, nothing is lost."""
    crash(tmp_path)
    log = tmp_path / "state.db-wal"
    log.rename(tmp_path / "aside")
    with pytest.raises(StateError, match=r"state\.db-wal is missing"):
        open_store(URL, base=tmp_path)
    (tmp_path / "aside").rename(log)
    open_store(URL, base=tmp_path).close()
    assert names(tmp_path / "state.db") == ["churn"]


def test_a_command_that_folds_the_log_after_a_crash_leaves_a_whole_file(tmp_path):
    """The last process that closes the database folds its log; the next agent starts."""
    crash(tmp_path)
    open_store(URL, base=tmp_path, readonly=True).close()
    assert not (tmp_path / "state.db-wal").exists()
    open_store(URL, base=tmp_path).close()
    assert names(tmp_path / "state.db") == ["churn"]


def test_a_file_that_was_copied_alone_is_noticed(tmp_path):
    """A copy of a running agent's file, without the log, is not opened; one with it is."""
    store = open_store(URL, base=tmp_path)
    add(store, "churn")
    for folder, files in (("alone", ["state.db"]), ("both", ["state.db", "state.db-wal"])):
        (tmp_path / folder).mkdir()
        for file in files:
            shutil.copy(tmp_path / file, tmp_path / folder / file)
    store.close()
    with pytest.raises(StateError, match="was in use when it was copied"):
        open_store(URL, base=tmp_path / "alone")
    open_store(URL, base=tmp_path / "both").close()
    assert names(tmp_path / "both" / "state.db") == ["churn"]


def test_an_empty_file_begins_anew_with_a_word(tmp_path):
    """What an interrupted copy leaves is no state."""
    (tmp_path / "state.db").touch(mode=0o600)
    words: list[str] = []
    open_store(URL, base=tmp_path, warn=words.append).close()
    assert [word for word in words if "is empty" in word]


def test_a_backup_of_a_running_agent_is_one_whole_file(tmp_path):
    """It has what is committed, is private, and an agent starts with it."""
    store = open_store(URL, base=tmp_path)
    add(store, "churn")
    copy = tmp_path / "copies" / "state.db"
    copy.parent.mkdir()
    assert back_up(URL, tmp_path, copy) == copy.stat().st_size
    add(store, "later")
    store.close()
    assert [file.name for file in copy.parent.iterdir()] == ["state.db"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    open_store(URL, base=copy.parent).close()
    assert names(copy) == ["churn"]


def test_a_backup_replaces_no_file(tmp_path):
    """A file that exists stays as it is."""
    open_store(URL, base=tmp_path).close()
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    with pytest.raises(StateError, match="exists"):
        back_up(URL, tmp_path, copy)
    assert copy.read_text() == "mine"


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_file_that_others_can_use_is_made_private(tmp_path, mode):
    """Group and others lose their rights, and a sentence says so."""
    open_store(URL, base=tmp_path).close()
    path, words = tmp_path / "state.db", list[str]()
    path.chmod(mode)
    open_store(URL, base=tmp_path, warn=words.append).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert words == [f"{path} had the mode {mode:04o}, so others could use it: it has 0600 now"]


def test_a_handle_is_not_used_after_the_file_was_replaced(tmp_path):
    """Writes to a file that nobody sees would be lost: they are refused, and the agent is told."""
    lost: list[str] = []
    store = open_store(URL, base=tmp_path, on_lost=lambda: lost.append("lost"))
    os.replace(shutil.copy(tmp_path / "state.db", tmp_path / "other"), tmp_path / "state.db")
    for _ in range(2):
        with pytest.raises(Unreachable, match="removed or replaced"):
            add(store, "churn")
    assert lost == ["lost"]
    store.close()


@pytest.mark.parametrize("pages", [0, 2])
def test_a_full_database_says_so_and_takes_writes_again(tmp_path, pages):
    """A database at its largest size refuses a write and keeps what it has."""
    store = open_store(URL, base=tmp_path)
    limit_pages(store, pages)
    with pytest.raises(Unreachable, match="disk is full"), store.write() as connection:
        connection.exec_driver_sql("CREATE TABLE large AS SELECT zeroblob(1000000) AS x")
    limit_pages(store, 1_000_000)
    add(store, "churn")
    store.close()
    assert names(tmp_path / "state.db") == ["churn"]


def limit_pages(store, more: int) -> None:
    """Let the database grow by so many pages; the pool gives the same connection again."""
    with store.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        count = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count={count + more}")
