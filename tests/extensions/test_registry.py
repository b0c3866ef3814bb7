"""The registry finds what is there, names where it came from, and one that is broken costs only
itself.
"""

from __future__ import annotations

import pickle
import sys
from textwrap import dedent

import pytest

from driftline.extensions import Registry
from driftline.extensions.load import find_installed

HEAD = "from driftline import *\n"
CHECK = HEAD + dedent(
    """
    class {name}(Check):
        "Counts rows."
        type = "{type}"
        def evaluate(self, ctx):
            yield Measurement(ctx.current.rows)

    @hookimpl
    def register_checks():
        return [{name}]
    """
)


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


def found(folder, *paths):
    return Registry.load([folder / path for path in paths] or [folder], entry_points=False)


def told(registry):
    return [
        (problem.origin.rpartition("/")[2], problem.message, problem.fatal)
        for problem in registry.problems
    ]


def test_what_ships_is_found_by_entry_points():
    """The built-in plugins are installed like anyone's, and all of them load."""
    registry = Registry.load()
    assert not registry.problems
    assert {"local", "s3"} <= set(registry.names("source"))
    assert {"jsonl", "csv", "parquet", "sagemaker"} <= set(registry.names("format"))
    assert {"drift", "missing", "range", "volume", "freshness", "performance"} <= set(
        registry.names("check")
    )
    assert {"console", "slack", "pagerduty", "webhook"} <= set(registry.names("sink"))
    info = registry.info("check", "drift")
    assert info.origin == "driftline (driftline_plugins.checks.drift)"
    assert info.hooks == ("register_checks",)


def test_files_and_folders(tmp_path):
    """A folder gives all its plugins but tests and names kept aside; a file gives itself, once."""
    write(
        tmp_path,
        a=CHECK.format(name="A", type="a"),
        b=CHECK.format(name="B", type="b"),
        test_a="1 / 0",
        _c="1 / 0",
        conftest="1 / 0",
    )
    registry = found(tmp_path, ".", "a.py")
    assert registry.names("check") == ["a", "b"]
    assert not registry.problems
    assert registry.get("check", "a")().type == "a"
    assert registry.info("check", "a").origin.endswith("a.py")


def test_the_version_of_a_file_is_its_content(tmp_path):
    """An edit changes the version, and the new code runs, however quickly it follows."""
    write(tmp_path, a=CHECK.format(name="A", type="a"))
    first = found(tmp_path)
    write(tmp_path, a=CHECK.format(name="A", type="z"))
    second = found(tmp_path)
    assert (first.names("check"), second.names("check")) == (["a"], ["z"])
    assert first.info("check", "a").version != second.info("check", "z").version
    assert not (tmp_path / "__pycache__").exists()


def test_a_misspelt_hook(tmp_path):
    """A hook that nobody calls is an error that names the file and the nearest hook."""
    write(
        tmp_path,
        a=HEAD + "@hookimpl\ndef register_cheks(): return []\n",
        b=HEAD + "@hookimpl\ndef zzz(): pass\n",
    )
    first, second = told(found(tmp_path))
    assert first == (
        "a.py",
        "there is no hook 'register_cheks'; did you mean 'register_checks'?",
        True,
    )
    assert second[0] == "b.py"
    assert "on_window_closed" in second[1]


def test_a_hook_with_strange_arguments(tmp_path):
    """A hook that asks for what it will never get is an error."""
    write(tmp_path, a=HEAD + "@hookimpl\ndef on_delivery(sink, weather): pass\n")
    [(origin, message, fatal)] = told(found(tmp_path))
    assert (origin, fatal) == ("a.py", True)
    assert "weather" in message


