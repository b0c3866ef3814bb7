"""The commands that need nothing but files: what they print, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from driftline.cli import main as main_module
from driftline.cli.main import COMMANDS, main
from driftline.types.errors import ConfigError, Problem, SourceError, StateError

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent.parent
FULL = ROOT / "docs" / "reference" / "config.full.yaml"
LEAST = "version: 1\nmodels: {m: {source: {type: local, options: {path: logs}}}}\n"


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run `driftline ...` in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DRIFTLINE_DEBUG", raising=False)

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(arg) for arg in args])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return run


def test_validate_is_content(command):
    """A file without mistakes is told so, with what is in it."""
    Path("driftline.yaml").write_text(LEAST)
    line = "reference of m: it moves with time; a seasonal change is no lasting change\n"
    fine = "driftline.yaml: fine: 1 model, 7 checks, 0 sinks\n"
    assert command("validate") == (0, line + fine, "")


@pytest.mark.parametrize(
    ("more", "is_hint"),
    [("", True), (", label: churned", False), (", label: {column: churned}", False)],
)
def test_validate_says_that_an_estimate_needs_labels(command, more, is_hint):
    """Without labels in the log or the reference the check never has a value."""
    Path("driftline.yaml").write_text(
        "version: 1\nmodels:\n  m:\n    source: {type: local, options: {path: log.csv}}\n"
        f"    schema: {{prediction: {{score: s, kind: binary}}{more}}}\n"
        "    checks: {guess: {type: estimated_performance}}\n"
    )
    code, out, _ = command("validate")
    assert code == 0
    hint = "hint: the check guess of m needs labels: name their column in schema.label"
    assert (hint in out) == is_hint
    assert bool(json.loads(command("validate", "--json")[1])["hints"]) == is_hint


def test_validate_tells_all_mistakes(command):
    """Mistakes go to stderr, one a line, with the place an editor can jump to; the exit code is
    2.
    """
    Path("x.yaml").write_text("version: 2\nmodels: {m: {source: {type: locl}}}\nagnet: 1\n")
    code, out, err = command("validate", "-c", "x.yaml")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert [line.split(": ")[0] for line in lines[:3]] == [
        "x.yaml:1:10",
        "x.yaml:2:29",
        "x.yaml:3:1",
    ]
    assert lines[3] == "3 mistakes; nothing was started"
    assert "Traceback" not in err


def test_validate_json(command):
    """Programs get the same as one object, on stdout."""
    Path("x.yaml").write_text(
        "version: 2\nmodels: {m: {source: {type: local, options: {path: x}}}}\n"
    )
    code, out, err = command("validate", "--json", "-c", "x.yaml")
    told = json.loads(out)
    assert (code, err, told["valid"]) == (2, "", False)
    [problem] = told["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["name"]) == (
        "x.yaml",
        1,
        10,
        "version",
    )
    Path("x.yaml").write_text(LEAST)
    code, out, _ = command("validate", "--json", "-c", "x.yaml")
    assert (code, json.loads(out)["models"]) == (0, ["m"])


def test_validate_without_a_file(command):
    """A missing file is a mistake with a mend, not a traceback."""
    code, _, err = command("validate")
    assert code == 2
    assert "driftline init" in err


OFFLINE = """
import socket, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("boto3", "botocore", "google", "azure", "scipy", "sqlalchemy", "httpx"):
            raise ImportError(name + " must not be needed")
sys.meta_path.insert(0, Refuse())
def refuse(*a, **k): raise OSError("no network")
socket.socket.connect = socket.getaddrinfo = refuse
from driftline.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "args",
    [
        ["validate", "-c", FULL],
        ["config", "show", "-c", FULL],
        ["schema"],
        ["plugins"],
        ["plugins", "s3"],
    ],
    ids=str,
)
def test_offline_needs_nothing(args):
    """Validating and looking work without any cloud's SDK, database driver, HTTP client or
    network.
    """
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_config_show(command):
    """Each setting stands with its value and its line, or that it is a default; a secret stays a
    reference.
    """
    Path("driftline.yaml").write_text(
        LEAST + "sinks: {a: {type: slack, options: {webhook_url: '${env:HOOK}'}}}\n"
    )
    code, out, _ = command("config", "show")
    lines = {
        line.partition("  # ")[0].strip(): line.partition("  # ")[2] for line in out.splitlines()
    }
    assert code == 0
    assert lines['models.m.source.options.path: "logs"'] == "driftline.yaml:2"
    assert lines['models.m.windows.lateness: "15m"'] == "default"
    assert lines['sinks.a.options.webhook_url: "${env:HOOK}"'] == "driftline.yaml:3"
    code, out, _ = command("config", "show", "--json")
    assert {"name": "agent.every", "value": "1m", "origin": "default"} in json.loads(out)


