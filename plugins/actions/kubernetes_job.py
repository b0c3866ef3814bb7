"""Kubernetes: create a Job.

Refuses to create two for one incident: the job's name is the token, and a name is taken once, until
the job is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from driftline import Action, Order, Rejected, Request, Retryable, Secret, hookimpl
from driftline.kit.delivery.http_action import HttpAction, json_request

CONTAINER = {"name": "train", "image": "registry.example/train:3", "args": ["--model", "{model}"]}
JOB = {
    "backoffLimit": 2,
    "template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}},
}
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class KubernetesJob(HttpAction):
    """Creates a Job. In a pod it asks as the pod's service account; set the host's `trusted` to
    `.../ca.crt` beside its token, and `allow_private`.
    """

    type: ClassVar[str] = "kubernetes_job"

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    """Where the job is created."""
    job: Annotated[dict[str, Any], Field(examples=[JOB])]
    """The job's `spec`, with its `template`; `{model}`, `{incident}` and the like stand for facts
    of the incident.
    """
    server: str = "https://kubernetes.default.svc"
    """The address of the API server, as pods know it."""
    token: Secret | None = None
    """A token to show; that of the pod's service account when absent."""
    token_file: str = f"{ACCOUNT}/token"
    """Where that one stands. It is read anew for each run, because it is renewed."""

    @field_validator("job")
    @classmethod
    def _has_template(cls, job: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(job.get("template"), dict):
            raise ValueError(
                "a job needs its template: {spec: {containers: [...], restartPolicy: Never}}"
            )
        return job

    def credentials(self) -> Mapping[str, str]:
        """The token."""
        if self.token is not None:
            return {"authorization": f"Bearer {self.token.reveal()}"}
        try:
            token = (self.context.base / self.token_file).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise Rejected(
                f"{self.token_file} can't be read: {type(error).__name__}; set token outside of a pod"
            ) from None
        return {"authorization": f"Bearer {token}"}

    def request(self, order: Order) -> Request:
        """Create the job under the order's token."""
        about = {
            "driftline/incident": order.notification.incident,
            "driftline/action": order.action,
        }
        metadata = {
            "name": order.token,
            "namespace": self.namespace,
            "labels": {"app.kubernetes.io/managed-by": "driftline"},
            "annotations": {
                **about,
                "driftline/model": order.facts["model"],
                "driftline/title": order.facts["title"],
            },
        }
        body = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata,
            "spec": order.fill(self.job),
        }
        return json_request(
            "POST", f"{self.server}/apis/batch/v1/namespaces/{self.namespace}/jobs", body
        )

    def is_repeat(self, status: int, answer: Mapping[str, Any]) -> bool:
        """Whether the name is taken. A quota that others change at the same time is a conflict too,
        and passes.
        """
        if status == 409 and answer.get("reason") != "AlreadyExists":
            raise Retryable(f"HTTP 409: {answer.get('message', 'a conflict')}")
        return status == 409

    def permissions(self) -> tuple[str, ...]:
        """What the service account needs."""
        return ("a Role with the verb create on jobs of batch, in the namespace",)


@hookimpl
def register_actions() -> list[type[Action]]:
    """The one action of this file."""
    return [KubernetesJob]
