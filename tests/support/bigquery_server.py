"""A server on this machine that answers BigQuery's REST API as far as the real client asks it for
queries.

The SQL really runs, on SQLite: backticks and `@parameters` mean the same there, the few functions
are defined below. Tables hold times as microseconds, repeated and nested values as JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
from collections import deque
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REASONS = {401: "authError", 403: "accessDenied", 404: "notFound", 503: "backendError"}
LOG = {
    "endpoint": "STRING",
    "deployed_model_id": "STRING",
    "logging_time": "TIMESTAMP",
    "request_id": "NUMERIC",
    "request_payload": "STRING[]",
    "response_payload": "STRING[]",
}
"""The columns of a request-response log."""
ALIASES = {
    "slice": "INTEGER", "n": "INTEGER", "newest": "TIMESTAMP", "marks": "INTEGER", "driftline_time": "TIMESTAMP",
    "driftline_mark": "INTEGER", "driftline_copy": "INTEGER",
}  # fmt: skip
WIDTH = {"TIMESTAMP": 8, "INTEGER": 8, "FLOAT": 8, "BOOLEAN": 1, "NUMERIC": 16}


def micros(at: datetime) -> int:
    found = at - EPOCH
    return (found.days * 86400 + found.seconds) * 1_000_000 + found.microseconds


class Refused(Exception):
    """An answer that is an error."""

    def __init__(
        self, status: int, message: str, reason: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.headers = (
            status,
            reason or REASONS.get(status, "invalidQuery"),
            headers or {},
        )


class BigQueryServer:
    """Tables, and what is to go wrong."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        """`METHOD path` of each request, in order."""
        self.queries: list[dict[str, Any]] = []
        """The configurations of all queries that really ran."""
        self.faults: deque[tuple[str, Any]] = deque()
        """(regular expression, what happens) for the next request that fits: Refused, or how many
        bytes of its answer come.
        """
        self.denied: set[str] = set()
        """Rights that the caller lacks."""
        self.tokens: set[str] | None = None
        """Tokens that are good; None lets everyone in."""
        self.grant: dict[str, Any] | Refused = {
            "access_token": "first",
            "expires_in": 3600,
            "token_type": "Bearer",
        }
        """What the token endpoint gives."""
        self.page = 10**9
        """Rows of a page at most."""
        self.held = False
        """While it is set, queries go on running."""
        self.cancelled: list[str] = []
        self._jobs: dict[str, dict[str, Any]] = {}
        self._schemas: dict[str, dict[str, str]] = {}
        self._lock = threading.RLock()
        self._changed = threading.Condition()
        self._base = sqlite3.connect(":memory:", check_same_thread=False)
        for name, count, function in (
            ("DIV", 2, lambda a, b: a // b),
            ("MOD", 2, lambda a, b: abs(a) % b * (1 if a >= 0 else -1)),
            ("UNIX_MICROS", 1, lambda at: at),
            ("FARM_FINGERPRINT", 1, _fingerprint),
        ):
            self._base.create_function(name, count, function, deterministic=True)
        server = self

        class Handler(_Handler):
            state = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def create(self, table: str, columns: dict[str, str] = LOG) -> None:
        with self._lock:
            self._schemas[table] = columns
            # Without declared types SQLite keeps values as they are given.
            self._base.execute(
                f"CREATE TABLE `{table}` ({', '.join(f'`{name}`' for name in columns)})"
            )

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        columns = self._schemas[table]
        with self._lock:
            values = [[_stored(row.get(name)) for name in columns] for row in rows]
            self._base.executemany(
                f"INSERT INTO `{table}` VALUES ({', '.join('?' * len(columns))})", values
            )

    def delete(self, table: str, where: str = "1") -> None:
        with self._lock:
            self._base.execute(f"DELETE FROM `{table}` WHERE {where}")

    def token(self) -> dict[str, Any]:
        if isinstance(self.grant, Refused):
            raise self.grant
        return self.grant

    def begin(self, project: str, body: dict[str, Any]) -> dict[str, Any]:
        """jobs.insert"""
        if "bigquery.jobs.create" in self.denied:
            raise Refused(
                403,
                f"Access Denied: Project {project}: User does not have bigquery.jobs.create permission in project {project}.",
            )
        config = body["configuration"]
        dry = config.get("dryRun", False)
        id_ = body["jobReference"]["jobId"]
        if id_ in self._jobs:
            raise Refused(409, f"Already Exists: Job {project}:US.{id_}", "duplicate")
        job: dict[str, Any] = {
            "kind": "bigquery#job",
            "id": f"{project}:US.{id_}",
            "jobReference": {"projectId": project, "jobId": id_, "location": "US"},
            "configuration": config,
            "status": {"state": "DONE"},
        }
        with self._lock:
            try:
                schema, rows, scanned = self._run(config["query"], dry)
            except Refused as error:
                if dry or error.status == 404:
                    raise
                job["status"] |= {"errorResult": {"reason": error.reason, "message": str(error)}}
                schema, rows, scanned = [], [], 0
        query = {
            "statementType": "SELECT",
            "schema": {"fields": schema},
            "totalBytesProcessed": str(scanned),
        }
        job["statistics"] = {"totalBytesProcessed": str(scanned), "query": query}
        if dry:
            return job
        self.queries.append(config)
        self._jobs[id_] = {"job": job, "schema": schema, "rows": rows}
        return self.job(id_)

    def job(self, id_: str) -> dict[str, Any]:
        """jobs.get"""
        if id_ not in self._jobs:
            raise Refused(404, f"Not found: Job {id_}")
        job: dict[str, Any] = self._jobs[id_]["job"]
        return (
            job | {"status": {"state": "RUNNING"}}
            if self.held and id_ not in self.cancelled
            else job
        )

    def cancel(self, id_: str) -> dict[str, Any]:
        """jobs.cancel"""
        self._jobs[id_]["job"]["status"] |= {
            "errorResult": {"reason": "stopped", "message": "Job execution was cancelled."}
        }
        with self._changed:
            self.cancelled.append(id_)
            self._changed.notify_all()
        return {"job": self.job(id_)}

    def results(self, id_: str, asked: dict[str, str]) -> dict[str, Any]:
        """jobs.getQueryResults"""
        job = self.job(id_)
        reference = {"jobReference": job["jobReference"]}
        if job["status"]["state"] == "RUNNING":
            with self._changed:
                self._changed.wait_for(lambda: id_ in self.cancelled, 0.5)
            return {"jobComplete": False} | reference
        if "errorResult" in job["status"]:
            raise Refused(
                400, job["status"]["errorResult"]["message"], job["status"]["errorResult"]["reason"]
            )
        found = self._jobs[id_]
        first = int(asked.get("pageToken", asked.get("startIndex", 0)))
        last = first + min(int(asked.get("maxResults", 10**9)), self.page)
        exact = asked.get("formatOptions.useInt64Timestamp") in ("true", "True")
        rows = [
            {"f": [{"v": _cell(f, v, exact)} for f, v in zip(found["schema"], row, strict=True)]}
            for row in found["rows"][first:last]
        ]
        answer = {
            "jobComplete": True,
            "totalRows": str(len(found["rows"])),
            "schema": {"fields": found["schema"]},
            "rows": rows,
        }
        return answer | reference | ({"pageToken": str(last)} if last < len(found["rows"]) else {})

    def _run(self, query: dict[str, Any], dry: bool) -> tuple[list[dict[str, Any]], list[Any], int]:
        sql = query["query"]
        assert query["useLegacySql"] is False
        [table] = set(re.findall(r"FROM `([^`]+)`", sql))
        there = [
            name
            for name in self._schemas
            if name == table or (table[-1] == "*" and name.startswith(table[:-1]))
        ]
        if not there:
            raise Refused(
                404, f"Not found: Table {table.replace('.', ':', 1)} was not found in location US"
            )
        if "bigquery.tables.getData" in self.denied:
            raise Refused(
                403,
                f"Access Denied: Table {table}: User does not have permission to query table {table}, or it does not exist.",
            )
        columns = self._schemas[there[0]]
        parts = " UNION ALL ".join(f"SELECT * FROM `{name}`" for name in there)
        run = sql.replace(f"FROM `{table}`", f"FROM ({parts})")
        values = {p["name"]: _parameter(p) for p in query.get("queryParameters", ())}
        try:
            cursor = self._base.execute(run, values)
        except sqlite3.OperationalError as error:
            unknown = re.fullmatch(r"no such column: (.*)", str(error))
            raise Refused(
                400,
                f"Unrecognized name: {unknown[1]} at [2:8]"
                if unknown
                else f"Syntax error: {error}",
            ) from None
        schema = [_field(d[0], columns.get(d[0]) or ALIASES[d[0]]) for d in cursor.description]
        rows = cursor.fetchall()
        [count] = self._base.execute(f"SELECT COUNT(*) FROM ({parts})").fetchone()
        used = columns if "SELECT *" in sql else [name for name in columns if f"`{name}`" in sql]
        scanned = count * sum(WIDTH.get(columns[name], 500) for name in used)
        cap = int(query.get("maximumBytesBilled", 10**18))
        if not dry and scanned > cap:
            raise Refused(
                400,
                f"Query exceeded limit for bytes billed: {cap}. {scanned} or higher required.",
                "bytesBilledLimitExceeded",
            )
        return schema, [] if dry else rows, scanned


class _Handler(BaseHTTPRequestHandler):
    state: BigQueryServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *args: Any) -> None: ...

    def _answer(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = f"{self.command} {split.path}"
        self.state.requests.append(told)
        cut = None
        try:
            if self.state.faults and re.search(self.state.faults[0][0], told):
                _, fault = self.state.faults.popleft()
                if isinstance(fault, Refused):
                    raise fault
                cut = fault
            found: dict[str, Any] = self._found(
                split.path, {k: v[0] for k, v in parse_qs(split.query).items()}, body
            )
            status, headers = 200, {}
        except Refused as error:
            status, headers = error.status, error.headers
            one = {"message": str(error), "domain": "global", "reason": error.reason}
            found = {"error": {"code": status, "message": str(error), "errors": [one]}}
            if split.path == "/token":
                found = {"error": error.reason, "error_description": str(error)}
        data = json.dumps(found).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self.close_connection = True

    def _found(self, path: str, asked: dict[str, str], body: bytes) -> dict[str, Any]:
        state = self.state
        if path == "/token":
            return state.token()
        if (
            state.tokens is not None
            and self.headers.get("Authorization", "").removeprefix("Bearer ") not in state.tokens
        ):
            raise Refused(
                401,
                "Request had invalid authentication credentials. Expected OAuth 2 access token.",
            )
        found = re.fullmatch(
            r"/bigquery/v2/projects/([^/]+)/(jobs|queries)(?:/([^/]+))?(/cancel)?", path
        )
        assert found is not None, path
        project, kind, id_, cancel = found.groups()
        if self.command == "POST":
            return state.cancel(id_) if cancel else state.begin(project, json.loads(body))
        return state.job(id_) if kind == "jobs" else state.results(id_, asked)


def _fingerprint(value: Any) -> int:
    return int.from_bytes(hashlib.sha256(str(value).encode()).digest()[:8], "big", signed=True)


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return micros(value)
    return (
        json.dumps(value)
        if isinstance(value, list | dict)
        else str(value)
        if isinstance(value, int) and abs(value) > 2**62
        else value
    )


def _parameter(given: dict[str, Any]) -> int:
    kind, value = given["parameterType"]["type"], given["parameterValue"]["value"]
    return int(value) if kind == "INT64" else micros(datetime.fromisoformat(value))


def _field(name: str, kind: str) -> dict[str, Any]:
    """`T` or `T[]`; `a:T,b:U` in braces for a record."""
    mode = "REPEATED" if kind.endswith("[]") else "NULLABLE"
    kind = kind.removesuffix("[]")
    if not kind.startswith("{"):
        return {"name": name, "type": kind, "mode": mode}
    inner = [_field(*part.split(":")) for part in kind[1:-1].split(",")]
    return {"name": name, "type": "RECORD", "mode": mode, "fields": inner}


def _cell(field: dict[str, Any], value: Any, exact: bool) -> Any:
    if value is None:
        return None if field["mode"] != "REPEATED" else []
    if field["mode"] == "REPEATED":
        one = field | {"mode": "NULLABLE"}
        return [
            {"v": _cell(one, item, exact)}
            for item in (json.loads(value) if isinstance(value, str) else value)
        ]
    if field["type"] == "RECORD":
        record = json.loads(value) if isinstance(value, str) else value
        return {
            "f": [
                {"v": _cell(inner, record.get(inner["name"]), exact)} for inner in field["fields"]
            ]
        }
    if field["type"] == "TIMESTAMP":
        return str(value) if exact else repr(value / 1e6)
    if field["type"] == "BOOLEAN":
        return "true" if value else "false"
    return str(value)
