"""The pieces of a message in every markup: escaped, within limits, from templates that may be an
operator's own.
"""

import json
import re
from html.parser import HTMLParser

import pytest
from cases import lives
from jinja2 import TemplateError

from driftline.delivery.rendering.markup import DIALECTS, Safe
from driftline.delivery.rendering.renderer import Renderer
from driftline.delivery.rendering.sandbox import Sandbox
from driftline.state.notification_json import dump_notification, parse_notification
from driftline.testing import FakeLog, notification
from driftline.types.model import Decision

pytestmark = pytest.mark.system

LIVES = lives()
PIECES = ("title", "lead", "known", "todo", "links", "context", "body")
HOSTILE = (
    "<!channel> & `x` *b* _i_ [a](b) </code><script>alert(1)</script> @everyone \u202e\x1b[31m"
)


def written(template: str, markup: str = "plain", **names: object) -> str:
    return Sandbox(DIALECTS[markup], {}).render(template, names)


@pytest.mark.parametrize("markup", DIALECTS)
@pytest.mark.parametrize("case", LIVES)
def test_every_piece_is_within_its_limit_and_whole(case, markup):
    """However small the limit: no piece is longer, and none ends within an escape, a link or a
    tag.
    """
    for limit in (1, 7, 40, 90, 200):
        message = Renderer()(LIVES[case], markup, dict.fromkeys((*PIECES, "finding"), limit))
        for text in [getattr(message, name) for name in PIECES] + list(message.findings):
            assert len(text) <= limit
            assert _whole(text, markup), text


def _whole(text: str, markup: str) -> bool:
    if markup == "mrkdwn":
        bare = re.sub(r"<(!date\^[0-9]+\^[^|<>]+\|[^<>]+|https?://[^|<>\s]+\|[^<>|]+)>", "", text)
        return not re.search(r"[<>]|&(?!amp;|lt;|gt;)", bare)
    if markup == "markdown":
        return not re.search(r"(?<!\\)(\\\\)*\\\Z", text) and "](javascript" not in text
    if markup == "html":
        balance: list[str] = []

        class Parser(HTMLParser):
            def handle_starttag(self, tag, attributes):
                assert tag in ("b", "i", "code", "a")
                assert all(
                    name == "href" and value.startswith("http") for name, value in attributes
                )
                balance.append(tag)

            def handle_endtag(self, tag):
                assert balance.pop() == tag

        Parser().feed(text)
        return not balance and not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;)", text)
    return all(char.isprintable() or char == "\n" for char in text)


def test_data_is_escaped_wherever_a_template_puts_it():
    """Printed, joined, set aside, filtered or handed through a macro: data never becomes markup,
    and is escaped once.
    """
    for template in (
        "{{ data }}",
        "{{ [data] | join('') }}",
        "{% set kept %}{{ data }}{% endset %}{{ kept }}",
        "{% macro show(it) %}{{ it }}{% endmacro %}{{ show(data) }}",
        "{{ data ~ '' }}",
        "{{ '' + data }}",
    ):
        assert written(template, "html", data="<b>&") == "&lt;b&gt;&amp;"
    with pytest.raises(TemplateError):
        written("{{ data | safe }}", "html", data="<b>")


@pytest.mark.parametrize(
    "template",
    [
        "{{ missing }}",
        "{{ told.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ 'a'.join('bc') }}",
        "{{ '{:>9999999}'.format(1) }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%999999999d' % 1 }}",
        "{% for a in many %}{% for b in many %}{% for c in many %}{% endfor %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% for a in many %}{{ many }}{% endfor %}",
        "{% include 'lead.j2' %}",
        "{% import 'os' as os %}",
        "{{ range(10) }}",
    ],
)
def test_a_template_can_do_no_harm(template):
    """Unknown names, methods, powers, texts and loops without end: all end within a second, with an
    error.
    """
    with pytest.raises((TemplateError, RecursionError, TypeError)):
        written(template, told=LIVES["opened"], many=list(range(1000)))


def test_a_template_of_ones_own_takes_the_place_of_one_that_ships():
    """It is used for its piece only; one that fails gives way and is logged, and the message goes
    out.
    """
    message = Renderer({"lead": "{{ bold(model) }} in {{ family }}: {{ severity }}"})(
        LIVES["opened"], "mrkdwn"
    )
    assert message.lead == "*churn* in drift: critical"
    assert message.title == Renderer()(LIVES["opened"], "mrkdwn").title
    log = FakeLog()
    assert (
        Renderer({"lead": "{{ nothing }}"}, log)(LIVES["opened"]).lead
        == Renderer()(LIVES["opened"]).lead
    )
    [(event, facts)] = log.lines
    assert "template failed" in event
    assert facts["piece"] == "lead"