def test_two_of_one_name(tmp_path):
    """Two checks of one name are an error that names both files; another kind may have that name
    too.
    """
    write(tmp_path, a=CHECK.format(name="A", type="same"), b=CHECK.format(name="B", type="same"))
    sink = "class S(Sink):\n    type = 'same'\n    def send(self, notification): pass\n"
    write(tmp_path, c=HEAD + sink + "@hookimpl\ndef register_sinks(): return [S]\n")
    registry = found(tmp_path)
    [(origin, message, fatal)] = told(registry)
    assert (origin, fatal) == ("b.py", True)
    assert str(tmp_path / "a.py") in message
    assert registry.get("check", "same").__name__ == "A"
    assert registry.names("sink") == ["same"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import nothing_like_it\n", "No module named 'nothing_like_it'"),
        ("def x(:\n", "SyntaxError"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        (
            HEAD + "@hookimpl\ndef register_checks(): raise RuntimeError('not today')\n",
            "register_checks failed: RuntimeError: not today",
        ),
        (
            HEAD + "@hookimpl\ndef register_checks(): return None\n",
            "register_checks failed: TypeError",
        ),
        (HEAD + "@hookimpl\ndef register_checks(): return [dict]\n", "which is no Check"),
        (
            HEAD
            + "class A(Check):\n    type = 'a'\n@hookimpl\ndef register_checks(): return [A]\n",
            "A without evaluate",
        ),
        (
            HEAD
            + "class A(Check):\n    def evaluate(self, ctx): ...\n@hookimpl\ndef register_checks(): return [A]\n",
            'add `type = "..."`',
        ),
        (
            HEAD + "class A(Check):\n    type = 'a'\n    def evaluate(self, ctx): ...\n",
            "registers nothing",
        ),
    ],
)
def test_a_broken_file_costs_only_itself(tmp_path, text, word):
    """Whatever is wrong with one file is told with its origin, and the others load."""
    write(tmp_path, broken=text, fine=CHECK.format(name="A", type="a"))
    loaded_before = set(sys.modules)
    registry = found(tmp_path)
    [(origin, message, fatal)] = told(registry)
    assert (origin, fatal) == ("broken.py", False)
    assert word in message
    assert registry.names("check") == ["a"]
    assert not [
        name
        for name in sys.modules.keys() - loaded_before
        if name.startswith("driftline_own_broken") and "ZeroDivision" in message
    ]


def test_a_path_that_is_not_there(tmp_path):
    """A path that leads nowhere is an error: what stood there would silently be missing."""
    [(_, message, fatal)] = told(found(tmp_path, "nowhere"))
    assert (message, fatal) == ("there is no such file or folder; correct plugins.paths", True)


def test_unknown_names(tmp_path):
    """Asking for what is not there names the nearest, or all there are, and a broken file that may
    have had it.
    """
    write(tmp_path, nulls=CHECK.format(name="A", type="nulls"), sums="1 / 0")
    registry = found(tmp_path)
    with pytest.raises(KeyError, match="did you mean 'nulls'"):
        registry.get("check", "nuls")
    assert registry.unknown_message("sink", "x") == "no sink plugin is called 'x'; there are: none"
    assert "ZeroDivisionError" in registry.unknown_message("check", "sums")


def test_a_collector(tmp_path):
    """Collectors are found too, and listed apart."""
    body = "class C(Collector):\n    name = 'sum'\n"
    for method in ("zero", "from_bytes"):
        body += f"    @classmethod\n    def {method}(cls, *a): ...\n"
    for method in ("update", "merge", "summary", "to_bytes"):
        body += f"    def {method}(self, *a): ...\n"
    write(tmp_path, c=HEAD + body + "@hookimpl\ndef register_collectors(): return [C]\n")
    assert list(found(tmp_path).collectors()) == ["sum"]


def test_listeners_are_listed(tmp_path):
    """A module that only listens has its row in the listing, with its hooks."""
    write(
        tmp_path,
        diary=HEAD
        + "@hookimpl\ndef on_delivery(sink): pass\n@hookimpl\ndef on_window_closed(model): pass\n",
    )
    [row] = found(tmp_path).describe()
    assert (row.name, row.kind, set(row.hooks)) == (
        "diary",
        "hooks",
        {"on_delivery", "on_window_closed"},
    )


