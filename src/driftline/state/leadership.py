"""Elects the leader: the one of several agents on one PostgreSQL database that works.

All writing goes through the session that holds the lock. When the server has ended that session,
because its agent fell silent, the agent can't commit anything any more. A lost leadership never
comes back to the same session.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from typing import Any

import psycopg

from driftline.state.store import Leader
from driftline.types.errors import AnotherAgentLeads, LeadershipLost, StateError, Unreachable

BEAT = 2.0
"""Seconds between two signs of life of a leader."""
SILENCE = 8.0
"""Seconds of silence after which another agent lets the server end the leader's session."""
OLDEST = 14
"""The oldest PostgreSQL version that works."""
LOCK = 1_684_891_502
"""The number of the lock, together with the schema."""
HOLDER_QUERY = f"""
SELECT s.pid, s.application_name, s.backend_start,
       count(p.pid) FILTER (
           WHERE p.state_change IS NULL
           OR p.state_change > clock_timestamp() - make_interval(secs => %s)
       ) = 0
FROM pg_locks l
JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
JOIN pg_stat_activity s ON s.pid = l.pid
LEFT JOIN pg_stat_activity p ON p.application_name = 'driftline life of ' || l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
    AND l.classid = {LOCK}::oid
    AND l.objid::bigint = hashtext(current_schema())::bigint & 4294967295
GROUP BY s.pid, s.application_name, s.backend_start
"""
"""The session that holds the lock, its start, and whether it is silent.

A last sign of life at an unknown time is no silence.
"""
LOCK_QUERY = f"SELECT pg_try_advisory_lock({LOCK}, hashtext(current_schema()))"
IS_HELD_QUERY = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND classid = %s::oid AND pid = %s)"
)

Connect = Callable[[str], "psycopg.Connection[Any]"]
"""Opens a session of this name, in autocommit; raises psycopg.Error."""


class Leadership:
    """The session that holds the lock and writes, and a second one that shows signs of life."""

    def __init__(
        self,
        session: psycopg.Connection[Any],
        life: psycopg.Connection[Any],
        on_lost: Callable[[], None],
    ) -> None:
        self.session = session
        """All writing goes through it."""
        self._pid = session.info.backend_pid
        self._life = life
        self._on_lost = on_lost
        self._lost = threading.Event()
        self._stopping = threading.Event()
        self._losing = threading.Lock()
        self._asking = threading.Lock()
        self._thread = threading.Thread(target=self._beat, name="leadership", daemon=True)
        self._thread.start()

    @property
    def is_lost(self) -> bool:
        """Whether another agent may lead by now."""
        return self._lost.is_set()

    def confirm(self) -> None:
        """Ask the server whether this agent still leads.

        Raises LeadershipLost when it does not, or when the server can't be asked.
        """
        if self.is_lost or not self._holds_lock():
            self.lose()
            raise LeadershipLost

    def lose(self) -> None:
        """Note that the leadership is lost, and call `on_lost` once."""
        with self._losing:
            was_lost = self._lost.is_set()
            self._lost.set()
        if not was_lost and not self._stopping.is_set():
            self._on_lost()

    def leave(self) -> None:
        """Release the lock for another agent. Safe to call twice."""
        self._stopping.set()
        self._lost.set()
        with self._asking:
            self._life.close()
        self.session.close()

    def _holds_lock(self) -> bool:
        try:
            with self._asking:
                row = self._life.execute(IS_HELD_QUERY, (LOCK, self._pid)).fetchone()
        except psycopg.Error:
            return False
        return row is not None and bool(row[0])

    def _beat(self) -> None:
        while not self._stopping.wait(BEAT):
            overdue = threading.Timer(SILENCE, self._hang_up)
            overdue.daemon = True
            overdue.start()
            is_held = not self.is_lost and self._holds_lock()
            overdue.cancel()
            if not is_held:
                self.lose()
                return

    def _hang_up(self) -> None:
        """Close both connections, so that calls that wait for an answer get an error."""
        for session in (self._life, self.session):
            with (
                suppress(OSError, psycopg.Error),
                socket.socket(fileno=os.dup(session.fileno())) as line,
            ):
                line.shutdown(socket.SHUT_RDWR)


def take_leadership(connect: Connect, on_lost: Callable[[], None]) -> Leadership:
    """Take the lock, also from a silent leader.

    Raises AnotherAgentLeads when another agent holds it.
    """
    session = life = None
    try:
        session = connect(f"driftline {socket.gethostname()[:40]}:{os.getpid()}")
        _prepare(session)
        # First the sign of life, then the lock: nobody may find a leader without it.
        pid = session.info.backend_pid
        life = connect(f"driftline life of {pid}")
        if not _try_lock(session):
            _end_silent(session)
            if not _try_lock(session):
                holder = find_leader(session)
                raise AnotherAgentLeads(holder.name if holder else "")
        return Leadership(session, life, on_lost)
    except psycopg.Error as error:
        _close(session, life)
        raise make_unreachable_error(error) from None
    except BaseException:
        _close(session, life)
        raise


def find_leader(session: psycopg.Connection[Any]) -> Leader | None:
    """Find the agent that holds the lock."""
    row = session.execute(HOLDER_QUERY, (SILENCE,)).fetchone()
    return (
        None
        if row is None
        else Leader(str(row[1]).removeprefix("driftline "), row[2].astimezone(UTC))
    )


def make_unreachable_error(error: BaseException) -> Unreachable:
    """Make the error, in one line and without parts that may have a password."""
    text = " ".join(str(error).split()) or type(error).__name__
    return Unreachable(f"agent.state: PostgreSQL can't be used just now: {text[:300]}")


def _prepare(session: psycopg.Connection[Any]) -> None:
    """Check the server, and set the session up for the lock."""
    if session.info.server_version < OLDEST * 10_000:
        raise StateError(
            f"agent.state: PostgreSQL {OLDEST} or newer is needed, "
            f"this is {session.info.server_version // 10_000}"
        )
    pid = session.execute("SELECT pg_backend_pid()").fetchone()
    if pid is None or pid[0] != session.info.backend_pid:
        raise StateError(
            "agent.state: a connection pooler stands before PostgreSQL: "
            "give the server's own address"
        )
    for name in (
        "idle_session_timeout",
        "idle_in_transaction_session_timeout",
        "statement_timeout",
        "lock_timeout",
    ):
        session.execute(f"SET {name} = 0")
    session.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )


def _try_lock(session: psycopg.Connection[Any]) -> bool:
    row = session.execute(LOCK_QUERY).fetchone()
    return row is not None and bool(row[0])


def _end_silent(session: psycopg.Connection[Any]) -> None:
    row = session.execute(HOLDER_QUERY, (SILENCE,)).fetchone()
    if row is not None and row[3]:
        session.execute("SELECT pg_terminate_backend(%s, 2000)", (row[0],))


def _close(*sessions: psycopg.Connection[Any] | None) -> None:
    for session in sessions:
        if session is not None:
            session.close()
