"""Creates a Job in Kubernetes.

Never creates two jobs for one incident: the name of the job is the token, and a name exists only
once until the job is deleted.
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
    """Creates a Job.

    In a pod it uses the service account of the pod: set the host's `trusted` to the `ca.crt` beside
    the token of the account, and set `allow_private`.
    """

    type: ClassVar[str] = "kubernetes_job"

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    """The namespace of the job."""
    job: Annotated[dict[str, Any], Field(examples=[JOB])]
    """The `spec` of the job, with its `template`.

    In texts `{model}`, `{incident}` and other facts of the incident are filled in.
    """
    server: str = "https://kubernetes.default.svc"
    """The address of the API server; the default is its address inside a pod."""
    token: Secret | None = None
    """A token; when absent, the token of the pod's service account in `token_file`."""
    token_file: str = f"{ACCOUNT}/token"
    """The file with the token of the service account.

    It is read for each run, because Kubernetes renews it.
    """

    @field_validator("job")
    @classmethod
    def _has_template(cls, job: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(job.get("template"), dict):
            raise ValueError(
                "a job needs its template: {spec: {containers: [...], restartPolicy: Never}}"
            )
        return job

    def credentials(self) -> Mapping[str, str]:
        """Return the header with the token."""
        if self.token is not None:
            return {"authorization": f"Bearer {self.token.reveal()}"}
        try:
            token = (
                (self.context.config_folder / self.token_file).read_text(encoding="ascii").strip()
            )
        except (OSError, ValueError) as error:
            raise Rejected(
                f"{self.token_file} can't be read: {type(error).__name__}; "
                "set token outside of a pod"
            ) from None
        return {"authorization": f"Bearer {token}"}

    def request(self, order: Order) -> Request:
        """Return the request for a job with the token as its name."""
        metadata = {
            "name": order.token,
            "namespace": self.namespace,
            "labels": {"app.kubernetes.io/managed-by": "driftline"},
            "annotations": {
                "driftline/incident": order.notification.incident,
                "driftline/action": order.action,
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
        """Return whether the name exists already.

        Raises Retryable for another conflict, such as a quota that changes at the same time.
        """
        if status == 409 and answer.get("reason") != "AlreadyExists":
            raise Retryable(f"HTTP 409: {answer.get('message', 'a conflict')}")
        return status == 409

    def permissions(self) -> tuple[str, ...]:
        """Return the right that the service account needs."""
        return ("a Role with the verb create on jobs of batch, in the namespace",)


@hookimpl
def register_actions() -> list[type[Action]]:
    """Register the action of this file."""
    return [KubernetesJob]
