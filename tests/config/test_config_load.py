"""A configuration that is fine: defaults, references, plugins of one's own, and a digest for
provenance.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import toy_plugins as toy

from driftline import Kind, Secret, Severity
from driftline.config import load_config, model_digest
from driftline.config.show import effective_settings
from driftline.extensions import Registry
from driftline.kit.checks import Task
from driftline.types.errors import ConfigError
from driftline.types.schema_json import schema_from_json, schema_to_json

LEAST = "version: 1\nmodels:\n  m:\n    source: {type: disk, options: {path: logs}}\n"


def written(tmp_path, text):
    path = tmp_path / "driftline.yaml"
    path.write_text(text)
    return path


def read(tmp_path, text, secrets=None):
    return load_config(written(tmp_path, text), toy.registry(), secrets)


def test_the_least_configuration(tmp_path):
    """A version and one model with its source are enough; everything else has a default."""
    config = read(tmp_path, LEAST)
    model = config.models["m"]
    assert (config.agent.state, config.agent.every) == (
        "sqlite:///driftline.db",
        timedelta(seconds=60),
    )
    assert (model.windows.length, model.windows.lateness) == (
        timedelta(hours=1),
        timedelta(minutes=15),
    )
    assert (model.schema_, model.reference, model.notify) == (None, None, None)
    assert config.origin == tmp_path / "driftline.yaml"
    assert config.registry.names("source") == ["disk"]


def test_default_checks_come_from_what_is_installed(tmp_path):
    """Without checks the default ones run, performance too where there are labels, labels where
    these come later, uniqueness where there is an id, and those of texts and embeddings where the
    schema has such features.
    """
    source = "source: {type: local, options: {path: logs}}"
    label = (
        "schema: {features: {a: numeric}, prediction: {kind: binary, score: p}, label: {column: y}}"
    )
    late = "labels: {type: local, options: {path: truth}, max_disk: 1.5GB}, schema: {id: i, prediction: {kind: binary, score: p}}"
    told = {
        "m": source,
        "n": f"{source}, {label}",
        "o": f"{source}, checks: {{}}",
        "p": f"{source}, {late}",
    }
    told["q"] = f"{source}, schema: {{features: {{t: text, e: embedding, i: image}}}}"
    lines = "".join(f"  {name}: {{{text}}}\n" for name, text in told.items())
    path = written(tmp_path, f"version: 1\nmodels:\n{lines}")
    models = load_config(path).models
    plain = ["schema", "drift", "missing", "range", "units", "volume", "freshness"]
    assert list(models["m"].checks) == plain
    related = ["schema", "drift", "correlation", *plain[2:]]
    assert list(models["n"].checks) == [*related, "performance", "slices", "label_classes"]
    assert models["o"].checks == {}
    assert list(models["q"].checks) == [*plain, "text", "embedding"]
    assert list(models["p"].checks) == [
        *plain,
        "performance",
        "slices",
        "label_classes",
        "labels",
        "uniqueness",
    ]
    assert models["p"].labels.max_disk == 1_500_000_000
    assert models["p"].labels.wait_for == timedelta(days=30)


def test_sinks_and_notify(tmp_path):
    """A model that names no sinks leaves it to the routes; one that names none tells nobody."""
    sinks = "sinks:\n  a: {type: chat, options: {url: '${env:U}'}}\n  b: {type: chat, options: {url: '${env:U}'}}\n"
    source = "source: {type: disk, options: {path: x}}"
    more = f"  n: {{{source}, notify: [b]}}\n  o: {{{source}, notify: []}}\n"
    config = read(tmp_path, LEAST + more + sinks)
    assert [model.notify for model in config.models.values()] == [None, ("b",), ()]
    assert config.sinks["a"].min_severity is Severity.INFO


def test_schema_roles(tmp_path):
    """Short and long forms of columns make one canonical schema."""
    schema = """\
    schema:
      timestamp: {path: meta.at, name: at}
      id: event_id
      version: "v7"
      features: {age: numeric, plan: {kind: categorical, path: customer.plan}}
      prediction: {kind: binary, column: churned, score: {path: out.p, name: p}, positive: true, threshold: 0.3}
      label: {column: truth}
      segments: [plan]
      redact: [age]
