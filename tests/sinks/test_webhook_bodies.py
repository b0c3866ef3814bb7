"""What the webhook posts in its four forms, and that whoever checks signatures by the reference
library takes it.
"""

import base64
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from cases import START, lives
from driftline_plugins.sinks.webhook import Webhook
from receivers import WebhookReceiver
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from driftline import Notification, Rejected, Secret, StartContext
from driftline.delivery.network.http import HttpClient
from driftline.delivery.rendering.renderer import Renderer
from driftline.kit.delivery.alertmanager import label_fingerprint
from driftline.testing import FakeLog

pytestmark = pytest.mark.system

LIVES = lives()
OLD, NEW = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
GOLDEN = Path(__file__).parent / "golden"


def sent(case, *, now=lambda: START, templates=None, **options):
    """What a receiver that checks the signature got: headers and body."""
    with WebhookReceiver(OLD, lambda: now().timestamp(), shaped=False) as server:
        secrets = options.pop("secret", Secret("${env:A}", OLD))
        sink = Webhook(url=server.url, secret=secrets, **options)
        http = HttpClient(now, allow_private=True)
        sink.start(
            StartContext(
                name="hook", log=FakeLog(), clock=now, http=http, render=Renderer(templates)
            )
        )
        sink.send(LIVES[case])
    [request] = server.requests
    assert request.status == 200
    return request.headers, request.body


def golden(name, body):
    text = json.dumps(json.loads(body), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert (GOLDEN / name).read_text(encoding="utf-8") == text


@pytest.mark.parametrize("case", LIVES)
def test_the_reference_library_verifies_every_message(case):
    """Signed by both secrets while one is replaced: whoever knows the old or the new one takes it,
    and nobody else.
    """
    headers, body = sent(
        case,
        now=lambda: datetime.now(UTC),
        secret=[Secret("${env:B}", NEW), Secret("${env:A}", OLD)],
    )
    for secret in (OLD, NEW):
        told = Verifier(secret).verify(body, headers)
        assert Notification.model_validate(told["data"]) == LIVES[case]
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_" + base64.b64encode(b"3" * 32).decode()).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(OLD).verify(body + b" ", headers)


@pytest.mark.parametrize("case", LIVES)
def test_the_body_keeps_to_the_published_schema(case):
    """`data` is what `driftline schema --notification` describes."""
    _, body = sent(case)
    jsonschema.validate(json.loads(body)["data"], Notification.model_json_schema())


@pytest.mark.parametrize("case", LIVES)
def test_a_cloud_event_has_all_that_it_must(case):
    """Version 1.0, structured, with names and times as the specification asks."""
    headers, body = sent(case, body="cloudevents", source="https://agent.example")
    event = json.loads(body)
    assert headers["content-type"].startswith("application/cloudevents+json")
    assert event["specversion"] == "1.0"
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in event)
    assert all(event[name] for name in ("id", "source", "type"))
    datetime.fromisoformat(event["time"])
    if case == "opened":
        golden("webhook_cloudevents.json", body)


@pytest.mark.parametrize("case", LIVES)
def test_alertmanager_s_receivers_take_it(case):
    """Shape, commons, times and fingerprints are as Alertmanager's own webhook makes them."""
    _, body = sent(case, body="alertmanager")
    told = json.loads(body)
    names = {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels", "commonAnnotations",
        "externalURL", "notification_reason", "alerts",
    }  # fmt: skip
    assert (set(told), told["version"]) == (names, "4")
    assert told["status"] == (
        "firing" if any(alert["status"] == "firing" for alert in told["alerts"]) else "resolved"
    )
    for alert in told["alerts"]:
        assert set(alert) == {
            "status",
            "labels",
            "annotations",
            "startsAt",
            "endsAt",
            "generatorURL",
            "fingerprint",
        }
        assert told["groupLabels"].items() <= alert["labels"].items()
        assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) for name in alert["labels"])
        assert all(
            isinstance(text, str)
            for text in [*alert["labels"].values(), *alert["annotations"].values()]
        )
        assert alert["fingerprint"] == label_fingerprint(alert["labels"])
        start = datetime.fromisoformat(alert["startsAt"])
        if alert["status"] == "firing":
            assert alert["endsAt"] == "0001-01-01T00:00:00Z"
        else:
            assert datetime.fromisoformat(alert["endsAt"]) >= start
    for common, of in (("commonLabels", "labels"), ("commonAnnotations", "annotations")):
        shared = set.intersection(*(set(alert[of].items()) for alert in told["alerts"]))
        assert set(told[common].items()) == shared
    if case in ("several", "resolved"):
        golden(f"webhook_alertmanager_{case}.json", body)


def test_the_fingerprint_of_a_known_set_of_labels():
    """The value that Alertmanager gives."""
    labels = {
        "alertname": "InputDrift",
        "env": "prod",
        "feature": "amount",
        "model": "fraud-v3",
        "severity": "critical",
    }
    assert label_fingerprint(labels) == "c9eb5a53c3003c52"


@pytest.mark.parametrize("case", LIVES)
def test_a_body_by_template_is_json_whatever_the_data(case):
    """Quotes, line breaks and control characters of data can't end the text that they stand in."""
    template = '{"text": "{{ title }}\\n{{ findings }}", "why": "{{ why }}", "known": "{{ known }}", "level": "{{ severity }}"}'
    headers, body = sent(case, body="template", templates={"body": template})
    assert json.loads(body)["level"] == LIVES[case].severity
    assert headers["content-type"] == "application/json"
    with pytest.raises(Rejected, match="does not produce valid JSON"):
        sent(case, body="template", templates={"body": "{{ title }}"})
    headers, body = sent(
        case,
        body="template",
        content_type="text/plain; charset=utf-8",
        templates={"body": '"{{ event }}"'},
    )
    assert body == f'"{LIVES[case].event}"'.encode()
