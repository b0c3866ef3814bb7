"""Each action against a service that is as strict as the real one: what is shown arrives, and once,
whatever goes wrong.
"""

from __future__ import annotations

import boto3
import databases
import pytest
from action_scene import APIS, GO, SECOND, Desk, account, made, service
from receivers import Fault

from driftline.state import action_runs, outbox
from driftline.state.factory import open_store

pytestmark = pytest.mark.system

HOSTILE = "churn <!channel> \u202e$(rm -rf /) \x1b[31m" + "x" * 5000
FAULTS = {
    "before": [Fault(drop="before"), Fault(status=500), Fault(status=503)],
    "slow down": [
        Fault(status=429, retry_after="120"),
        Fault(status=408),
        Fault(status=503, retry_after="60"),
    ],
    "after": [Fault(drop="after"), Fault(drop="after")],
}


@pytest.fixture
def world(tmp_path, monkeypatch, s3_server):
    """Credentials as a machine has them, and a pipeline and an endpoint."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "canary-aws"),
        ("IDENTITY_HEADER", "canary-identity"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)

    def begin(name, *faults, **given):
        if name.startswith("sagemaker"):
            aws(s3_server, name)
        api = opened.enter_context(service(name, s3_server, faults))
        if name == "vertex_pipeline":
            (tmp_path / "account.json").write_text(account(api.url))
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{api.url}/msi/token")
        return api, Desk(open_store(databases.fresh()), made(name, api.url, **given), tmp_path)

    from contextlib import ExitStack

    with ExitStack() as opened:
        yield begin


def aws(s3_server, name):
    client = boto3.client("sagemaker", region_name="eu-central-1", endpoint_url=s3_server)
    role = "arn:aws:iam::123456789012:role/Sage"
    if name == "sagemaker_pipeline":
        if not client.list_pipelines()["PipelineSummaries"]:
            client.create_pipeline(
                PipelineName="train-churn",
                PipelineDefinition="{}",
                ClientRequestToken="t" * 32,
                RoleArn=role,
            )
        return
    if client.list_endpoints()["Endpoints"]:
        client.delete_endpoint(EndpointName="churn")
        client.delete_endpoint_config(EndpointConfigName="churn")
    variants = [
        {
            "VariantName": variant,
            "ModelName": "m",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "InitialVariantWeight": w,
        }
        for variant, w in (("old", 0.25), ("new", 0.75))
    ]
    if not client.list_models()["Models"]:
        client.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": "i"})
    client.create_endpoint_config(EndpointConfigName="churn", ProductionVariants=variants)
    client.create_endpoint(EndpointName="churn", EndpointConfigName="churn")


@pytest.mark.parametrize("name", APIS)
def test_what_is_shown_is_what_arrives(world, name):
    """Method, place and body are to the byte those of the request that a dry run prints, also for a
    hostile incident.
    """
    api, desk = world(name)
    [run] = desk.incident(HOSTILE)
    desk.settle()
    [done], [came] = desk.runs, api.asked
    assert done.state == "sent", done
    assert (came.method, came.body.decode()) == (run.request.method, run.request.body)
    assert f"{api.url}{came.target}".rstrip("/") == run.request.target.rstrip("/")
    assert run.request.headers.items() <= came.headers.items()
    assert "canary" not in str(run.request)
    assert done.answer


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", APIS)
def test_once_whatever_goes_wrong(world, name, kind):
    """Where the service knows the token it is asked until it has answered, and not before the time
    that it named; else never again once it may have been done.
    """
    api, desk = world(name, *FAULTS[kind])
    desk.incident()
    desk.worker.deliver_due(desk.now)
    if kind == "slow down" and not name.startswith("sagemaker"):
        assert desk.worker.next_due(desk.now) == desk.now + 120 * SECOND
    desk.settle()
    [run] = desk.runs
    blind = name == "github_dispatch" and kind != "slow down"
    assert run.state == ("refused" if blind else "sent"), run
    assert api.times == (0 if blind and kind == "before" else 1)
    assert not blind or "look at the receiver" in run.error


@pytest.mark.parametrize("name", APIS)
def test_a_restart_in_the_middle(world, name):
    """An agent that ended between the request and its answer asks again by the same token, or says
    that somebody must look.
    """
    api, desk = world(name)
    desk.incident()
    with desk.store.write() as connection:
        claimed = outbox.claim_next(connection, action_runs.ACTION_PREFIX + GO.name, desk.now)
    desk.action.perform(desk.runs[0].request)
    assert desk.runs[0].state == "sending"
    desk.restart()
    desk.settle()
    assert api.times == 1
    assert desk.runs[0].token == claimed.id
    assert desk.runs[0].state == ("refused" if name == "github_dispatch" else "sent")


def test_a_refusal_ends_it(world):
    """What the service will never take is not asked twice, and the reason stands in the history."""
    api, desk = world("airflow", dag="another")
    desk.incident()
    desk.settle()
    assert (len(api.asked), desk.runs[0].state) == (1, "refused")
    assert "404" in desk.runs[0].error


def test_airflow_by_user_and_password(world):
    """With `basic` no token is asked for."""
    api, desk = world("airflow", basic=True)
    desk.incident()
    desk.settle()
    assert [came.target for came in api.came] == ["/api/v2/dags/train%20churn/dagRuns"]
    assert api.times == 1


def test_a_conflict_of_another_kind_is_no_start(world):
    """A quota that others change at the same time is a conflict for Kubernetes, too: the job is
    asked for again.
    """
    busy = b'{"kind": "Status", "reason": "Conflict", "message": "the object has been modified"}'
    api, desk = world("kubernetes_job", Fault(status=409, body=busy))
    desk.incident()
    desk.worker.deliver_due(desk.now)
    assert desk.runs[0].state == "pending"
    desk.settle()
    assert (desk.runs[0].state, api.times) == ("sent", 1)


def test_the_pod_s_own_token(world, tmp_path):
    """It is read anew for each run."""
    api, desk = world("kubernetes_job", token=None, token_file="token")
    desk.incident()
    (tmp_path / "token").write_text("canary-pod\n")
    desk.settle()
    assert api.times == 1


def test_traffic_keeps_its_bounds(world):
    """A variant that would get less than it must keep stops the change; weights that are so already
    are left alone.
    """
    api, desk = world("sagemaker_weights", weights={"old": 0.1}, least_share={"old": 0.25})
    desk.incident()
    desk.settle()
    assert (desk.runs[0].state, api.times) == ("refused", 0)
    assert "old would get 12% of the traffic, and must keep 25%" in desk.runs[0].error
    api, desk = world("sagemaker_weights", weights={"old": 0.25}, least_share={})
    desk.incident()
    desk.settle()
    assert (desk.runs[0].state, api.times) == ("sent", 0)
    assert desk.runs[0].answer == "the weights are so already: old 0.25, new 0.75"