"""
    made = read(tmp_path, LEAST + schema).models["m"].schema_.to_schema()
    assert (made.timestamp.name, made.timestamp.path, made.id.path) == ("at", "meta.at", "event_id")
    assert (made.version, made.constant_version) == (None, "v7")
    assert made.features["plan"].path == "customer.plan"
    assert (made.task, made.positive, made.threshold) == (Task.BINARY, "1", 0.3)
    assert (made.prediction.kind, made.score.path, made.label.kind) == (
        Kind.CATEGORICAL,
        "out.p",
        Kind.CATEGORICAL,
    )
    assert (made.segments, made.redact) == (("plan",), {"age"})


@pytest.mark.parametrize("label", ["left", "'left'", "{column: left}", "{column: {path: left}}"])
def test_a_label_is_named_by_its_column(tmp_path, label):
    """The short form and the long ones make one schema."""
    text = "    schema: {prediction: {column: guess, kind: binary}, label: LABEL}\n"
    model = read(tmp_path, LEAST + text.replace("LABEL", label)).models["m"]
    assert model.schema_.to_schema().label.path == "left"


def test_a_short_label_that_is_a_feature_too_is_a_mistake(tmp_path):
    text = "    schema: {features: {left: numeric}, prediction: {column: p, kind: binary}, label: left}"
    with pytest.raises(ConfigError, match="the column is in features already"):
        read(tmp_path, f"{LEAST}{text}\n")


def test_a_bare_version_is_a_column(tmp_path):
    """Quotes make a constant version, a bare word names a column."""
    bare = read(tmp_path, LEAST + "    schema: {version: v7}\n").models["m"]
    quoted = read(tmp_path, LEAST + "    schema: {version: 'v7'}\n").models["m"]
    assert bare.schema_.to_schema().version.path == "v7"
    assert quoted.schema_.to_schema().constant_version == "v7"
    assert model_digest(bare) != model_digest(quoted)


def test_texts_images_and_embeddings_stand_for_several_columns(tmp_path):
    """Columns are made of such a feature, each of a kind of its own; redacting it redacts them
    all.
    """
    schema = """    schema:
      features:
        said: text
        photo: {kind: image, path: body.image}
        meaning: {kind: embedding, dimension: 768}
        later: embedding
        run: {kind: embedding, path: "e_{008..011}"}
      segments: [said.script]
      redact: [said]
