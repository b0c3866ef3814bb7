"""Several agents on one PostgreSQL database: one writes, and whoever was deposed can't."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from itertools import count

import psycopg
import pytest
import sqlalchemy as sa
from relay import Relay

from driftline.state import leadership, ledger, migrations
from driftline.state.factory import open_store
from driftline.state.tables import sinks
from driftline.types.errors import AnotherAgentLeads, StateError, Unreachable
from driftline.types.model import LogObject
from driftline.types.records import ReadOutcome

pytestmark = pytest.mark.system

_numbers = count()


@pytest.fixture
def url(postgres) -> str:
    """Of a database with empty tables."""
    return postgres.database(f"seat_{next(_numbers)}")


@pytest.fixture
def silent(monkeypatch):
    """Leaders give no sign of life, and nobody waits for one."""
    monkeypatch.setattr(leadership, "BEAT", 1000.0)
    monkeypatch.setattr(leadership, "SILENCE", 0.0)


def names(url: str) -> list[str]:
    store = open_store(url, readonly=True)
    try:
        with store.read() as connection:
            return sorted(connection.execute(sa.select(sinks.c.name)).scalars())
    finally:
        store.close()


def write(store, name: str) -> None:
    with store.write() as connection:
        connection.execute(sinks.insert().values(name=name))


def test_the_second_agent_is_told_who_leads(url):
    """While one leads, another can look, can't open, and can at once when the first has let go."""
    first = open_store(url)
    with pytest.raises(AnotherAgentLeads, match="another agent"):
        open_store(url)
    looking = open_store(url, readonly=True)
    assert looking.leader() == first.leader()
    with pytest.raises(StateError, match="for reading only"):
        write(looking, "a")
    first.close()
    # The server lets go of a session's locks a moment after the session has ended.
    until = time.monotonic() + 30
    while looking.leader() is not None and time.monotonic() < until:
        time.sleep(0.02)
    assert looking.leader() is None
    looking.close()
    second = open_store(url)
    write(second, "b")
    second.close()
    assert names(url) == ["b"]


@pytest.mark.parametrize("moment", ["before", "begun", "written", "between"])
def test_a_deposed_leader_commits_nothing(url, silent, moment):
    """Whenever in a step it falls silent: what it has in hand is lost, also if it wakes up
    again.
    """
    first = open_store(url)
    write(first, "kept")
    second = None

    def depose(now: str) -> None:
        nonlocal second
        if now == moment:
            second = open_store(url)
            write(second, "second")

    def step() -> None:
        depose("before")
        with first.write() as connection:
            depose("begun")
            connection.execute(sinks.insert().values(name="lost"))
            depose("written")
        depose("between")
        write(first, "lost, too")

    with pytest.raises(StateError):
        step()
    with pytest.raises(StateError, match="no longer leads"):
        write(first, "never")
    with pytest.raises(StateError, match="no longer leads"):
        first.confirm()
    assert second is not None
    second.confirm()
    first.close()
    second.close()
    assert names(url) == sorted({"kept", "second", *(["lost"] if moment == "between" else [])})


def test_a_leader_that_gives_signs_of_life_is_left_alone(url, monkeypatch):
    """However long a step takes: its other session speaks for it."""
    monkeypatch.setattr(leadership, "BEAT", 0.05)
    monkeypatch.setattr(leadership, "SILENCE", 1.0)
    first = open_store(url)
    with first.write() as connection:
        connection.execute(sinks.insert().values(name="slow"))
        connection.exec_driver_sql("SELECT pg_sleep(2)")
        with pytest.raises(AnotherAgentLeads):
            open_store(url)
    first.close()
    assert names(url) == ["slow"]


def test_a_leader_learns_by_itself_that_it_was_deposed(url, monkeypatch):
    """It need not write to notice, and tells once."""
    monkeypatch.setattr(leadership, "BEAT", 0.05)
    told, heard = [], threading.Event()
    first = open_store(url, on_lost=lambda: (told.append(1), heard.set()))
    monkeypatch.setattr(leadership, "SILENCE", -1.0)
    second = open_store(url)
    assert heard.wait(60)
    with pytest.raises(StateError):
        write(first, "lost")
    assert told == [1]
    first.close()
    second.close()


def test_a_server_that_restarts_costs_the_step_at_hand(url, postgres):
    """The store is of no use then; a new one finds what was committed, as soon as the server is
    back.
    """
    lost = threading.Event()
    first = open_store(url, on_lost=lost.set)
    write(first, "kept")
    postgres.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname LIKE 'seat%'"
    )
    with pytest.raises(Unreachable):
        write(first, "lost")
    assert lost.wait(60)
    with first.read() as connection:
        assert connection.execute(sa.select(sinks.c.name)).scalars().all() == ["kept"], (
            "reading goes on"
        )
    second = open_store(url)
    write(second, "new")
    first.close()
    second.close()
    assert names(url) == ["kept", "new"]


def test_a_server_that_is_not_there_is_named_without_the_password():
    """What can't be reached is an error of its own, in one line."""
    with pytest.raises(Unreachable, match=r"agent\.state: PostgreSQL") as caught:
        open_store("postgresql://me:hunter2@127.0.0.1:1/db")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_agents_that_start_together_make_the_tables_once(postgres):
    """Of several processes on an empty database one leads, and the others are refused, none of them
    with half a schema.
    """
    url = postgres.empty("together")
    script = """
import sys
from driftline.state.factory import open_store
store = open_store(sys.argv[1])
print("led")
sys.stdin.read()
"""
    command, pipe = [sys.executable, "-c", script, url], subprocess.PIPE
    agents = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)
    ]
    ended: list[subprocess.Popen] = []
    while len(ended) < 2:
        ended = [agent for agent in agents if agent.poll() is not None]
    told = [agent.communicate()[1] for agent in ended]
    assert all("AnotherAgentLeads: another agent" in text for text in told), told
    leader = next(agent for agent in agents if agent not in ended)
    assert leader.communicate("")[0] == "led\n"
    store = open_store(url)
    with store.read() as connection:
        assert connection.exec_driver_sql(
            "SELECT version_num FROM alembic_version"
        ).scalars().all() == [migrations.HEAD]
    store.close()


