"""Services that actions ask, each as strict as the real one: method, path, headers, limits, and
what it makes of a repeat.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from receivers import Fault, Invalid, _reset, parsed
from serving import Served


@dataclass
class Came:
    """One request, whatever became of it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int = 0


@dataclass
class Api(Served):
    """A server on loopback. `done` holds what was started, by the name under which the service
    knows it.
    """

    faults: list[Fault] = field(default_factory=list)
    came: list[Came] = field(default_factory=list)
    done: dict[str, Any] = field(default_factory=dict)
    times: int = 0
    """How often something was started."""
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def asked(self) -> list[Came]:
        """The requests but for those by which a caller proves who it is."""
        return [one for one in self.came if "token" not in urlsplit(one.target).path]

    def accept(self, came: Came) -> tuple[int, bytes]:
        """Checks one request and does what it asks; raises Invalid."""
        raise NotImplementedError

    def once(self, name: str, what: Any) -> bool:
        """Start it; False when it was started before."""
        if name in self.done:
            return False
        self.done[name] = what
        self.times += 1
        return True

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        token = "token" in urlsplit(handler.path).path
        with self._lock:
            fault = self.faults.pop(0) if self.faults and not token else Fault()
        if fault.drop == "before":
            return _reset(handler)
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        came = Came(
            handler.command, handler.path, {n.lower(): v for n, v in handler.headers.items()}, body
        )
        with self._lock:
            if fault.status:
                came.status, said = fault.status, fault.body
            else:
                try:
                    came.status, said = self.accept(came)
                except Invalid as refused:
                    came.status, said = refused.status, refused.body
            self.came.append(came)
        if not token:
            self.arrived.set()
        if fault.hold is not None:
            fault.hold.wait(90)
        if fault.drop == "after":
            return _reset(handler)
        try:
            handler.send_response(came.status)
            if fault.retry_after:
                handler.send_header("retry-after", fault.retry_after)
            handler.send_header("content-length", str(len(said)))
            handler.end_headers()
            handler.wfile.write(said)
        except OSError:
            handler.close_connection = True
        return None


def refused(status: int, why: str) -> Invalid:
    return Invalid(status, json.dumps({"message": why, "detail": why}).encode())


def document(came: Came, names: set[str], needed: set[str]) -> dict[str, Any]:
    """The body of a request that may have `names` at its top and must have `needed`."""
    if not came.headers.get("content-type", "").startswith("application/json"):
        raise refused(415, "content-type")
    if came.headers.get("user-agent", "") == "":
        raise refused(403, "a user-agent is needed")
    told = parsed(came.body, lambda why: refused(400, why))
    if not isinstance(told, dict) or set(told) - names or needed - set(told):
        raise refused(422, f"fields: {sorted(told)}")
    return told


class AirflowApi(Api):
    """The public API v2 of Airflow 3, with its tokens."""

    def accept(self, came: Came) -> tuple[int, bytes]:
        if came.target == "/auth/token" and came.method == "POST":
            told = document(came, {"username", "password"}, {"username", "password"})
            if told != {"username": "drift", "password": "canary-password"}:
                raise refused(401, "Invalid credentials")
            return 201, b'{"access_token": "jwt-of-drift"}'
        basic = base64.b64encode(b"drift:canary-password").decode()
        if came.headers.get("authorization") not in ("Bearer jwt-of-drift", f"Basic {basic}"):
            raise refused(401, "Not authenticated")
        if (came.method, came.target) != ("POST", "/api/v2/dags/train%20churn/dagRuns"):
            raise refused(404, "DAG with dag_id was not found")
        names = {
            "dag_run_id",
            "data_interval_start",
            "data_interval_end",
            "logical_date",
            "run_after",
            "conf",
            "note",
        }
        told = document(came, names, {"logical_date"})
        if told["logical_date"] is not None or not isinstance(told.get("conf", {}), dict):
            raise refused(422, "logical_date, conf")
        if (
            not re.fullmatch(r"[A-Za-z0-9_.~:+-]{1,250}", told["dag_run_id"])
            or len(told.get("note", "")) > 1000
        ):
            raise refused(400, "dag_run_id, note")
        if not self.once(told["dag_run_id"], told):
            raise refused(409, f"The DagRun with run_id `{told['dag_run_id']}` already exists")
        return 200, json.dumps({"dag_run_id": told["dag_run_id"], "state": "queued"}).encode()