"""
    made = read(tmp_path, LEAST + schema).models["m"].schema_.to_schema()
    assert {name: part.dimension for name, part in made.features.items()} == {
        "said": 0, "photo": 0, "meaning": 768, "later": 0, "run": 4,
    }  # fmt: skip
    assert made.embeddings_without_dimension == ("later",)
    assert [field.path for field in made.fields] == [
        "said", "body.image", "meaning", "later", "e_008", "e_009", "e_010", "e_011",
    ]  # fmt: skip
    assert (made.profile_columns["said.words"], made.profile_columns["said.script"]) == (
        Kind.NUMERIC,
        Kind.CATEGORICAL,
    )
    assert (made.profile_columns["photo.blur"], made.profile_columns["meaning"]) == (
        Kind.NUMERIC,
        Kind.EMBEDDING,
    )
    assert {"body.image", "photo"}.isdisjoint(made.profile_columns)
    assert {"said", "said.word", "said.characters"} <= made.redact
    assert "photo.blur" not in made.redact


def test_a_stored_schema_keeps_kinds_and_dimensions(tmp_path):
    """What the state keeps of a schema is all of it, and redacts what it redacted."""
    text = "    schema: {features: {t: text, e: {kind: embedding, dimension: 9}, r: numeric}, redact: [t]}\n"
    made = read(tmp_path, LEAST + text).models["m"].schema_.to_schema()
    assert schema_from_json(schema_to_json(made)) == made


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
def test_kinds_of_prediction(tmp_path, kind):
    """Numbers are compared as numbers, classes as classes."""
    schema = f"    schema: {{prediction: {{kind: {kind}, column: y}}, label: {{column: t}}}}\n"
    made = read(tmp_path, LEAST + schema).models["m"].schema_.to_schema()
    expected = Kind.NUMERIC if kind == "regression" else Kind.CATEGORICAL
    assert (made.prediction.kind, made.label.kind) == (expected, expected)


def test_references(tmp_path):
    """A training file, a fixed span of time or the newest days: each is read as what it is."""
    models = "".join(
        f"  {name}: {{source: {{type: disk, options: {{path: x}}}}, reference: {told}}}\n"
        for name, told in {
            "file": "{type: disk, options: {path: train}}",
            "span": "{window: 2024-05-01/2024-06-01T12:00:00+02:00}",
            "newest": "{trailing: 4w}",
        }.items()
    )
    found = read(tmp_path, "version: 1\nmodels:\n" + models).models
    assert found["file"].reference.plugin == toy.Disk(path="train")
    assert found["span"].reference.window == (
        datetime(2024, 5, 1, tzinfo=UTC),
        datetime(2024, 6, 1, 10, tzinfo=UTC),
    )
    assert found["newest"].reference.trailing == timedelta(days=28)


SECRETS = LEAST.replace("path: logs", "path: 'logs/${env:STAGE}', depth: '${env:DEPTH}'") + (
    "sinks:\n  a: {type: chat, options: {url: '${env:CHAT}', room: '${file:/run/room}'}}\n"
)


def test_offline_nothing_is_resolved(tmp_path):
    """Without a resolver references stay as they are, also where a number is expected, and nothing
    is read.
    """
    config = read(tmp_path, SECRETS)
    assert config.sinks["a"].plugin.url == Secret("${env:CHAT}")
    assert config.sinks["a"].plugin.room == "${file:/run/room}"
    assert config.models["m"].source.path == "logs/${env:STAGE}"
    with pytest.raises(RuntimeError):
        config.sinks["a"].plugin.url.reveal()


def test_references_are_resolved(tmp_path):
    """With a resolver secrets hold what they stand for, without showing it, and other text has it
    in place.
    """
    values = {
        ("env", "STAGE"): "prod",
        ("env", "DEPTH"): "5",
        ("env", "CHAT"): "https://x/hunter2",
        ("file", "/run/room"): "ops",
    }
    config = read(tmp_path, SECRETS, lambda kind, name: values[kind, name])
    sink, source = config.sinks["a"].plugin, config.models["m"].source
    assert (sink.url.reveal(), sink.room) == ("https://x/hunter2", "ops")
    assert (source.path, source.depth) == ("logs/prod", 5)
    assert "hunter2" not in f"{config!r}{config.model_dump_json(exclude={'origin'})}"


def test_references_that_lead_nowhere(tmp_path):
    """A missing variable or file is a mistake with its place; what was read is never shown, also in
    other mistakes.
    """

    def secrets(kind, name):
        if kind == "file":
            raise FileNotFoundError(2, "No such file or directory")
        return {"DEPTH": "hunter2", "CHAT": ""}[name]

    with pytest.raises(ConfigError) as caught:
        read(tmp_path, SECRETS, secrets)
    found = {problem.name: problem.message for problem in caught.value.problems}
    assert found == {
        "models.m.source.options.path": "the environment has no variable STAGE; set it, or name another one",
        "models.m.source.options.depth": "should be a whole number",
        "sinks.a.options.url": "${env:CHAT} is empty; give it a value",
        "sinks.a.options.room": "the file /run/room can't be read: No such file or directory",
    }


def test_the_digest_is_about_what_is_measured(tmp_path):
    """Comments, order and who is told don't change it; a setting does, and a secret's value is not
    in it.
    """
    base = model_digest(read(tmp_path, LEAST).models["m"])
    assert (
        model_digest(
            read(tmp_path, "# x\n" + LEAST + "    notify: []\n    every: 5s\n").models["m"]
        )
        == base
    )
    assert model_digest(read(tmp_path, LEAST + "    windows: {length: 2h}\n").models["m"]) != base
    values = [
        model_digest(read(tmp_path, SECRETS, lambda kind, name, n=n: f"{n}").models["m"])
        for n in (1, 2)
    ]
    assert values[0] == values[1]


def test_plugins_are_found_beside_the_file(tmp_path, monkeypatch):
    """Paths of plugins start at the folder of the file, wherever the command is run."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "rows.py").write_text(
        "from driftline import check, hookimpl\n\n@check()\ndef row_count(window, reference):\n    '''Rows.'''\n"
        "    return window.rows\n\n@hookimpl\ndef register_checks():\n    return [row_count]\n"
    )
    text = (
        LEAST.replace("disk", "local")
        + "    checks: {a: {type: row_count}}\nplugins: {paths: [mine]}\n"
    )
    monkeypatch.chdir("/")
    assert load_config(written(tmp_path, text)).models["m"].checks["a"].plugin.type == "row_count"