def test_schema(command):
    """Both schemas are JSON Schema, and know what ships."""
    code, out, _ = command("schema")
    schema = json.loads(out)
    assert code == 0
    assert {"local", "s3", "gcs", "azure_blob", "bigquery"} <= {
        one["properties"]["type"]["const"] for one in schema["$defs"]["source"]["oneOf"]
    }
    assert json.loads(command("schema", "--notification")[1])["title"] == "Notification"


def test_plugins(command):
    """The listing names kind, version, origin and hooks, one plugin a line."""
    code, out, _ = command("plugins")
    [line] = [line for line in out.splitlines() if line.startswith("drift ")]
    assert code == 0
    assert line.split() == [
        "drift",
        "check",
        "0.1.0",
        "driftline",
        "(driftline_plugins.checks.drift)",
        "register_checks",
    ]
    rows = json.loads(command("plugins", "--json")[1])["plugins"]
    assert {"name", "kind", "version", "origin", "hooks"} == set(rows[0])


def test_plugins_of_the_configuration(command):
    """Plugins of one's own are listed with their file; one that can't be loaded is told, and the
    exit code is 1.
    """
    Path("mine").mkdir()
    Path("mine/broken.py").write_text("1 / 0\n")
    Path("driftline.yaml").write_text(LEAST + "plugins: {paths: [mine]}\n")
    assert command("new-plugin", "check", "mine_too", "--dir", "mine")[0] == 0
    code, out, err = command("plugins")
    assert code == 1
    assert "mine/mine_too.py" in out
    assert "not loaded: mine/broken.py: could not be loaded: ZeroDivisionError" in err


def test_one_plugin(command):
    """With a name its settings, defaults and least rights are shown; a name nobody has gets the
    nearest.
    """
    code, out, _ = command("plugins", "s3")
    assert code == 0
    assert "bucket: text; required" in out
    assert "s3:GetObject on arn:aws:s3:::BUCKET/*" in out
    [told] = json.loads(command("plugins", "s3", "--json")[1])
    assert told["permissions"]
    code, _, err = command("plugins", "dirft")
    assert code == 2
    assert "Did you mean 'drift'?" in err