def test_what_is_cut_says_so_and_keeps_whole_characters():
    """An escape of five characters doesn't fit into four, so it is left out."""
    assert DIALECTS["mrkdwn"].cut("ab<c", 7) == "ab&lt;c"
    assert DIALECTS["mrkdwn"].cut("ab<cd", 7) == "ab&lt;…"
    assert DIALECTS["mrkdwn"].cut("ab<cd", 6) == "ab…"
    assert isinstance(DIALECTS["plain"].cut("a", 5), Safe)


def test_a_storm_is_listed_up_to_a_bound_and_counted():
    """Of 300 columns some are shown, and the number of the others is right."""
    shown = Renderer()(LIVES["many"]).list_findings(2000).splitlines()
    assert len(shown) == 21
    assert shown[-1] == "and 280 more"
    few = Renderer()(LIVES["many"]).list_findings(200).splitlines()
    assert f"and {300 - len(few) + 1} more" == few[-1]


def test_what_is_known_and_what_to_do_are_told_apart():
    """A runbook and a decision are advice, an address among them is a link; the cost stands below
    what to do first; everything else is known.
    """
    facts = {
        "why": "first alert",
        "Runbook": "https://wiki.example/x?a=<b>",
        "likely cause": "a deploy",
        "cost so far": "€ 1,200",
        "decision": "roll back",
    }
    message = Renderer()(notification(facts=facts, own_facts=frozenset({"why"})), "html")
    assert message.known.splitlines() == [
        "<b>Cost of this incident so far</b>: € 1,200",
        "<b>likely cause</b>: a deploy",
    ]
    assert "2. Decision: roll back" in message.todo
    assert '<a href="https://wiki.example/x?a=%3Cb%3E">' in message.todo
    assert "driftline explain churn-1" in message.todo


def test_the_name_of_a_fact_does_not_make_it_driftlines_own():
    """A plugin's fact is shown and counts nothing, whatever it is called."""
    message = Renderer()(notification(facts={"alerts in all": "900"}))
    assert message.known == "alerts in all: 900"
    assert message.list_findings(2000).count("\n") == 0


def test_a_stored_message_reads_the_same_and_one_of_an_earlier_version_too():
    """The earlier version stored the sentences only, in the public facts."""
    told = LIVES["many"]
    stored = json.loads(dump_notification(told))
    new_fields = ("reason_text", "alert_count", "own_facts")
    earlier = {name: value for name, value in stored.items() if name not in new_fields}
    assert len(earlier) == len(stored) - len(new_fields)
    for document in (stored, earlier):
        read = parse_notification(json.dumps(document))
        assert read.reason_text == "first alert"
        read_message, message = Renderer()(read), Renderer()(told)
        assert read_message.known == message.known
        assert read_message.list_findings(200) == message.list_findings(200)


def test_only_numbers_of_windows_are_said_to_come_out_again():
    """Trouble of the agent, and a digest, have no numbers to compute again."""
    assert "driftline reproduce churn-1" in Renderer()(notification()).todo
    for cause in ("monitoring", "digest"):
        assert "reproduce" not in Renderer()(notification(cause=cause)).todo


def test_what_a_check_decides_is_advice():
    """A decision of an alert is said once, unless a plugin says another."""
    told = notification()
    decided = told.alerts[0].model_copy(update={"decision": Decision.ROLL_BACK})
    told = told.model_validate({**told.model_dump(), "alerts": [decided.model_dump()] * 2})
    assert Renderer()(told).todo.splitlines()[2] == "2. Roll back to the version before."
    other = told.model_copy(update={"facts": {"decision": "wait"}})
    assert Renderer()(other).todo.splitlines()[2] == "2. Decision: wait"


@pytest.mark.parametrize("markup", DIALECTS)
def test_hostile_facts_stay_text(markup):
    """Names and texts of facts can't ping, link or open a tag in any markup."""
    told = notification(
        facts={HOSTILE: HOSTILE, "runbook": f"javascript:alert(1) {HOSTILE}"},
        links={HOSTILE: "javascript:1"},
    )
    message = Renderer()(told, markup)
    assert all(_whole(getattr(message, name), markup) for name in PIECES)
    assert message.buttons == ()


@pytest.mark.parametrize("size", [len, lambda text: len(text.encode())])
@pytest.mark.parametrize("limit", [0, 200, 600, 1500, 8000])
def test_pieces_that_fit_together(limit, size):
    """Whatever the measure, all of them stay within the bound; findings have a third at least, and
    all where there is room.
    """
    message = Renderer()(
        notification(facts={f"fact {number}": "é" * 150 for number in range(8)}), "markdown"
    )
    parts = message.parts(limit, size)
    assert sum(map(size, parts.values())) <= max(limit, size(message.more(0)))
    if limit == 8000:
        assert parts["findings"] == "\n".join(message.findings)
        assert all(parts.values())


def test_more_than_a_message_can_hold():
    """With hundreds of facts what ships says what fits, and fails nobody."""
    told = notification(facts={f"fact {number} {'&' * 50}": "<" * 200 for number in range(500)})
    for markup in DIALECTS:
        assert 0 < len(Renderer()(told, markup).known) <= 1500
