"""Makes email.png: a mail with its chart, as it arrived at a mail server and as a browser shows its
HTML.

.venv/bin/python docs/img/mail.py [PATH OF CHROMIUM]
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/support"))

from cases import START, lives
from driftline_plugins.sinks.email import Email
from mail_server import PASSWORD, USER, MailServer

from driftline import Secret, Severity, StartContext
from driftline.charts.incident import render_incident
from driftline.charts.series_points import SeriesLine, SeriesPoint
from driftline.delivery.network.dial import Dial
from driftline.delivery.rendering.renderer import Renderer
from driftline.testing import FakeLog
from driftline.types.notification import Notification
from driftline.types.times import as_micros


def chart(notification: Notification) -> bytes | None:
    """Draw two days of made-up hours before the begin of the incident."""
    rng = np.random.default_rng(1)
    lines = []
    for name, severity, now in (
        ("Day Mins: psi", Severity.CRITICAL, 6.1),
        ("plan: psi", Severity.WARNING, 0.48),
    ):
        values = np.append(np.abs(rng.normal(0.01, 0.01, 48)), now)
        points = [
            SeriesPoint(
                start=as_micros(notification.since + timedelta(hours=hour)),
                value=value,
                low=value * 0.9,
                high=value * 1.1,
                severity=severity if hour >= 0 else "",
            )
            for hour, value in enumerate(values.tolist(), -48)
        ]
        lines.append(
            SeriesLine(
                name=name,
                severity=severity,
                since=as_micros(notification.since),
                points=points,
                usual=0.01,
            )
        )
    return render_incident(notification.title, lines)


def main() -> None:
    """Send a mail, receive it, and draw it as a browser shows it."""
    chromium = sys.argv[1] if len(sys.argv) > 1 else "chromium"
    notification = lives()["several"].model_copy(
        update={
            "links": {
                "open": "https://watch.example/i/inc_1",
                "acknowledge": "https://watch.example/i/inc_1/ack",
            },
            "facts": {
                "why": "first alert",
                "likely cause": "minutes come in seconds since a deploy at 08:55",
                "cost so far": "about 1,200 wrong decisions",
                "decision": "roll back",
                "runbook": "https://wiki.example/churn",
            },
        },
    )
    with tempfile.TemporaryDirectory() as folder, MailServer(Path(folder)) as server:
        sink = Email(
            host="127.0.0.1",
            port=server.port,
            trusted=str(server.ca),
            username=USER,
            password=Secret("${env:P}", PASSWORD),
            sender="driftline <robot@ml.example>",
            to=("ann@example.org",),
        )
        sink.start(
            StartContext(
                name="mail",
                log=FakeLog(),
                clock=lambda: START,
                render=Renderer(),
                connect=Dial(allow_private=True),
                chart=chart,
                find_earlier_result=lambda notification: "",
            ),
        )
        sink.send(notification)
        parts = {part.get_content_type(): part for part in server.mails[-1].message.walk()}
        image = (
            "data:image/png;base64," + base64.b64encode(parts["image/png"].get_content()).decode()
        )
        page = Path(folder) / "mail.html"
        page.write_text(
            parts["text/html"].get_content().replace("cid:chart", image), encoding="utf-8"
        )
        subprocess.run(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={folder}/user",
                "--window-size=720,880",
                f"--screenshot={Path(__file__).with_name('email.png')}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    main()
