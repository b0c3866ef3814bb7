"""What a tick costs when nothing is new, with 1, 30 and 365 days of hourly folders behind it.

    python benchmarks/listing.py [--days 1 30 365] [--objects 100000] [--ticks 5]

A bucket of SageMaker's layout on an S3 server of this machine (moto), two variants, `--objects`
objects for a year and in proportion for less. The agent reads all of it once (the objects' bytes
are handed over without HTTP, or it would take an hour), then looks again: printed are the requests
of a tick and its seconds, with and without waiting for that server, which looks through all its
keys for each request. Needs the extras `aws`, `test`.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import resource
import statistics
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from driftline.agent.agent import Agent
from driftline.agent.composition_root import open_agent, read_config
from driftline.telemetry.logs import make_log

NOW = datetime(2026, 5, 1, 12, 20, tzinfo=UTC)
VARIANTS = ("blue", "green")
CONFIG = """
version: 1
agent: {{state: "sqlite:///state.db", http: null}}
models:
  bench:
    source:
      type: s3
      options: {{bucket: {bucket}, layout: sagemaker, format: jsonl, endpoint_url: "{server}",
                region: us-east-1, addressing_style: path, access_key_id: "${{env:BENCH_KEY}}",
                secret_access_key: "${{env:BENCH_KEY}}"}}
    schema: {{timestamp: t, version: variant, features: {{amount: numeric}}}}
    reference: {{type: local, options: {{path: reference.jsonl}}}}
    windows: {{backfill: null}}
    checks: {{missing: {{type: missing}}}}
"""


def fill(days: int, objects: int) -> dict[str, bytes]:
    """The objects by key: spread evenly over the hours and variants."""
    hours = days * 24
    streams_by_key = {}
    for number in range(objects):
        at = NOW - timedelta(hours=1 + number % hours, minutes=20)
        place = (
            f"ep/{VARIANTS[number // hours % 2]}/{at:%Y/%m/%d/%H}/{at:%M}-00-000-{number:07d}.jsonl"
        )
        streams_by_key[place] = (
            json.dumps({"t": f"{at:%Y-%m-%dT%H:%M:%SZ}", "amount": number % 100}).encode() + b"\n"
        )
    return streams_by_key


def measure(server: str, days: int, objects: int, ticks: int) -> str:
    """One row of the table."""
    from driftline_plugins.sources.s3 import S3
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    bucket = f"bench-{days}"
    backend.create_bucket(bucket, "us-east-1")
    contents = fill(days, objects)
    for key, body in contents.items():
        backend.put_object(bucket, key, body)
    requests: Counter[str] = Counter()
    server_seconds = [0.0]
    call = S3._try

    def count_request(self: S3, name: str, right: str, arguments: dict[str, Any]) -> Any:
        requests.update([name])
        began = time.perf_counter()
        try:
            return call(self, name, right, arguments)
        finally:
            server_seconds[0] += time.perf_counter() - began

    S3._try = count_request
    S3.open = lambda self, obj, start=0: io.BytesIO(
        contents[obj.uri.removeprefix(f"s3://{bucket}/")][start:]
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "driftline.yaml").write_text(CONFIG.format(server=server, bucket=bucket))
            Path(folder, "reference.jsonl").write_text(
                "".join(json.dumps({"amount": n % 100}) + "\n" for n in range(1000))
            )
            config = read_config(Path(folder, "driftline.yaml"))
            now = [NOW]
            log = make_log(io.StringIO(), human=False)
            with open_agent(
                config, clock=lambda: now[0], log=log, console=io.StringIO(), once=True
            ) as agent:
                began = time.perf_counter()
                report = agent.tick("bench")
                first = time.perf_counter() - began
                assert not report.error, report.error
                assert report.reading.objects == objects, report.reading
                while _ages(agent):
                    agent.tick("bench")
                seconds, request_counts, own = [], [], []
                for _ in range(ticks):
                    now[0] += timedelta(minutes=1)
                    requests.clear()
                    server_seconds[0], began = 0.0, time.perf_counter()
                    report = agent.tick("bench")
                    seconds.append(time.perf_counter() - began)
                    own.append(seconds[-1] - server_seconds[0])
                    request_counts.append(requests["list_objects_v2"])
                    assert not report.error, report.error
                    assert sum(requests.values()) == request_counts[-1], requests
                now[0] += timedelta(days=1)
                requests.clear()
                began = time.perf_counter()
                agent.tick("bench")
                whole = time.perf_counter() - began
                size = Path(folder, "state.db").stat().st_size / 1e6
    finally:
        S3._try = call
    tick, without = statistics.median(seconds), statistics.median(own)
    return (
        f"| {days} | {objects:,} | {max(request_counts)} | {tick:.3f} | {without:.3f} "
        f"| {requests['list_objects_v2']} "
        f"| {whole:.1f} | {first:.0f} "
        f"| {size:.0f} |"
    )


def _ages(agent: Agent) -> bool:
    """Whether the first pass left old windows to settle: that is work of its own, some hundreds of
    them a tick.
    """
    with agent.store.read() as connection:
        newest = connection.exec_driver_sql("SELECT max(start) FROM windows").scalar()
        day = 86_400_000_000
        old = (
            f'SELECT count(*) FROM windows WHERE "end" < {newest - 2 * day} '
            "AND (settled = 0 OR profile IS NOT NULL)"
        )
        unsettled = f' AND (settled = 0 OR "end" < {newest - 31 * day})'
        return bool(connection.exec_driver_sql(old + unsettled).scalar())


def main() -> None:
    """Measure and print a table in Markdown."""
    import os

    from moto.server import ThreadedMotoServer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, nargs="+", default=[1, 30, 365])
    parser.add_argument(
        "--objects", type=int, default=100_000, help="for 365 days; in proportion for less"
    )
    parser.add_argument("--ticks", type=int, default=5)
    options = parser.parse_args()
    os.environ["BENCH_KEY"] = "bench-key-of-no-use"
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(
        "| days | objects | requests a tick | s a tick | s without the server "
        "| requests for all, once a day "
        "| s for these | s first pass | MB state |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for days in options.days:
        objects = max(options.objects * days // 365, days * 24)
        print(measure(f"http://{host}:{port}", days, objects, options.ticks), flush=True)
    server.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory {peak:.0f} MB, the server's among it")


if __name__ == "__main__":
    main()