def test_fatal_trouble_with_plugins_has_a_place(tmp_path):
    """A misspelt hook and a name that is taken are mistakes at the entry of plugins.paths that led
    there.
    """
    head = "from driftline import Check, hookimpl\nclass A(Check):\n    type = 'missing'\n"
    head += "    def evaluate(self, ctx): return iter(())\n"
    (tmp_path / "taken.py").write_text(head + "@hookimpl\ndef register_checks(): return [A]\n")
    (tmp_path / "spelt.py").write_text(head + "@hookimpl\ndef register_check(): return [A]\n")
    text = LEAST.replace("disk", "local") + "plugins: {paths: [taken.py, spelt.py]}\n"
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text))
    first, second = caught.value.problems
    assert (first.line, first.name, second.name) == (5, "plugins.paths[0]", "plugins.paths[1]")
    assert (
        "called 'missing' exists already, from driftline (driftline_plugins.checks.missing)"
        in first.message
    )
    assert str(tmp_path / "taken.py") in first.message
    assert "no hook 'register_check'; did you mean 'register_checks'?" in second.message


def test_a_broken_plugin_costs_only_itself(tmp_path):
    """A file that raises is noted while all else works, and who asks for what it offered is told of
    it.
    """
    (tmp_path / "broken.py").write_text("1 / 0\n")
    text = LEAST.replace("disk", "local") + "plugins: {paths: [broken.py]}\n"
    config = load_config(written(tmp_path, text))
    assert "ZeroDivisionError" in str(config.registry.problems[-1])
    with pytest.raises(ConfigError, match=r"no check plugin is called 'broken'.*ZeroDivisionError"):
        load_config(
            written(tmp_path, text.replace("plugins:", "    checks: {a: {type: broken}}\nplugins:"))
        )


def test_the_effective_configuration(tmp_path):
    """Each setting in force names its line or that it is a default, and no secret is shown."""
    text = (
        LEAST
        + "agent: {state: 'postgresql://u:hunter2@db/x'}\nsinks:\n  a: {type: chat, options: {url: '${env:CHAT}'}}\n"
    )
    path = written(tmp_path, text)
    found = {one.name: (one.value, one.origin) for one in effective_settings(path, toy.registry())}
    assert found["models.m.source.options.path"] == ("logs", f"{path}:4")
    assert found["models.m.source.options.depth"] == (3, "default")
    assert found["models.m.windows.length"] == ("1h", "default")
    assert found["sinks.a.options.url"] == ("${env:CHAT}", f"{path}:7")
    assert found["agent.state"] == ("postgresql://u:***@db/x", f"{path}:5")
    assert "hunter2" not in repr(found)


def test_an_executor_plugin(tmp_path):
    """Threads need no plugin; any other executor is one, and a mistake in its name is told."""
    assert (
        read(tmp_path, LEAST + "agent: {executor: {type: threads}}\n").agent.executor.plugin is None
    )
    with pytest.raises(ConfigError, match="no executor plugin is called 'dsk'"):
        read(tmp_path, LEAST + "agent: {executor: {type: dsk}}\n")


def test_a_registry_may_be_shared(tmp_path):
    """A registry that is handed in is used as it is: nothing is looked for again."""
    registry = Registry.load()
    assert (
        load_config(written(tmp_path, LEAST.replace("disk", "local")), registry).registry
        is registry
    )
