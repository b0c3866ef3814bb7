"""docs/notifications.md is true: its sink keeps the contract, its routes lead where it shows, its
message is as stored.
"""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from driftline import Secret
from driftline.cli.main import main
from driftline.testing import FakeHttp, assert_plugin_contract, notification, start_context

PAGE = (Path(__file__).parent.parent.parent / "docs" / "notifications.md").read_text(
    encoding="utf-8"
)
GOLDEN = Path(__file__).parent / "golden"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_a_sink_of_ones_own_is_short_and_keeps_the_contract(tmp_path, monkeypatch):
    """At most 60 lines, and everything that is asked of a sink holds for it."""
    [text] = blocks("python")
    assert len(text.splitlines()) <= 60
    file = tmp_path / "team.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location("team", file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "team", module)
    spec.loader.exec_module(module)
    sink = module.Team(url=Secret("${env:A}", "https://board.example/x"))
    assert_plugin_contract(sink)
    http = FakeHttp()
    sink.start(start_context(http=http))
    sink.send(notification())
    [post] = http.posts
    assert post.json["subject"].startswith("WARNING churn: tenure \\<drifts\\>")


def test_the_shipped_sinks_are_short():
    """A sink that only arranges pieces takes at most 60 lines, and none takes more than 200."""
    folder = Path(__file__).parent.parent.parent / "plugins" / "sinks"
    lines = {file.stem: len(file.read_text().splitlines()) for file in folder.glob("*.py")}
    assert max(lines["console"], lines["slack"]) <= 60
    assert max(lines.values()) <= 200


def test_the_routes_lead_where_the_page_shows(tmp_path, monkeypatch, capsys):
    """The example with real sources and sinks in it explains itself as shown."""
    [text] = [block for block in blocks("yaml") if "continue: true" in block]
    text = text.replace("source: {...}", "source: {type: local, options: {path: logs}}").replace(
        "{...}", "{type: console}"
    )
    monkeypatch.chdir(tmp_path)
    Path("driftline.yaml").write_text(f"version: 1\n{text}")
    [shown] = [block for block in blocks("") if block.startswith("$ driftline routes explain")]
    command, *lines = shown.splitlines()
    with pytest.raises(SystemExit):
        main(command.split()[2:])
    assert capsys.readouterr().out.splitlines() == lines


def test_the_terminal_shows_what_the_page_shows():
    """The example is the stored message."""
    [shown] = [block for block in blocks("") if block.startswith("▌")]
    assert (GOLDEN / "console_several.txt").read_text(encoding="utf-8").strip() == shown.strip()


def test_every_template_name_is_on_the_page():
    """Each name that a template may use is told of."""
    from driftline.delivery.rendering import renderer
    from driftline.delivery.rendering.markup import DIALECTS
    from driftline.extensions.phrasebook import installed_phrasebook

    told = notification()
    names = {
        *renderer._names(told, installed_phrasebook()),
        *renderer._functions(DIALECTS["plain"]),
        "subject",
        "figures",
        "left",
        "findings",
    }
    assert {name for name in names if not re.search(rf"`{name}[`(]", PAGE)} == set()
