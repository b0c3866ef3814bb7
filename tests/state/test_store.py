"""The database: one agent at work, one version, one kind of transaction."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import databases
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from driftline.state import migrations, models
from driftline.state.factory import open_store
from driftline.state.tables import metadata, sinks
from driftline.types.errors import StateError

pytestmark = [pytest.mark.postgres, pytest.mark.system]

ELSEWHERE = {"sqlite": "objects_by_uri_hash", "postgresql": "objects_by_uri"}
"""The index that only the other database has."""


@pytest.fixture
def url(tmp_path) -> str:
    """Of a state of its own."""
    return databases.of(tmp_path)


def test_the_migrations_make_the_declared_tables(tmp_path):
    """A migrated database has exactly the tables that the code uses, and the newest version is the
    one that is named.
    """
    store = open_store(
        databases.server().empty("unmade")
        if databases.ON_POSTGRES
        else f"sqlite:///{tmp_path}/unmade.db"
    )
    with store.read() as connection:
        without = ELSEWHERE[connection.dialect.name]
        options = {
            "include_object": lambda _, name, kind, *rest: (kind, name) != ("index", without)
        }
        assert (
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        )
    store.close()
    assert (
        ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head() == migrations.HEAD
    )


def test_a_transaction_is_whole_or_nothing(url):
    """What raises in the middle leaves no trace."""
    store = open_store(url)

    def stumble() -> None:
        with store.write() as connection:
            models.add_model(connection, "churn", 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stumble()
    with store.read() as connection:
        assert models.load_model(connection, "churn") is None
    store.close()


def test_a_reader_sees_a_snapshot(url):
    """What is committed while somebody reads is not seen half, and not at all before the next
    reading.
    """
    store = open_store(url)
    with store.read() as connection:
        assert models.load_model(connection, "churn") is None
        with store.write() as writing:
            models.add_model(writing, "churn", 1)
        assert models.load_model(connection, "churn") is None
    with store.read() as connection:
        assert models.load_model(connection, "churn") is not None
    store.close()


def test_a_second_agent_is_refused_with_the_holders_name(url):
    """The lock names the process that has it, and is free again when that process ends, however it
    ends.
    """
    script = """
import os, sys
from driftline.state.factory import open_store
store = open_store(sys.argv[1])
print(os.getpid(), flush=True)
sys.stdin.read()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = holder.stdout.readline().strip()
    with pytest.raises(StateError, match=rf"another agent \(.*{pid}\) works on this state"):
        open_store(url)
    looking = open_store(url, readonly=True)
    with looking.read() as connection:
        assert sa.inspect(connection).has_table("objects"), "looking is allowed"
    looking.close()
    holder.kill()
    holder.communicate()
    _once_free(url).close()


def _once_free(url: str):
    """A server needs a moment to notice that a process is gone."""
    for _ in range(200):
        try:
            return open_store(url)
        except StateError:
            pass
    return open_store(url)


def test_a_newer_database_is_refused_with_both_versions(url):
    """An older driftline doesn't touch what it can't know."""
    store = open_store(url)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    store.close()
    with pytest.raises(StateError, match=f"version 0999.*up to {migrations.HEAD}"):
        open_store(url)


def test_who_only_looks_at_an_older_database_is_told_what_brings_it_up_to_date(url):
    """Reading commands migrate nothing, and must not stumble over a column that is not there
    yet.
    """
    store = open_store(url)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    store.close()
    with pytest.raises(
        StateError,
        match=r"version 0001.*first `driftline run` of this version brings it up to date",
    ):
        open_store(url, readonly=True)


def test_names_come_back_as_they_were_in_the_order_of_their_bytes(url):
    """Whatever is in a name, NUL included: the same from every database, in the same order."""
    names = [
        "a\x00b",
        "a\x1ab",
        "a\x1a0b",
        "B",
        "a",
        "é",
        "e",
        "Z",
        "_",
        "\U0001f600",
        "ä\x00",
        "10",
        "9",
        " x",
    ]
    store = open_store(url)
    with store.write() as connection:
        connection.execute(sinks.insert(), [{"name": name} for name in names])
    with store.read() as connection:
        found = list(connection.execute(sa.select(sinks.c.name).order_by(sinks.c.name)).scalars())
        assert all(
            connection.execute(sa.select(sinks.c.name).where(sinks.c.name == name)).scalar() == name
            for name in names
        )
    store.close()
    assert sorted(found) == sorted(names)
    stored = lambda name: name.replace("\x1a", "\x1a1").replace("\x00", "\x1a0").encode()  # noqa: E731
    assert found == sorted(names, key=stored)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("ab\x00\x1a01é", max_size=6), unique=True, max_size=5))
def test_no_two_names_become_one(names):
    """Two names are two rows, however they are written in the database."""
    with databases.opened() as store, store.write() as connection:
        if names:
            connection.execute(sinks.insert(), [{"name": name} for name in names])
        assert set(connection.execute(sa.select(sinks.c.name)).scalars()) == set(names)


@pytest.mark.parametrize("place", ["mysql://me@db/x", "driftline.db", ""])
def test_what_is_no_database_of_ours_is_refused_with_examples(place):
    """The mend is in the message."""
    with pytest.raises(StateError, match=r"agent\.state"):
        open_store(place)


def test_a_damaged_database_is_refused_with_the_mend(tmp_path):
    """A file that is no database is named, and nothing is written over it."""
    (tmp_path / "a.db").write_bytes(b"not a database at all" * 300)
    with pytest.raises(StateError, match=r"a\.db"):
        open_store("sqlite:///a.db", base=tmp_path)
    assert (tmp_path / "a.db").read_bytes().startswith(b"not a database")


def test_the_file_is_for_its_owner_alone(tmp_path):
    """The state may hold samples of data: nobody else may read it."""
    open_store("sqlite:///new/a.db", base=tmp_path).close()
    assert stat.S_IMODE((tmp_path / "new" / "a.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_there_is_nothing_to_look_at_before_the_first_run(tmp_path):
    """Whoever only looks makes nothing."""
    url = (
        databases.server().empty("unmade")
        if databases.ON_POSTGRES
        else f"sqlite:///{tmp_path}/unmade.db"
    )
    with pytest.raises(StateError, match="there is no state yet"):
        open_store(url, readonly=True)
    assert make_url(url).get_backend_name() != "sqlite" or not (tmp_path / "unmade.db").exists()
