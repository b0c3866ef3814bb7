"""Every mistake of a configuration has an address and a mend, and all of them come at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_plugins as toy

from driftline.config import load_config
from driftline.types.errors import ConfigError
from driftline.types.scalars import Persistence

WELL = """\
version: 1
agent:
  every: 30s
models:
  churn:
    source: {type: disk, options: {path: logs}}
    schema:
      timestamp: at
      features: {age: numeric, plan: categorical}
      prediction: {kind: binary, score: p}
      segments: [plan]
    windows: {length: 1h}
    checks:
      nulls: {type: nulls, options: {columns: [age]}, rule: {above: {warning: 0.1}}, for: 2, min_rows: 9}
    notify: [team]
sinks:
  team: {type: chat, min_severity: warning, options: {url: "${env:CHAT}"}}
"""
"""Fine as it is; each case below puts one mistake into it."""

KINDS = {
    "unknown setting": ("every: 30s", "evry: 30s", 3, 3, "agent.evry", "unknown setting; did you mean 'every'?"),
    "unknown section": ("agent:", "agnet:", 2, 1, "agnet", "unknown setting; did you mean 'agent'?"),
    "missing setting": ("{path: logs}", "{depth: 2}", 6, 26, "models.churn.source.options.path", "this setting is missing"),
    "missing section": (
        "    source: {type: disk, options: {path: logs}}\n", "", 5, 3, "models.churn.source", "this setting is missing",
    ),
    "not a number": ("{path: logs}", "{path: logs, depth: deep}", 6, 55, "models.churn.source.options.depth",
                     "should be a whole number"),
    "not text": ("{path: logs}", "{path: 7}", 6, 42, "models.churn.source.options.path", "should be text; put it in quotes"),
    "a list where one is needed": ("notify: [team]", "notify: team", 15, 13, "models.churn.notify", "should be a list: [a, b]"),
    "settings where they are needed": ("windows: {length: 1h}", "windows: 1h", 12, 14, "models.churn.windows",
                                       "should be settings: `name: value`"),
    "not one of the choices": ("numeric", "numerc", 9, 23, "models.churn.schema.features.age",
                               "should be one of numeric, categorical, text, image, embedding; did you mean 'numeric'?"),
    "a plugin's choice": ("{columns: [age]}", "{method: sketsh}", 14, 46, "models.churn.checks.nulls.options.method",
                          "should be one of exact, sketch; did you mean 'sketch'?"),
    "time without unit": ("every: 30s", "every: 30", 3, 10, "agent.every",
                          "should be a time with its unit, such as 90s, 15m, 1h or 28d"),
    "a length of nothing": ("length: 1h", "length: 0s", 12, 23, "models.churn.windows.length", "should be longer than 0"),
    "out of range": ("min_rows: 9", "min_rows: 0", 14, 104, "models.churn.checks.nulls.min_rows", "should be greater than or equal to 1"),
    "unknown plugin": ("type: nulls", "type: nuls", 14, 21, "models.churn.checks.nulls.type",
                       "no check plugin is called 'nuls'; did you mean 'nulls'?"),
    "plugin not named": ("{type: disk, ", "{", 6, 5, "models.churn.source.type", "this setting is missing; there are: disk"),
    "option of a plugin": ("columns: [age]", "colums: [age]", 14, 38, "models.churn.checks.nulls.options.colums",
                           "unknown setting; did you mean 'columns'?"),
    "option outside of options": ("{type: nulls, ", "{type: nulls, method: exact, ", 14, 28,
                                  "models.churn.checks.nulls.method",
                                  "belongs under `options`, with the other settings of the plugin"),
    "unknown format": ("{path: logs}", "{path: logs, format: line}", 6, 56, "models.churn.source.options.format",
                       "no format plugin is called 'line'; did you mean 'lines'?"),
    "option of a format": ("{path: logs}", "{path: logs, format: {type: lines, options: {separatr: ;}}}", 6, 80,
                           "models.churn.source.options.format.options.separatr",
                           "unknown setting; did you mean 'separator'?"),
    "unknown sink": ("notify: [team]", "notify: [teem]", 15, 14, "models.churn.notify[0]",
                     "no sink is called 'teem'; did you mean 'team'?"),
    "unknown column of a check": ("[age]", "[agee]", 14, 48, "models.churn.checks.nulls.options.columns[0]",
                                  "the schema has no column 'agee'; did you mean 'age'?"),
    "unknown segment": ("[plan]", "[plam]", 11, 18, "models.churn.schema.segments[0]",
                        "no feature is called 'plam'; did you mean 'plan'?"),
    "numeric segment": ("[plan]", "[age]", 11, 18, "models.churn.schema.segments[0]",
                        "'age' is numeric; give segments of bands: name, column and bands"),
    "bands of a text": ("[plan]", "[{name: band, column: plan, bands: [1, 2]}]", 11, 39,
                        "models.churn.schema.segments[0].column", "'plan' is not numeric; bands are made of numbers"),
    "bands that fall": ("[plan]", "[{name: band, column: age, bands: [2, 1]}]", 11, 18,
                        "models.churn.schema.segments[0]", "the limits of the bands should be finite and rise"),
    "bands of nothing": ("[plan]", "[{name: band, columns: [plan], bands: [1, 2]}]", 11, 18,
                         "models.churn.schema.segments[0]", "column and bands belong together"),
    "two rules of a segment": ("[plan]", "[{name: band, columns: [plan], where: age > 3}]", 11, 18,
                               "models.churn.schema.segments[0]", "give one of column (with bands), columns and where"),
    "condition on no column": ("[plan]", "[{name: old, where: agee > 60}]", 11, 37,
                               "models.churn.schema.segments[0].where", "the schema has no column 'agee'; did you mean 'age'?"),
    "segment of no feature": ("[plan]", "[{name: both, columns: [plan, planet]}]", 11, 47,
                              "models.churn.schema.segments[0].columns[1]", "no feature is called 'planet'; did you mean 'plan'?"),
    "segment like a column": ("[plan]", "[{name: plan, where: age > 60}]", 11, 25,
                              "models.churn.schema.segments[0].name", "a column is called 'plan'; give the segments another name"),
    "segment of a text": ("{age: numeric, plan: categorical}", "{age: numeric, plan: text}", 11, 18,
                          "models.churn.schema.segments[0]",
                          "'plan' is not categorical; segments are made of categorical features; of it there is plan.script"),
    "column that a text makes": ("{age: numeric,", "{age: numeric, t: text, t.words: numeric,", 9, 41,
                                 "models.churn.schema.features.t.words", "another feature makes a column t.words too"),
    "image as a column of a check": ("age: numeric", "age: image", 14, 48,
                                     "models.churn.checks.nulls.options.columns[0]",
                                     "the schema has no column 'age'; did you mean 'age.red'?"),
    "nearly a text": ("numeric", "txt", 9, 23, "models.churn.schema.features.age",
                      "should be one of numeric, categorical, text, image, embedding; did you mean 'text'?"),
    "nearly an embedding": ("age: numeric", "age: {kind: embeding}", 9, 30, "models.churn.schema.features.age.kind",
                            "should be one of numeric, categorical, text, image, embedding; did you mean 'embedding'?"),
    "dimension of a number": ("age: numeric", "age: {kind: numeric, dimension: 3}", 9, 23, "models.churn.schema.features.age",
                              "only an embedding has a dimension"),
    "two dimensions": ("age: numeric", 'age: numeric, e: {kind: embedding, path: "e_{0..9}", dimension: 3}', 9, 35,
                       "models.churn.schema.features.e", "e_{0..9} are 10 columns, not 3"),
    "too many columns": ("age: numeric", 'age: numeric, e: {kind: embedding, path: "e_{0..99999999999}"}', 9, 35,
                         "models.churn.schema.features.e", "an embedding has 4,096 values at most"),
    "column in two parts": ("score: p", "score: age", 10, 41, "models.churn.schema.prediction.score",
                            "the column is in features already; a column plays one part"),
    "duplicate key": ("windows: {length: 1h}", "windows: {length: 1h}\n    windows: {}", 13, 5, "models.churn.windows",
                      "is set twice, first in line 12; keep one of them"),
    "literal secret": ('"${env:CHAT}"', "https://chat.example/HUNTER2", 17, 60, "sinks.team.options.url",
                       "a secret must not be written here; name it as ${env:NAME} or ${file:/path}"),
    "two rules in one": ("{above: {warning: 0.1}}", "{above: {warning: 0.1}, below: {info: 1}}", 14, 61,
                         "models.churn.checks.nulls.rule", "give exactly one of unusual, loss, above, below, outside, p_value, "
                         "shewhart, sigma, ewma, cusum"),
    "rule of no bound": ("{warning: 0.1}", "{wanring: 0.1}", 14, 70, "models.churn.checks.nulls.rule.above.wanring",
                         "unknown setting; did you mean 'warning'?"),
    "bare constant version": ("timestamp: at", "version: 1.10", 8, 16, "models.churn.schema.version",
                              "put a constant version in quotes; a bare word is a column"),
    "reference of two kinds": ("    windows:",
                               "    reference: {trailing: 7d, window: 2024-01-01/2024-02-01}\n    windows:", 12, 16,
                               "models.churn.reference", "give exactly one of type (with options), window and trailing"),
    "labels without an id": ("    windows:", "    labels: {type: disk, options: {path: truth}}\n    windows:", 12, 5,
                             "models.churn.labels", "say in labels.joins, or in schema.id, which column of the predictions the "
                             "ids of the labels refer to"),
    "labels of nothing": ("prediction: {kind: binary, score: p}\n      segments: [plan]\n    windows:",
                          "id: id\n      segments: [plan]\n    labels: {type: disk, options: {path: truth}}\n    windows:",
                          12, 5, "models.churn.labels", "labels are compared with predictions: say in "
                          "schema.prediction where these stand"),
    "a size without unit": ("    windows:",
                            "    labels: {type: disk, options: {path: truth}, joins: id, max_disk: 5}\n    windows:", 12, 71,
                            "models.churn.labels.max_disk", "should be a size with its unit, such as 500MB or 2GB"),
    "option of a label source": ("    windows:",
                                 "    labels: {type: disk, options: {pth: truth, path: x}, joins: id}\n    windows:", 12, 36,
                                 "models.churn.labels.options.pth", "unknown setting; did you mean 'path'?"),
    "span backwards": ("    windows:", "    reference: {window: 2024-02-01/2024-01-01}\n    windows:", 12, 25,
                       "models.churn.reference.window", "ends before it begins"),
    "version of the file": ("version: 1\n", "version: 2\n", 1, 10, "version",
                            "should be 1, the only version of the configuration there is"),
    "no plugins there": ("agent:\n", "plugins: {paths: [./nowhere]}\nagent:\n", 1 + 1, 19, "plugins.paths[0]", None),
    "not a number there is": ("{warning: 0.1}", "{warning: .nan}", 14, 79, "models.churn.checks.nulls.rule.above.warning",
                              "should be a finite number"),
    "address without port": ("every: 30s", "http: localhost", 3, 9, "agent.http",
                             "should be an address and a port, such as 127.0.0.1:8080"),
    "pages for everyone": ("every: 30s", "http: 0.0.0.0:8080", 3, 9, "agent.http",
                           "other machines can reach this address; set agent.http_token, such as "
                           "${env:DRIFTLINE_HTTP_TOKEN}, or listen on 127.0.0.1"),
    "a name nobody can use": ("  team:", "  team/a:", 17, 3, "sinks.team/a", None),
    "a field nobody sets": ("every: 30s", "executor: {plugin: x}", 3, 14, "agent.executor.plugin", None),
}  # fmt: skip


def problems(tmp_path: Path, text: str):
    path = tmp_path / "driftline.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, None if "nowhere" in text else toy.registry())
    assert all(problem.path == str(path) for problem in caught.value.problems)
    return caught.value.problems


def test_the_ground_is_fine(tmp_path):
    """The file into which the mistakes are put has none itself."""
    path = tmp_path / "driftline.yaml"
    path.write_text(WELL)
    assert load_config(path, toy.registry()).models["churn"].checks["nulls"].for_ == Persistence(2)


@pytest.mark.parametrize("kind", KINDS)
def test_one_mistake(tmp_path, kind):
    """Each kind of mistake gives its line, its column, its name and the mend."""
    old, new, line, column, name, message = KINDS[kind]
    assert WELL.count(old) >= 1
    found = problems(tmp_path, WELL.replace(old, new, 1))
    if kind == "no plugins there":
        found = [problem for problem in found if problem.name.startswith("plugins")]
    elif kind == "a name nobody can use":
        found = [problem for problem in found if problem.name.startswith("sinks")]
    [problem] = found
    assert (problem.line, problem.column, problem.name) == (line, column, name)
    if message is not None:
        assert problem.message == message


def test_there_are_at_least_twenty_kinds():
    """The list above covers what it promises."""
    assert len(KINDS) >= 20


def test_all_at_once_in_file_order(tmp_path):
    """A file with a mistake in every part tells all of them, from top to bottom, each once."""
    text = """\