class GitHubApi(Api):
    """Repository dispatches of GitHub: each one starts the workflows, whatever came before."""

    def accept(self, came: Came) -> tuple[int, bytes]:
        if came.headers.get("authorization") != "Bearer canary-github":
            raise refused(401, "Bad credentials")
        if (came.method, came.target) != ("POST", "/repos/acme/churn/dispatches"):
            raise refused(404, "Not Found")
        if (
            came.headers.get("accept") != "application/vnd.github+json"
            or "x-github-api-version" not in came.headers
        ):
            raise refused(400, "headers")
        told = document(came, {"event_type", "client_payload"}, {"event_type"})
        if (
            not 1 <= len(told["event_type"]) <= 100
            or len(told["client_payload"]) > 10
            or len(came.body) >= 65_536
        ):
            raise refused(422, "Invalid request")
        self.once(f"dispatch {len(self.done)}", told)
        return 204, b""


class KubernetesApi(Api):
    """Jobs of batch/v1."""

    def accept(self, came: Came) -> tuple[int, bytes]:
        if came.headers.get("authorization") != "Bearer canary-pod":
            raise refused(401, "Unauthorized")
        if (came.method, came.target) != ("POST", "/apis/batch/v1/namespaces/ml/jobs"):
            raise refused(404, "the server could not find the requested resource")
        told = document(
            came,
            {"apiVersion", "kind", "metadata", "spec"},
            {"apiVersion", "kind", "metadata", "spec"},
        )
        meta = told["metadata"]
        if (told["apiVersion"], told["kind"], meta["namespace"]) != ("batch/v1", "Job", "ml"):
            raise refused(400, "apiVersion, kind, namespace")
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", meta["name"]):
            raise refused(422, "metadata.name: a lowercase RFC 1123 label")
        if not all(
            re.fullmatch(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?", value)
            for value in meta["labels"].values()
        ):
            raise refused(422, "metadata.labels")
        pod = told["spec"]["template"]["spec"]
        if pod.get("restartPolicy") not in ("Never", "OnFailure") or not pod["containers"]:
            raise refused(422, "spec.template.spec.restartPolicy")
        if not self.once(meta["name"], told):
            status = {"kind": "Status", "status": "Failure", "reason": "AlreadyExists", "code": 409}
            return 409, json.dumps(
                {**status, "message": f'jobs.batch "{meta["name"]}" already exists'}
            ).encode()
        return 201, json.dumps(
            {"kind": "Job", "metadata": {"name": meta["name"], "uid": "u-1"}}
        ).encode()


class VertexApi(Api):
    """Pipeline jobs of Vertex AI, and the tokens of Google's OAuth for a service account."""

    def accept(self, came: Came) -> tuple[int, bytes]:
        place = urlsplit(came.target)
        if place.path == "/token":
            grant = parse_qs(came.body.decode())
            claims = json.loads(
                base64.urlsafe_b64decode(grant["assertion"][0].split(".")[1] + "==")
            )
            if claims["scope"] != "https://www.googleapis.com/auth/cloud-platform":
                raise refused(400, "scope")
            return (
                200,
                b'{"access_token": "bearer-of-google", "expires_in": 3600, "token_type": "Bearer"}',
            )
        if came.headers.get("authorization") != "Bearer bearer-of-google":
            raise refused(401, "UNAUTHENTICATED")
        if (came.method, place.path) != (
            "POST",
            "/v1/projects/acme/locations/europe-west4/pipelineJobs",
        ):
            raise refused(404, "NOT_FOUND")
        told = document(
            came,
            {
                "displayName",
                "templateUri",
                "pipelineSpec",
                "runtimeConfig",
                "serviceAccount",
                "labels",
            },
            {"runtimeConfig"},
        )
        [name] = parse_qs(place.query)["pipelineJobId"]
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,126}", name) or len(told["displayName"]) > 128:
            raise refused(400, "INVALID_ARGUMENT")
        if not told["runtimeConfig"]["gcsOutputDirectory"].startswith("gs://"):
            raise refused(400, "gcsOutputDirectory")
        if not all(re.fullmatch(r"[a-z0-9_-]{0,63}", value) for value in told["labels"].values()):
            raise refused(400, "labels")
        if not self.once(name, told):
            return (
                409,
                b'{"error": {"code": 409, "status": "ALREADY_EXISTS", "message": "it exists"}}',
            )
        return 200, json.dumps(
            {"name": f"{place.path}/{name}", "state": "PIPELINE_STATE_PENDING"}
        ).encode()


