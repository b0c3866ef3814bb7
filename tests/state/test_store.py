"""The database: one agent, one version, one kind of transaction."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from driftline.errors import StateError
from driftline.state import migrations, models
from driftline.state.store import open_store
from driftline.state.tables import metadata


def test_the_migrations_make_the_declared_tables(tmp_path):
    """A migrated database has exactly the tables that the code uses, and the newest version is the one that is named."""
    store = open_store("sqlite:///a.db", base=tmp_path)
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    store.close()
    assert ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head() == migrations.HEAD


def test_a_transaction_is_whole_or_nothing(tmp_path):
    """What raises in the middle leaves no trace."""
    store = open_store("sqlite:///a.db", base=tmp_path)

    def stumble() -> None:
        with store.write() as connection:
            models.watch(connection, "churn", 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stumble()
    with store.read() as connection:
        assert models.known(connection, "churn") is None
    store.close()


def test_a_second_agent_is_refused_with_the_holders_name(tmp_path):
    """The lock names the process that has it, and is free again when that process ends, however it ends."""
    script = """
import os, sys
from pathlib import Path
from driftline.state.store import open_store
store = open_store("sqlite:///a.db", base=Path(sys.argv[1]))
print(os.getpid(), flush=True)
sys.stdin.read()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    pid = holder.stdout.readline().strip()
    with pytest.raises(StateError, match=f"process {pid}"):
        open_store("sqlite:///a.db", base=tmp_path)
    with open_store("sqlite:///a.db", base=tmp_path, readonly=True).read() as connection:
        assert sa.inspect(connection).has_table("objects"), "looking is allowed"
    holder.kill()
    holder.communicate()
    open_store("sqlite:///a.db", base=tmp_path).close()


def test_a_newer_database_is_refused_with_both_versions(tmp_path):
    """An older driftline doesn't touch what it can't know."""
    store = open_store("sqlite:///a.db", base=tmp_path)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    store.close()
    with pytest.raises(StateError, match=f"version 0999.*up to {migrations.HEAD}"):
        open_store("sqlite:///a.db", base=tmp_path)


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
