"""What `deploy/` has for other tools: each query of it returns data, and the manifests are safe."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from agent_metrics import fill_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from question_scene import START

from driftline.agent.composition_root import open_agent, read_config
from driftline.config import load_config
from driftline.telemetry.logs import make_log
from driftline.telemetry.metrics import Metrics
from driftline.types.secret import Secret
from driftline.web import create_app, serve

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/metrics.json").read_text())
QUESTIONS = json.loads((DEPLOY / "grafana/api.json").read_text())
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
QUERIES = [
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
    *(rule["expr"] for rule in RULES),
]
OBJECTS = {
    document["kind"]: document
    for document in yaml.safe_load_all((DEPLOY / "kubernetes/driftline.yaml").read_text())
}
TOKEN = "a-token-of-24-characters"


@pytest.fixture(scope="module")
def samples():
    """The samples of `/metrics` by name, each as its labels."""
    metrics = Metrics("0.1.0")
    fill_metrics(metrics, leads=True, tick_seconds=1.0)
    metrics.set_measurement(
        model="churn", check="drift", measurement="psi", value=0.1, expected=(0.0, 0.2)
    )
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_selects_samples(samples, query):
    """Each metric exists, with each label that the query matches or groups by."""
    query = query.replace("$model", ".*").replace("$measurement", ".*")
    selectors = re.findall(r"(driftline_\w+)(?:\{([^}]*)\})?", query)
    assert selectors
    groups = [
        name.strip() for part in re.findall(r"by \(([^)]*)\)", query) for name in part.split(",")
    ]
    for name, conditions in selectors:
        chosen = samples[name]
        for label, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', conditions):
            pattern = value if operator == "=~" else re.escape(value)
            chosen = [labels for labels in chosen if re.fullmatch(pattern, labels[label])]
        assert chosen, query
        assert all(group in labels for group in groups for labels in chosen), query


@pytest.mark.system
def test_each_question_of_the_dashboard_has_an_answer(scene):
    """Each panel over the API gets rows with the fields of its columns."""
    now = START + timedelta(hours=7)
    with open_agent(read_config(scene), clock=lambda: now, log=make_log()) as agent:
        server = serve(
            create_app(agent, None, Secret("${env:T}", TOKEN), clock=lambda: now), "127.0.0.1", 0
        )
        targets = [panel["targets"][0] for panel in QUESTIONS["panels"]]
        targets += [mark["target"] for mark in QUESTIONS["annotations"]["list"]]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(headers=headers, trust_env=False) as client:
            for target in targets:
                path = target["url"].replace("${model}", "churn").replace("${metric}", "psi")
                answer = client.get(f"http://{server.address}{path}")
                assert answer.status_code == 200, answer.text
                rows = answer.json()
                if urlsplit(path).path != "/api/incidents":
                    assert rows, path
                for column in target["columns"]:
                    head, _, rest = column["selector"].partition(".")
                    assert not rows or any(head in row for row in rows), (path, head)
                    assert not rest or any(rest in row[head] for row in rows) or rest == "title"
        server.stop()


def test_a_pod_has_few_rights():
    """It is no root, writes only its volumes, and has no token of the cluster."""
    pod = OBJECTS["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
    assert set(OBJECTS["NetworkPolicy"]["spec"]["policyTypes"]) == {"Ingress", "Egress"}


def test_what_the_manifests_name_is_there():
    """Selectors, claims, the secret, the configuration and the port."""
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for kind in ("Service", "NetworkPolicy", "Deployment"):
        spec = OBJECTS[kind]["spec"]
        selector = spec.get("podSelector", spec.get("selector"))
        assert selector.get("matchLabels", selector) == labels
    pod = OBJECTS["Deployment"]["spec"]["template"]["spec"]
    assert pod["volumes"][0]["configMap"]["name"] == OBJECTS["ConfigMap"]["metadata"]["name"]
    claim = pod["volumes"][1]["persistentVolumeClaim"]["claimName"]
    assert claim == OBJECTS["PersistentVolumeClaim"]["metadata"]["name"]
    secret = pod["containers"][0]["envFrom"][0]["secretRef"]["name"]
    assert secret == OBJECTS["Secret"]["metadata"]["name"]


def test_the_configuration_of_the_manifests_is_fine(tmp_path):
    """It names only variables of the secret."""
    text = OBJECTS["ConfigMap"]["data"]["config.yaml"]
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert set(load_config(path).patterns) == {"prod-{endpoint}"}
    assert set(re.findall(r"\$\{env:(\w+)\}", text)) <= set(OBJECTS["Secret"]["stringData"])