version: 3
agent: {evry: 30s, http: 8080, workers: 0}
models:
  churn:
    source: {type: dsk}
    schema:
      features: {age: number}
      segments: [plan]
    windows: {length: long, lateness: -1s}
    checks:
      a: {type: nulls, for: x, rule: 7}
      a: {type: nulls}
      b: {options: {}}
      c: nulls
    notify: [nobody]
  second: 5
sinks:
  team: {type: chat, options: {url: hunter2}}
extra: true
"""
    found = problems(tmp_path, text)
    assert [(problem.line, problem.name) for problem in found] == [
        (1, "version"),
        (2, "agent.evry"),
        (2, "agent.http"),
        (2, "agent.workers"),
        (5, "models.churn.source.type"),
        (7, "models.churn.schema.features.age"),
        (8, "models.churn.schema.segments[0]"),
        (9, "models.churn.windows.length"),
        (9, "models.churn.windows.lateness"),
        (11, "models.churn.checks.a.for"),
        (11, "models.churn.checks.a.rule"),
        (12, "models.churn.checks.a"),
        (13, "models.churn.checks.b.type"),
        (14, "models.churn.checks.c"),
        (15, "models.churn.notify[0]"),
        (16, "models.second"),
        (18, "sinks.team.options.url"),
        (19, "extra"),
    ]
    assert "hunter2" not in str(ConfigError(found))


def test_a_plugin_whose_validator_stumbles(tmp_path):
    """A plugin that raises on its own settings is one problem, and hides no other."""

    class Rude(toy.Disk):
        """Stumbles."""

        type = "rude"

        def model_post_init(self, context):
            raise KeyError("hunter2")

    registry = toy.registry()
    registry.types["source", "rude"] = Rude
    path = tmp_path / "driftline.yaml"
    path.write_text(
        "version: 1\nmodels: {m: {source: {type: rude, options: {path: x}}}}\nother: 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path, registry)
    assert [problem.name for problem in caught.value.problems] == [
        "models.m.source.options",
        "other",
    ]
    assert "hunter2" not in str(caught.value)