def test_a_pooler_in_between_is_refused(url):
    """Behind one, the session that holds the lock need not be the one that writes."""
    with Relay(url, pooler=True) as pooled, pytest.raises(StateError, match="pooler"):
        open_store(pooled.url)


def test_a_leader_that_is_cut_off_hangs_up(url, monkeypatch):
    """Nothing comes back to it, not even that its session was ended: it gives up by itself, also in
    the middle of a step.
    """
    monkeypatch.setattr(leadership, "BEAT", 0.05)
    monkeypatch.setattr(leadership, "SILENCE", 0.5)
    lost = threading.Event()
    with Relay(url) as network:
        first = open_store(network.url, on_lost=lost.set)
        network.cut()
        with pytest.raises(StateError):
            write(first, "lost")
        assert lost.wait(60)
        second = _once_led(url)
        write(second, "second")
        network.heal()
        with pytest.raises(StateError):
            write(first, "never")
        first.close()
    second.close()
    assert names(url) == ["second"]


def _once_led(url: str):
    while True:
        try:
            return open_store(url)
        except AnotherAgentLeads:
            pass


def test_long_names_of_objects_are_kept(url):
    """A URI of any length has its row, and is found again."""
    long = "az://box/" + "".join(chr(0x4E00 + (place * 7919) % 20000) for place in range(4000))
    store = open_store(url)
    with store.write() as connection:
        made = ReadOutcome(
            object=LogObject(
                uri=long, version="1", size=1, modified=datetime(2026, 5, 1, tzinfo=UTC)
            )
        )
        ledger.record_outcomes(connection, "m", [made], "spec", 3_600_000_000)
    with store.read() as connection:
        assert list(ledger.load_entries(connection, "m", [long])) == [long]
    store.close()


@pytest.mark.parametrize("granted", [False, True])
def test_a_role_without_the_right_to_make_tables_is_told_the_right(postgres, granted):
    """The error names the role and the right; with the right the tables are made."""
    url = sa.make_url(postgres.empty(f"rights_{str(granted).lower()}"))
    role = f"reader_{str(granted).lower()}"
    with psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    ) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {role}")
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        if granted:
            connection.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {role}")
    own = url.set(username=role, password="x").render_as_string(hide_password=False)
    try:
        if granted:
            open_store(own).close()
        else:
            with pytest.raises(StateError, match=f"GRANT USAGE, CREATE ON SCHEMA .*{role}"):
                open_store(own)
    finally:
        postgres.drop(url.database)
        postgres.execute(f"DROP ROLE {role}")


def test_two_schemas_of_one_database_are_two_states(postgres):
    """Each has a leader of its own."""
    url = postgres.empty("schemas")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA one; CREATE SCHEMA two")
    stores = [open_store(f"{url}&options=-csearch_path%3D{name}") for name in ("one", "two")]
    write(stores[0], "a")
    for store in stores:
        store.confirm()
        store.close()


def test_a_server_without_free_connections_is_named_and_loses_nothing(url, postgres):
    """Opening and reading raise what a later step tries again, and the leader goes on writing."""
    database = sa.make_url(url).database
    role = "crowded"
    postgres.execute(f"DROP ROLE IF EXISTS {role}")
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    postgres.execute(f"ALTER DATABASE {database} OWNER TO {role}")
    own = sa.make_url(url).set(username=role, password="x")
    address = own.render_as_string(hide_password=False)
    try:
        postgres.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
        with pytest.raises(Unreachable, match=r"agent\.state: PostgreSQL .*too many connections"):
            open_store(address)
        postgres.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")
        postgres.execute(f"GRANT pg_read_all_data, pg_write_all_data TO {role}")
        first = open_store(address)
        postgres.execute(f"ALTER ROLE {role} CONNECTION LIMIT 1")
        write(first, "kept")
        first.engine.dispose()
        with (
            pytest.raises(Unreachable, match=r"agent\.state: PostgreSQL .*too many connections"),
            first.read() as connection,
        ):
            connection.execute(sa.select(sinks.c.name))
        write(first, "more")
        postgres.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")
        with first.read() as connection:
            assert sorted(connection.execute(sa.select(sinks.c.name)).scalars()) == ["kept", "more"]
        first.close()
    finally:
        postgres.drop(database)
        postgres.execute(f"DROP ROLE {role}")


def test_a_disk_full_costs_one_step_and_is_named(url):
    """The step is undone and named as trouble of the state; the same store takes the next one."""
    store = open_store(url)
    write(store, "before")
    with pytest.raises(Unreachable, match=r"agent\.state: PostgreSQL .*no space left on device"):
        _fill_disk(store)
    write(store, "after")
    store.close()
    assert names(url) == ["after", "before"]


def _fill_disk(store) -> None:
    """Write a row, then fail as the server does where its disk is full."""
    with store.write() as connection:
        connection.execute(sinks.insert().values(name="lost"))
        connection.exec_driver_sql(
            "DO $$ BEGIN RAISE EXCEPTION 'could not extend file: no space left on device' "
            "USING ERRCODE = '53100'; END $$"
        )