@pytest.mark.parametrize(
    "kind",
    [
        "sink",
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in ("collector", "check", "source", "format", "action")
        ),
    ],
)
def test_new_plugin_works_as_it_is(command, kind):
    """A new plugin's own test passes, a configuration can name it, and nothing is overwritten."""
    code, out, _ = command("new-plugin", kind, "my-own", "--dir", "new")
    assert code == 0
    assert out.splitlines()[:2] == ["new/my_own.py", "new/test_my_own.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "new"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    Path("driftline.yaml").write_text(LEAST + "plugins: {paths: [new]}\n")
    rows = json.loads(command("plugins", "--json")[1])["plugins"]
    assert [row["kind"] for row in rows if row["name"] == "my-own"] == (
        ["check", "collector"] if kind == "collector" else [kind]
    )
    assert command("new-plugin", kind, "my-own", "--dir", "new")[0] == 2


def test_a_chart_of_a_backtest_needs_its_folder(command):
    """It is said before the work begins, with the exit code of the environment."""
    Path("driftline.yaml").write_text(LEAST)
    code, _, err = command("backtest", "--chart", "no/such/a.svg")
    assert code == 3
    assert "no/such/a.svg" in err
    assert "there is no such folder" in err


@pytest.mark.parametrize("letters", [20, 40])
@pytest.mark.parametrize("kind", ["check", "collector", "source", "format", "sink", "action"])
def test_new_plugin_keeps_the_style_with_a_long_name(command, kind, letters):
    """Where CONTRIBUTING.md moves the files, ruff accepts them after its own format and fixes."""
    module = "my_" + "a" * (letters - 3)
    assert command("new-plugin", kind, module, "--dir", "new")[0] == 0
    code = Path(f"new/{module}.py").read_text()
    test = Path(f"new/test_{module}.py").read_text()
    test = test.replace(f"from {module} import", f"from driftline_plugins.{kind}s.{module} import")
    for text, target in (
        (code, ROOT / f"plugins/{kind}s/{module}.py"),
        (test, ROOT / f"tests/{kind}s/test_{module}.py"),
    ):
        formatted = ruff(["format", "-q"], text, target)
        fixed = ruff(["check", "--fix", "-q"], formatted, target)
        if letters == 20:
            assert fixed == text


def ruff(arguments, text, target):
    """What ruff returns for the text of a file; nothing is written."""
    done = subprocess.run(
        [Path(sys.executable).parent / "ruff", *arguments, "--stdin-filename", target, "-"],
        input=text,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_new_plugin_refuses_a_name_that_ships(command):
    """The name is taken, and the sentence says by what."""
    for kind in ("check", "collector"):
        code, _, err = command("new-plugin", kind, "missing")
        assert (code, list(Path().iterdir())) == (2, [])
        assert "A check called missing exists already, from driftline" in err
    assert command("new-plugin", "sink", "missing")[0] == 0


@pytest.mark.parametrize("name", ["Two Words", "class", "test_x", "9lives", "../up"])
def test_new_plugin_refuses_names(command, name):
    """A name that could not be loaded afterwards is refused, and nothing is written."""
    assert command("new-plugin", "check", name)[0] == 2
    assert not list(Path().iterdir())


def test_mistyped_commands(command):
    """A command that is nearly right is suggested."""
    code, _, err = command("validat")
    assert code == 2
    assert "Did you mean 'validate'?" in err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            ConfigError([Problem(path="x.yaml", line=3, column=4, name="a.b", message="wrong")]),
            2,
            "x.yaml:3:4: a.b: wrong\n1 mistake; nothing was started\n",
        ),
        (SourceError("bucket b: access denied"), 3, "driftline: bucket b: access denied\n"),
        (StateError("locked"), 3, "driftline: locked\n"),
        (
            RuntimeError("bug"),
            3,
            "driftline failed: RuntimeError: bug\nThis is a bug. Set DRIFTLINE_DEBUG=1 to see the traceback.\n",
        ),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
    ],
)
def test_errors_become_exit_codes(command, monkeypatch, error, code, text):
    """No traceback for what a person can mend: a message on stderr, and a code that means
    something.
    """

    def fail(*args, **options):
        raise error

    monkeypatch.setattr(main_module.cli, "main", fail)
    assert command("anything") == (code, "", text)


def test_tracebacks_are_there_for_those_who_ask(command, monkeypatch):
    """With DRIFTLINE_DEBUG=1 an error comes through as it is."""
    monkeypatch.setenv("DRIFTLINE_DEBUG", "1")
    with pytest.raises(ConfigError):
        main(["validate", "-c", "missing.yaml"])


def test_every_command_is_there():
    """Each line of the help leads to a command."""
    group = main_module.cli
    with click.Context(group) as ctx:
        for name in COMMANDS:
            assert isinstance(group.get_command(ctx, name), click.Command), name


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_report_that_cannot_be_written_is_no_finding(command, form):
    """Exit code 1 says that something changed; a folder that is not there is the environment."""
    Path("a.csv").write_text("amount\n" + "1\n2\n3\n" * 40)
    options = ["--json"] if form == "json" else []
    code, _, err = command("compare", "a.csv", "a.csv", "--html", "no/such/a.html", *options)
    assert (code, "No such file or directory" in err) == (3, True)


@pytest.mark.parametrize("name", ["silence", "snooze"])
def test_a_length_beyond_the_calendar_is_a_mistake(command, name):
    """A silence and a snooze end in a year that exists."""
    code, _, err = command(name, "model=m", "--for", "3000000d")
    assert (code, "ends after the year 9999" in err) == (2, True)
