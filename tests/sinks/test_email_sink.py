"""Email: what arrives, in which thread, and what the mail server's answers mean."""

import os
import re
import socket
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cases import START, lives
from driftline_plugins.sinks.email import Email
from mail_server import PASSWORD, USER, MailServer
from pydantic import ValidationError

from driftline import OutcomeUnknown, Rejected, Retryable, Secret, StartContext
from driftline.delivery.network.dial import Dial
from driftline.delivery.rendering.renderer import Renderer
from driftline.kit.delivery import smtp
from driftline.testing import FakeLog, assert_plugin_contract

pytestmark = pytest.mark.system

GOLDEN = Path(__file__).parent / "golden"
LIVES = lives()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TAGS = {"html", "head", "meta", "body", "table", "tr", "td", "br", "b", "i", "code", "a", "img"}


class Mailer:
    """A sink, and the reference that the outbox would keep."""

    def __init__(self, server, chart=None, connect=None, **options):
        self.log, self.kept = FakeLog(), ""
        given = {
            "host": "127.0.0.1", "port": server.port, "trusted": str(server.ca), "username": USER,
            "password": Secret("${env:P}", PASSWORD), "sender": "driftline <robot@ml.example>", "to": ("ann@example.org",),
        }  # fmt: skip
        self.sink = Email(**{**given, **options})
        connect = connect or Dial(allow_private=True)
        outside = {
            "render": Renderer(),
            "connect": connect,
            "chart": lambda told: chart,
            "find_earlier_result": lambda told: self.kept,
        }
        self.sink.start(StartContext(name="mail", log=self.log, clock=lambda: START, **outside))

    def send(self, case, **changes):
        self.kept = self.sink.send(LIVES[case].model_copy(update=changes)) or self.kept
        return self.kept


