"""The command `driftline`: the table of its commands, and the exit code of each error.

Does not import what a command needs before that command is called.
"""

from __future__ import annotations

import gc
import os
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from driftline import __version__
from driftline.cli.slow_sort import avoid_slow_sort, read_cpu_info
from driftline.types.errors import ConfigError, DriftlineError

FINDINGS, USAGE, ENVIRONMENT, INTERRUPTED = 1, 2, 3, 130
"""Exit codes beside 0: findings; wrong usage or configuration; a failed environment; Ctrl-C."""

UNCOLLECTED_OBJECTS = 200_000
"""New objects after which the garbage collector looks for cycles: more than a start makes."""

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init:init", "Look at a file or bucket and write a configuration for it."),
    "challenge": (
        "challenge:challenge",
        "Compare two models: promote the challenger, keep the champion, or wait.",
    ),
    "compare": ("compare:compare", "Compare two tables: what changed, how much, how sure."),
    "validate": ("validate:validate", "Check a configuration offline and list all mistakes."),
    "doctor": ("doctor:doctor", "Connect to every source and sink once, and report what fails."),
    "run": ("run:run", "Monitor the models: as a daemon, or one pass with --once."),
    "status": ("status:status", "Show what was read, what was judged, and what is firing."),
    "incidents": ("incidents:list_incidents", "List the open incidents and who acknowledged them."),
    "ack": ("incidents:acknowledge", "Acknowledge an incident: say that you look after it."),
    "snooze": ("incidents:snooze", "Hold back the messages of an incident for a time."),
    "silence": (
        "silences:add_silence",
        "Hold back the messages of matching incidents, now or planned.",
    ),
    "silences": ("silences:silences_group", "List the silences, or end one."),
    "explain": ("explain:explain", "Explain an incident, or the verdicts of a window."),
    "report": ("report:report", "Write a report of a model: HTML, PDF, PNG, JSON or Markdown."),
    "card": ("card:card", "Write the card of a model: records and live numbers, as one file."),
    "reproduce": (
        "reproduce:reproduce",
        "Compute an incident's numbers again from the logs, and compare.",
    ),
    "actions": (
        "actions:actions_group",
        "List, approve, reject or start the actions of incidents.",
    ),
    "records": (
        "records:records_group",
        "List and write what is known of models: versions, aliases, datasets, events.",
    ),
    "audit": ("audit:audit", "List what people changed: who, what, when and why."),
    "versions": ("versions:versions_group", "Compare two versions of a model."),
    "search": ("query:search_group", "Search models by tags, parameters and metrics."),
    "query": ("query:query", "Show stored values of a metric, by version, column or segment."),
    "backtest": ("backtest:backtest", "Replay stored windows and print the alarms they raise."),
    "detect": ("detect:detect", "Score each value of a series in a CSV file."),
    "changepoints": ("detect:changepoints", "Date the lasting changes of a series in a CSV file."),
    "reference": (
        "reference:reference_group",
        "Import a baseline, list references, accept a change as normal.",
    ),
    "backup": ("backup:backup", "Copy the state into one file, also while the agent runs."),
    "notify": ("notify:notify", "Send a test message through a sink, or resend dead letters."),
    "rotate-key": (
        "link_key:rotate_link_key",
        "Sign links of messages with a new key; old links work for a time.",
    ),
    "routes": ("routes:routes_group", "Show which sinks an incident goes to, and why."),
    "config": (
        "config_show:config_group",
        "Show the effective configuration and the origin of each value.",
    ),
    "schema": ("schema:schema", "Print the JSON Schema of the configuration, for editors."),
    "plugins": ("plugins:plugins", "List the plugins, or show the settings of one."),
    "new-plugin": ("new_plugin:new_plugin", "Write a new plugin and its test, to start from."),
}
"""Module in `driftline.cli` and function of each command, and its line in the help."""


SECTIONS: dict[str, tuple[str, ...]] = {
    "Set up": ("init", "validate", "doctor", "config", "schema", "reference"),
    "Monitor": ("run", "status", "backtest", "backup"),
    "Incidents": (
        "incidents", "explain", "report", "reproduce", "ack", "snooze", "silence", "silences",
        "actions",
    ),
    "Records": ("records", "versions", "search", "query", "card", "audit"),
    "Messages": ("notify", "routes", "rotate-key"),
    "Without a configuration": ("compare", "challenge", "detect", "changepoints"),
    "Extend": ("plugins", "new-plugin"),
}  # fmt: skip
"""The commands of the help by what they are for."""


class LazyGroup(click.Group):
    """A group that imports each command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table: first steps first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by its name; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"driftline.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table into the help, without importing anything."""
        width = max(map(len, COMMANDS))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), COMMANDS[name][1]) for name in names])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command as click does, and suggest the nearest name for an unknown one."""
        near = get_close_matches(args[0], COMMANDS, 1)
        if near and near[0] != args[0]:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{near[0]}'?")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="driftline")
def cli() -> None:
    """Monitor machine-learning models in production: read logs, find changes, notify people.

    Exit codes: 0 fine, 1 findings, 2 usage or configuration, 3 the environment failed.
    """


def main(args: list[str] | None = None) -> None:
    """Run a command and exit with its code. DRIFTLINE_DEBUG=1 shows tracebacks."""
    # Imports and settings make many objects that stay: with the default of 700 the collector
    # looks through them again and again, which takes a sixth of a start.
    gc.set_threshold(UNCOLLECTED_OBJECTS)
    # Matrices are small here: several BLAS threads would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    avoid_slow_sort(os.environ, read_cpu_info())
    sys.exit(_run(args))


def _run(args: list[str] | None) -> int:
    if os.environ.get("DRIFTLINE_DEBUG"):
        return _exit_code(cli.main(args, standalone_mode=False))
    try:
        return _exit_code(cli.main(args, standalone_mode=False))
    except click.FileError as error:
        # Its own exit code is that of findings.
        error.show()
        return ENVIRONMENT
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except ConfigError as error:
        click.echo(str(error), err=True)
        mistakes = len(error.problems)
        click.echo(
            f"{mistakes} mistake{'s' if mistakes > 1 else ''}; nothing was started", err=True
        )
        return USAGE
    except DriftlineError as error:
        click.echo(f"driftline: {error}", err=True)
        return ENVIRONMENT
    except BrokenPipeError:
        # The reader closed the pipe: the interpreter must not flush the remaining output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        click.echo(
            f"driftline failed: {type(error).__name__}: {error}\n"
            "This is a bug. Set DRIFTLINE_DEBUG=1 to see the traceback.",
            err=True,
        )
        return ENVIRONMENT


def _exit_code(value: Any) -> int:
    return value if isinstance(value, int) else 0
