"""Stands between agents and a PostgreSQL server: a network that can be cut, or a connection pooler.

Refuses to understand more of what passes than the process number that a server gives at the start
of a session.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

from sqlalchemy.engine import URL, make_url


class Relay:
    """Passes on what comes to its own address while `with` lasts."""

    def __init__(self, url: str, *, pooler: bool = False) -> None:
        """As a `pooler` it gives clients a process number of its own, as poolers do."""
        self._server = make_url(url)
        self._pooler = pooler
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        plain = self._server.set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
        self.url = plain.render_as_string(hide_password=False)
        """What to connect to."""

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._listener.close()
        self._open.set()

    def cut(self) -> None:
        """From now on nothing passes, either way, and no end is told."""
        self._open.clear()

    def heal(self) -> None:
        """What waits passes, and all that comes."""
        self._open.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = _connect(self._server)
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
            threading.Thread(
                target=self._pass, args=(server, client, self._pooler), daemon=True
            ).start()

    def _pass(self, source: socket.socket, target: socket.socket, changed: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                place = data.find(b"K\x00\x00\x00") if changed else -1
                if place >= 0:
                    data = data[: place + 5] + struct.pack(">I", 4711) + data[place + 9 :]
                    changed = False
                self._open.wait()
                target.sendall(data)
        except OSError:
            pass
        self._open.wait()
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _connect(url: URL) -> socket.socket:
    folder = url.query.get("host")
    if folder is None:
        return socket.create_connection((url.host, url.port or 5432))
    made = socket.socket(socket.AF_UNIX)
    made.connect(f"{folder}/.s.PGSQL.{url.port or 5432}")
    return made