def test_plugins_of_files_can_be_pickled(tmp_path):
    """What comes from a file can be handed to another thread or process that knows the file."""
    write(tmp_path, a=CHECK.format(name="A", type="a"))
    made = found(tmp_path).get("check", "a")()
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_check_of_an_unknown_family_is_left_out(tmp_path):
    """A family is one of a list, so a typing error in it is found when the plugin is loaded."""
    plain = CHECK.format(name="Rows", type="rows")
    for name, family in (("typo", "qualty"), ("own", "monitoring"), ("good", "fairness")):
        line = f'type = "{name}"\n    cause = "{family}"'
        write(tmp_path, **{name: plain.replace('type = "rows"', line)})
    registry = found(tmp_path)
    assert registry.names("check") == ["good"]
    assert sorted(message for _, message, _ in told(registry)) == [
        f"register_checks offers the check '{name}' with the family '{family}'; there are: "
        "drift, quality, service, performance, business, fairness"
        for name, family in (("own", "monitoring"), ("typo", "qualty"))
    ]


SINK = HEAD + dedent(
    """
    class Acme(Sink):
        "Sends nowhere."
        type = "{type}"
        def send(self, notification): pass

    @hookimpl
    def register_sinks():
        return [Acme]
    """
)
LISTENER = HEAD + "@hookimpl\ndef on_window_closed(model): pass\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs modules: `install({"entry-point": ("module", "its text")})`."""

    def install(modules):
        site = tmp_path / "site"
        facts = site / "acme-1.2.dist-info"
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.2\n")
        lines = [f"{point} = {module}" for point, (module, _) in modules.items()]
        (facts / "entry_points.txt").write_text("\n".join(["[driftline]", *lines, ""]))
        write(site, **dict(modules.values()))
        for module, _ in modules.values():
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(site)

    return install


def test_an_installed_plugin_is_loaded_when_it_is_asked_for(install):
    """The name of its entry point promises it; a module with another name is loaded at once."""
    install(
        {
            "sink-acme-pager": ("acme_pager", SINK.format(type="acme_pager")),
            "acme-listener": ("acme_listener", LISTENER),
        }
    )
    registry = Registry.load()
    assert "acme_listener" in sys.modules
    registry.get("source", "local")
    assert "acme_pager" not in sys.modules
    assert registry.get("sink", "acme_pager").__name__ == "Acme"
    assert registry.info("sink", "acme_pager").version == "1.2"


def test_a_plugin_that_no_entry_point_promises(install):
    """A module may offer more than its entry point names: such a plugin is found, and listed."""
    install({"sink-acme": ("acme_sink", SINK.format(type="beeper"))})
    assert Registry.load().get("sink", "beeper").__name__ == "Acme"
    assert "beeper" in Registry.load().names("sink")


def test_a_broken_installed_plugin_costs_only_itself(install):
    """It is reported to those who ask for it or list all; a configuration that doesn't name it
    never meets it.
    """
    install(
        {
            "sink-acme": ("acme_broken", "1 / 0\n"),
            "sink-beeper": ("acme_beeper", SINK.format(type="beeper")),
        }
    )
    registry = Registry.load()
    assert registry.get("sink", "beeper").__name__ == "Acme"
    assert not registry.problems
    with pytest.raises(KeyError, match=r"no sink plugin is called 'acme'.*ZeroDivisionError"):
        registry.get("sink", "acme")
    listing = Registry.load()
    assert "console" in {info.name for info in listing.describe()}
    [problem] = listing.problems
    assert problem.origin == "acme (acme_broken)"


def test_an_installed_plugin_keeps_its_name(install, tmp_path):
    """A file that takes the name of an installed plugin is an error, though that plugin was not
    loaded before.
    """
    install({"sink-acme": ("acme_sink", SINK.format(type="acme"))})
    write(tmp_path, own=SINK.format(type="acme"))
    registry = Registry.load([tmp_path / "own.py"])
    [(origin, message, fatal)] = told(registry)
    assert (origin, fatal) == ("own.py", True)
    assert "exists already, from acme (acme_sink)" in message


def test_the_shipped_modules_offer_what_their_entry_points_promise():
    """No shipped module is needed for a kind that its entry point doesn't name."""
    kinds: dict[str, set[str]] = {}
    for info in Registry.load().infos:
        kinds.setdefault(info.origin, set()).add(info.kind)
    for module in find_installed():
        if module.distribution == "driftline":
            assert module.promise is not None
            offered = kinds[f"driftline ({module.point.value})"] - {"collector", "hooks"}
            assert offered <= {module.promise[0]}
