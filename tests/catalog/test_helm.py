"""The chart in `deploy/helm`: what it renders is checked in, valid and safe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
HELM = DEPLOY / "helm"
VALUES = {"default": {}, "postgres": yaml.safe_load((HELM / "postgres.values.yaml").read_text())}
FILES = [*sorted((HELM / "rendered").glob("*.yaml")), DEPLOY / "kubernetes/driftline.yaml"]


def render(values: dict) -> str:
    """What `helm template driftline deploy/helm/driftline` prints, file by file."""
    helm = pytest.importorskip("helm_python", reason="no Helm: pip install helm-python-sdk")
    with helm.Chart.load(HELM / "driftline") as chart:
        files = chart.render(values, name="driftline", namespace="default")
    parts = [
        f"---\n# Source: {name}\n{text.strip()}\n"
        for name, text in sorted(files.items())
        if text.strip() and not name.endswith((".tpl", ".txt"))
    ]
    return "".join(parts)


def objects(path: Path) -> dict[str, dict]:
    return {item["kind"]: item for item in yaml.safe_load_all(path.read_text()) if item}


@pytest.mark.parametrize("name", VALUES)
def test_the_rendered_manifests_are_those_of_the_chart(name):
    """UPDATE_GOLDEN=1 writes them again."""
    text = render(VALUES[name])
    path = HELM / f"rendered/{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_manifests_are_valid(path):
    """Each object has the fields of its kind in the schema of Kubernetes, and no others."""
    schemas = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    for document in objects(path).values():
        schemas.validate(document, "1.33", strict=True)
        with pytest.raises(schemas.ValidationError):
            schemas.validate({**document, "sepc": {}}, "1.33", strict=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_pod_has_few_rights(path):
    """It is no root, writes only its volumes, has no token of the cluster, and few connections."""
    kinds = objects(path)
    pod = kinds["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
    assert kinds["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert kinds["Service"]["spec"]["selector"].items() <= labels.items()


def test_a_state_in_postgresql_needs_no_volume():
    """The Secret is that of the values, and several agents may run."""
    kinds = objects(HELM / "rendered/postgres.yaml")
    assert not {"PersistentVolumeClaim", "Secret"} & set(kinds)
    deployment = kinds["Deployment"]["spec"]
    assert deployment["replicas"] == 2
    assert "strategy" not in deployment
    [container] = deployment["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "driftline-variables"}}]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replicas": 2}, "needs state.url"),
        ({"replicas": 0}, "replicas"),
        ({"imag": {"repository": "a"}}, "imag"),
    ],
)
def test_values_that_can_not_work_are_mistakes(values, message):
    """Such as two agents on one volume, or a name that the chart does not have."""
    helm = pytest.importorskip("helm_python", reason="no Helm: pip install helm-python-sdk")
    with pytest.raises(helm.HelmError, match=message):
        render(values)