class AzureApi(Api):
    """Jobs of Azure Machine Learning behind Azure Resource Manager, and the managed identity of an
    App Service.
    """

    def accept(self, came: Came) -> tuple[int, bytes]:
        place = urlsplit(came.target)
        if place.path == "/msi/token":
            if came.headers.get("x-identity-header") != "canary-identity":
                raise refused(401, "identity")
            if parse_qs(place.query)["resource"] != ["https://management.azure.com"]:
                raise refused(400, "resource")
            return (
                200,
                b'{"access_token": "bearer-of-azure", "expires_on": "4102444800", "token_type": "Bearer"}',
            )
        if came.headers.get("authorization") != "Bearer bearer-of-azure":
            raise refused(401, "AuthenticationFailed")
        within = "/subscriptions/s-1/resourceGroups/ml%20group/providers/Microsoft.MachineLearningServices/workspaces/churn-ws"
        folder, _, name = place.path.rpartition("/")
        if (came.method, folder) != ("PUT", f"{within}/jobs"):
            raise refused(404, "ResourceNotFound")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", parse_qs(place.query)["api-version"][0]):
            raise refused(400, "MissingApiVersionParameter")
        told = document(came, {"properties"}, {"properties"})
        if told["properties"]["jobType"] not in ("Pipeline", "Command", "Sweep", "AutoML", "Spark"):
            raise refused(400, "jobType")
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}", name):
            raise refused(400, "id")
        fresh = self.once(name, told)
        return 201 if fresh else 200, json.dumps(
            {"name": name, "properties": {"status": "NotStarted"}}
        ).encode()


class SageMakerApi(Api):
    """In front of moto: the limits that moto doesn't check, and one execution for one token, as the
    real service has it.
    """

    def __init__(self, moto: str, **given: Any) -> None:
        super().__init__(**given)
        self._moto = urlsplit(moto).netloc

    def accept(self, came: Came) -> tuple[int, bytes]:
        target = came.headers.get("x-amz-target", "")
        if (
            came.method != "POST"
            or came.headers.get("content-type") != "application/x-amz-json-1.1"
        ):
            raise refused(400, "SerializationException")
        if (
            "AWS4-HMAC-SHA256" not in came.headers.get("authorization", "")
            or "/sagemaker/" not in came.headers["authorization"]
        ):
            raise refused(400, "IncompleteSignature")
        told = parsed(came.body, lambda why: refused(400, why))
        if target == "SageMaker.StartPipelineExecution":
            name = self._pipeline(told)
            if name in self.done:
                return 200, self.done[name]
        elif target == "SageMaker.UpdateEndpointWeightsAndCapacities":
            wanted = told["DesiredWeightsAndCapacities"]
            if not 1 <= len(told["EndpointName"]) <= 63 or any(
                each["DesiredWeight"] < 0 for each in wanted
            ):
                raise refused(400, "ValidationException")
            name = json.dumps(wanted)
        elif target == "SageMaker.DescribeEndpoint":
            return self._pass(came)
        else:
            raise refused(400, "UnknownOperationException")
        status, said = self._pass(came)
        if status == 200:
            self.once(name, said)
        return status, said

    def _pipeline(self, told: dict[str, Any]) -> str:
        allowed = {"PipelineName", "ClientRequestToken", "PipelineParameters"}
        allowed |= {"PipelineExecutionDisplayName", "PipelineExecutionDescription"}
        fits = (
            not set(told) - allowed
            and 32 <= len(told["ClientRequestToken"]) <= 128
            and re.fullmatch(
                r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,81}", told["PipelineExecutionDisplayName"]
            )
            and len(told["PipelineExecutionDescription"]) <= 3072
            and len(told.get("PipelineParameters", [])) <= 200
            and all(
                len(one["Name"]) <= 256 and len(one["Value"]) <= 1024
                for one in told.get("PipelineParameters", [])
            )
        )
        if not fits:
            raise refused(400, "ValidationException")
        return str(told["ClientRequestToken"])

    def _pass(self, came: Came) -> tuple[int, bytes]:
        connection = HTTPConnection(self._moto)
        connection.request(
            came.method, came.target, came.body, {**came.headers, "host": self._moto}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()

    @property
    def asked(self) -> list[Came]:
        return [
            one for one in self.came if not one.headers["x-amz-target"].endswith("DescribeEndpoint")
        ]
