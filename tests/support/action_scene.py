"""The actions of the tests, the services that they ask, and an incident that calls for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from action_receivers import (
    AirflowApi,
    Api,
    AzureApi,
    GitHubApi,
    KubernetesApi,
    SageMakerApi,
    VertexApi,
)
from driftline_plugins.actions.airflow import Airflow
from driftline_plugins.actions.azureml_job import AzureMlJob
from driftline_plugins.actions.github_dispatch import GitHubDispatch
from driftline_plugins.actions.kubernetes_job import KubernetesJob
from driftline_plugins.actions.sagemaker_pipeline import SageMakerPipeline
from driftline_plugins.actions.sagemaker_weights import SageMakerWeights
from driftline_plugins.actions.vertex_pipeline import VertexPipeline
from facts import flat_fact

from driftline import Action, Secret, Severity, StartContext, Verdict
from driftline.agent.action_dispatch import ActionDispatcher, load_request
from driftline.alerting import AlertingState, retire, step
from driftline.alerting.actions_due import ActionPlan
from driftline.delivery.action_sink import ActionSink
from driftline.delivery.network.http import HttpClient
from driftline.delivery.worker import DeliveryPolicy, SinkWorker
from driftline.extensions.guard import Guard
from driftline.state import action_runs, outbox
from driftline.state.action_runs import Run
from driftline.state.incident_store import enqueue, save_step
from driftline.state.store import Store
from driftline.testing import FakeLog

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
CONTAINER = {
    "name": "train",
    "image": "train:3",
    "args": ["--model", "{model}", "--because", "{title}"],
}
JOB = {"template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}}
GO = ActionPlan(name="retrain", dry_run=False, severity=Severity.WARNING)


def secret(value: str) -> Secret:
    return Secret("${env:A_SECRET}", value)


def made(name: str, url: str, **given: Any) -> Action:
    """The action of that name, that asks the service at `url`."""
    told: dict[str, dict[str, Any]] = {
        "airflow": {"dag": "train churn", "username": "drift", "password": secret("canary-password"), "conf": {"m": "{model}"}},
        "github_dispatch": {"repository": "acme/churn", "token": secret("canary-github"), "payload": {"why": ["{title}"]}},
        "kubernetes_job": {"namespace": "ml", "job": JOB, "token": secret("canary-pod")},
        "vertex_pipeline": {
            "project": "acme", "location": "europe-west4", "template": "https://europe-west4-kfp.pkg.dev/acme/p/train/v1",
            "output": "gs://acme/runs", "parameters": {"model": "{model}", "epochs": 3}, "credentials_file": "account.json",
        },
        "azureml_job": {
            "subscription": "s-1", "resource_group": "ml group", "workspace": "churn-ws",
            "job": {"jobType": "Pipeline", "inputs": {"model": {"jobInputType": "literal", "value": "{model}"}}},
        },
        "sagemaker_pipeline": {"pipeline": "train-churn", "region": "eu-central-1", "parameters": {"Why": "{title}"}},
        "sagemaker_weights": {
            "endpoint": "churn", "region": "eu-central-1", "weights": {"old": 1.0, "new": 0.0}, "least_share": {"old": 0.5},
        },
    }  # fmt: skip
    kinds = (
        Airflow,
        GitHubDispatch,
        KubernetesJob,
        VertexPipeline,
        AzureMlJob,
        SageMakerPipeline,
        SageMakerWeights,
    )
    kind = next(kind for kind in kinds if kind.type == name)
    place = {"kubernetes_job": "server"}.get(
        name, "endpoint_url" if name.startswith("sagemaker") else "url"
    )
    return kind(**{place: url, **told[name], **given})


APIS = {
    "airflow": AirflowApi, "github_dispatch": GitHubApi, "kubernetes_job": KubernetesApi, "vertex_pipeline": VertexApi,
    "azureml_job": AzureApi, "sagemaker_pipeline": SageMakerApi, "sagemaker_weights": SageMakerApi,
}  # fmt: skip


@contextmanager
def service(name: str, moto: str, faults: tuple[Any, ...] = ()) -> Iterator[Api]:
    """What the action of that name asks."""
    kind = APIS[name]
    with (
        kind(moto, faults=list(faults))
        if kind is SageMakerApi
        else kind(faults=list(faults)) as api
    ):
        yield api


class Desk:
    """A store, one action with its worker, a clock that moves when told, and incidents."""

    def __init__(self, store: Store, action: Action, base: Any, plan: ActionPlan = GO) -> None:
        self.store, self.action, self.plan, self.now = store, action, plan, NOW
        self.log, self.reports, self.state = FakeLog(), [], AlertingState()
        self.acting = ActionDispatcher([(plan, action)], Guard(lambda: self.now), self.log)
        http = HttpClient(lambda: self.now, allow_private=True, timeout=60)
        action.start(
            StartContext(
                name=plan.name, log=self.log, clock=lambda: self.now, http=http, config_folder=base
            )
        )
        self.restart()

    def restart(self) -> None:
        """As an agent begins."""
        with self.store.write() as connection:
            outbox.recover_unfinished(connection, self.now)
            once = [self.plan.name] if self.action.repeat == "repeats" else []
            action_runs.abandon_runs(
                connection, once, self.now, "the agent ended while it was done"
            )
        performer = ActionSink(action=self.action).use_requests(
            lambda token: load_request(self.store, token)
        )
        policy = DeliveryPolicy(overdue=self.action.patience, give_up=2 * DAY)
        lane = action_runs.ACTION_PREFIX + self.plan.name
        self.worker = SinkWorker(
            name=lane,
            sink=performer,
            store=self.store,
            clock=lambda: self.now,
            rng=Random(5),
            report=self.reports.append,
            log=self.log,
            policy=policy,
        )

    def incident(self, column: str = "tenure", hour: int = 0, **given: Any) -> list[Run]:
        """One judged window of a model; gives the runs so far."""
        whole = {
            "model": "churn", "check": "performance", "measurement": "accuracy", "labels": (("column", column),),
            "cause": "performance", "value": 0.6, "rows": 1000, "reason": "below 0.8", "severity": Severity.CRITICAL,
            "verdict": Verdict.CHANGED,
        }  # fmt: skip
        start = NOW + hour * HOUR
        fact = flat_fact(**{**whole, "start": start, "end": start + HOUR, **given})
        return self._written(step(self.state, [fact], self.now))

    def over(self) -> list[Run]:
        """All incidents end."""
        return self._written(retire(self.state, lambda alert: True, self.now))

    def _written(self, done: Any) -> list[Run]:
        self.state = done.state
        called = self.acting.plan_runs(self.store, done.changes, self.now)
        with self.store.write() as connection:
            changes = self.acting.record_runs(connection, done.changes, called, self.now)
            save_step(connection, replace(done, changes=tuple(changes)))
            for change in changes:
                enqueue(connection, change, (), self.now)
        self.told = changes
        return self.runs

    @property
    def runs(self) -> list[Run]:
        with self.store.read() as connection:
            return action_runs.load_runs(connection)

    def settle(self) -> None:
        """Let the clock jump to what is due, for three days."""
        end = self.now + 3 * DAY
        while self.now < end:
            self.worker.deliver_due(self.now)
            due = self.worker.next_due(self.now)
            if due is None:
                break
            self.now = max(self.now + SECOND, due)


def account(url: str) -> str:
    """A service account's key file, whose tokens the service at `url` gives."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    told = {
        "type": "service_account",
        "client_email": "drift@acme.iam",
        "private_key": pem,
        "token_uri": f"{url}/token",
    }
    return json.dumps(told)