class Page(HTMLParser):
    """Refuses what no mail of ours holds."""

    def handle_starttag(self, tag, attributes):
        assert tag in TAGS
        given = dict(attributes)
        assert not any(name.startswith("on") for name in given)
        assert given.get("href", "https://").startswith(("https://", "http://"))
        assert given.get("src", "cid:chart") == "cid:chart"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with MailServer(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.mark.parametrize("case", LIVES)
def test_every_message_arrives_as_stored(server, case):
    """Text first, then HTML of harmless tags only; headers are one line each, and no line is longer
    than mail may have.
    """
    server.mails.clear()
    mailer = Mailer(server)
    if case in ("updated", "resolved"):
        mailer.send("opened")
    mailer.send(case)
    mail = server.mails[-1]
    message = mail.message
    assert not message.defects
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
    assert mail.raw.isascii()
    assert message.get_content_type() == "multipart/alternative"
    text, page = message.iter_parts()
    assert (text.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
    Page().feed(page.get_content())
    assert set(message.keys()) <= {
        "From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "In-Reply-To", "References",
        "MIME-Version", "Content-Type",
    }  # fmt: skip
    shown = "".join(
        f"{name}: {' '.join(message[name].split())}\n" for name in message if name != "Content-Type"
    )
    parts = f"{shown}\n{text.get_content()}\n{page.get_content()}".replace("\r\n", "\n")
    path = GOLDEN / f"email_{case}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(parts, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == parts


def test_an_incident_is_one_thread(server):
    """Each mail answers the first; the same notification has the same Message-ID on every
    attempt.
    """
    server.mails.clear()
    mailer = Mailer(server)
    for case, revision in (("opened", 1), ("opened", 1), ("updated", 2), ("resolved", 3)):
        mailer.kept = "" if revision == 1 else mailer.kept
        mailer.send(case, id=f"ntf_{revision}")
    first, again, *rest = [mail.message for mail in server.mails]
    assert first["Message-ID"] == again["Message-ID"] == "<ntf_1@ml.example>"
    assert first["References"] is None
    assert (
        [one["In-Reply-To"] for one in rest]
        == [one["References"] for one in rest]
        == [first["Message-ID"]] * 2
    )
    assert len({one["Message-ID"] for one in rest}) == 2
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Date"].datetime == START


def test_the_chart_stands_in_the_text(server):
    """As a part of the HTML that it belongs to, found by its Content-ID."""
    server.mails.clear()
    Mailer(server, PNG).send("opened")
    _, related = server.mails[0].message.iter_parts()
    page, image = related.iter_parts()
    assert related.get_content_type() == "multipart/related"
    assert (image.get_content_type(), image["Content-ID"], image.get_content()) == (
        "image/png",
        "<chart>",
        PNG,
    )
    assert '<img src="cid:chart"' in page.get_content()


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", "a\r\nBcc: evil@example.org"), ("title", "a\r\nBcc: evil@example.org\r\n\r\nx")],
)
def test_no_line_break_gets_into_a_header(server, field, value):
    """It is refused, or is no line break any more; nobody else gets a mail."""
    server.mails.clear()
    mailer = Mailer(server)
    if field == "id":
        with pytest.raises(Rejected, match="can't be written"):
            mailer.send("opened", id=value)
        assert server.mails == []
    else:
        mailer.send("opened", title=value)
        assert server.mails[0].message["Bcc"] is None
        assert server.mails[0].to == ["ann@example.org"]


@pytest.mark.parametrize(
    "address", ["a\r\nb@example.org", "nobody", "a@b\n", "a@b, c@d", "", "a@b>\r\nBcc: c@d"]
)
def test_what_is_no_address(address):
    """The configuration is refused."""
    for given in (
        {"sender": address, "to": ["a@b.example"]},
        {"sender": "a@b.example", "to": [address]},
    ):
        with pytest.raises(ValidationError):
            Email(host="mail", **given)


def test_a_line_with_only_a_dot_is_text(server):
    """It does not end the mail."""
    server.mails.clear()
    Mailer(server).send("opened", facts={"a": "b"}, title="x" * 70 + "\n.\nQUIT")
    assert "driftline explain" in server.mails[0].message.get_body(("plain",)).get_content()


ANSWERS = [
    ({"MAIL": "451 try later"}, Retryable),
    ({"MAIL": "550 not from you"}, Rejected),
    ({"RCPT": "450 mailbox busy"}, Retryable),
    ({"RCPT": "550 no such user"}, Rejected),
    ({"DATA": "452 full"}, Retryable),
    ({"DATA": "554 spam"}, Rejected),
    ({"DATA": "421 closing"}, Retryable),
    ({"DATA": "drop"}, OutcomeUnknown),
    ({"AUTH": "454 4.7.0 later"}, Retryable),
    ({"AUTH": "535 5.7.8 no"}, Rejected),
]


@pytest.mark.parametrize(("answers", "kind"), ANSWERS, ids=lambda given: str(given))
def test_what_an_answer_means(server, answers, kind):
    """4xx is tried again, 5xx is not; a connection that ends after the text leaves open whether it
    was taken.
    """
    server.answers = answers
    try:
        with pytest.raises(Retryable if kind is not Rejected else Rejected) as caught:
            Mailer(server).send("opened")
    finally:
        server.answers = {}
    assert type(caught.value) is kind
    assert PASSWORD not in str(caught.value)


def test_one_of_two_is_refused(server):
    """The other gets the mail, and the log says who did not; the mail is not sent again for it."""
    server.mails.clear()
    server.answers = {"RCPT gone@example.org": "550 no such user"}
    mailer = Mailer(server, to=("gone@example.org", "Ann <ann@example.org>"))
    mailer.send("opened")
    server.answers = {}
    assert server.mails[0].to == ["ann@example.org"]
    assert mailer.log.lines[0][1] == {"address": "gone@example.org", "said": "550 no such user"}


def test_a_wrong_password(server):
    """Refused for good, and not shown."""
    with pytest.raises(Rejected, match="535") as caught:
        Mailer(server, password=Secret("${env:P}", "wrong-canary")).send("opened")
    assert "wrong-canary" not in str(caught.value)


def test_nothing_goes_out_in_the_clear(tmp_path, server):
    """A server without STARTTLS, or with a certificate that nobody vouches for, gets neither mail
    nor password.
    """
    with MailServer(tmp_path, offer=False) as plain:
        with pytest.raises(Rejected, match="STARTTLS"):
            Mailer(plain).send("opened")
        assert plain.mails == []
    server.mails.clear()
    with pytest.raises(Retryable, match="self-signed certificate"):
        Mailer(server, trusted=None).send("opened")
    with pytest.raises(Rejected, match="no certificates of authorities"):
        Mailer(server, trusted=str(tmp_path / "none")).send("opened")
    assert server.mails == []


def test_tls_from_the_start(tmp_path):
    """The other way to encrypt; `doctor` says that it works."""
    with MailServer(tmp_path, tls=True) as server:
        mailer = Mailer(server, security="tls")
        assert mailer.sink.probe() == f"127.0.0.1:{server.port} takes mail"
        mailer.send("opened")
        assert len(server.mails) == 1


def test_the_ways_that_are_guarded(server):
    """A private address is refused unless allowed; an agent that no longer leads sends nothing;
    where nobody listens, later.
    """
    with pytest.raises(Rejected, match="private address"):
        Mailer(server, connect=Dial()).send("opened")

    def deposed():
        raise RuntimeError("no longer leads")

    server.mails.clear()
    with pytest.raises(RuntimeError):
        Mailer(server, connect=Dial(True, deposed)).send("opened")
    assert server.mails == []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Retryable, match="can't be reached"):
        Mailer(server, port=port).send("opened")


def test_a_server_that_drips_is_cut_off(server, monkeypatch):
    """All of it together has one limit, however little each wait is."""
    monkeypatch.setattr(smtp, "SECONDS", 0.2)
    done = threading.Event()

    def drip():
        connection, _ = listener.accept()
        with connection:
            while not done.wait(0.02):
                try:
                    connection.sendall(b"220-x\r\n")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(Retryable, match="can't be used"):
            Mailer(server, port=listener.getsockname()[1]).send("opened")
        done.set()
        thread.join(90)


def test_it_keeps_the_contract(server):
    """What is asked of every plugin, with a real server."""
    options = Mailer(server).sink.model_dump() | {"password": Secret("${env:P}", PASSWORD)}
    assert_plugin_contract(Email, **options)
    assert re.fullmatch("robot", USER)
