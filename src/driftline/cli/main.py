"""The command `driftline`: which commands there are, and what becomes of errors.

Refuses to import what a command needs before that command is asked for.
"""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from driftline import __version__
from driftline.types.errors import ConfigError, DriftlineError

FINDINGS, USAGE, ENVIRONMENT, INTERRUPTED = 1, 2, 3, 130
"""Exit codes beside 0: something was found; usage or configuration; the world around failed;
Ctrl-C.
"""

COMMANDS: dict[str, tuple[str, str]] = {
    "init": (
        "driftline.cli.init:init",
        "Look at a file or bucket and write a configuration for it.",
    ),
    "validate": (
        "driftline.cli.validate:validate",
        "Check a configuration: offline, all mistakes at once.",
    ),
    "doctor": (
        "driftline.cli.doctor:doctor",
        "Reach every source and sink once, and name what is missing.",
    ),
    "run": ("driftline.cli.run:run", "Watch the models: the daemon, or one round with --once."),
    "status": ("driftline.cli.status:status", "What was read, what was judged, what is firing."),
    "incidents": (
        "driftline.cli.incidents:incidents",
        "The open incidents, and who looks after them.",
    ),
    "ack": ("driftline.cli.incidents:ack", "Say that you look after an incident."),
    "snooze": ("driftline.cli.incidents:snooze", "Hear nothing of an incident for a time."),
    "silence": (
        "driftline.cli.incidents:silence",
        "Hear nothing of what matches for a time, now or planned.",
    ),
    "silences": ("driftline.cli.incidents:silences", "List the silences, or end one."),
    "explain": (
        "driftline.cli.explain:explain",
        "Why there is an incident, or what stands behind a window's numbers.",
    ),
    "reproduce": (
        "driftline.cli.reproduce:reproduce",
        "Compute an incident's numbers again from the log, and compare.",
    ),
    "actions": (
        "driftline.cli.actions:actions",
        "What incidents called for: list, approve, reject, order by hand.",
    ),
    "backtest": (
        "driftline.cli.backtest:backtest",
        "Which alarms stored history would have given, and shuffled history.",
    ),
    "reference": (
        "driftline.cli.reference:reference",
        "Import a baseline, list references, accept a change as normal.",
    ),
    "notify": (
        "driftline.cli.notify:notify",
        "Send a made-up message through a sink, or its dead letters again.",
    ),
    "routes": ("driftline.cli.routes:routes", "Say where an incident would go, and why."),
    "config": (
        "driftline.cli.config_show:config",
        "Show the effective configuration and where each value comes from.",
    ),
    "schema": (
        "driftline.cli.schema:schema",
        "Print the JSON Schema of the configuration, for editors.",
    ),
    "plugins": ("driftline.cli.plugins:plugins", "List the plugins, or show the settings of one."),
    "new-plugin": (
        "driftline.cli.new_plugin:new_plugin",
        "Write a new plugin, and its test, to start from.",
    ),
}
"""Where each command is, and its line in the help."""


class LazyGroup(click.Group):
    """A group whose commands are imported one by one, when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table: first steps first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion for a name that is nearly right."""
        near = get_close_matches(args[0], COMMANDS, 1)
        if near and near[0] != args[0]:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{near[0]}'?")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="driftline")
def cli() -> None:
    """Watch machine-learning models in production: read their logs, find what changed, tell people.

    Exit codes: 0 fine, 1 findings, 2 usage or configuration, 3 the environment failed.
    """


def main(args: list[str] | None = None) -> None:
    """Run a command and leave with its exit code. DRIFTLINE_DEBUG=1 shows tracebacks."""
    # Matrices here are small: more threads in BLAS only wait for each other, longest where other
    # work shares the cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(_run(args))


def _run(args: list[str] | None) -> int:
    if os.environ.get("DRIFTLINE_DEBUG"):
        return _code(cli.main(args, standalone_mode=False))
    try:
        return _code(cli.main(args, standalone_mode=False))
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
        # Whoever read our output had enough; the interpreter must not try to flush the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        click.echo(
            f"driftline stumbled: {type(error).__name__}: {error}\nDRIFTLINE_DEBUG=1 shows where.",
            err=True,
        )
        return ENVIRONMENT


def _code(value: Any) -> int:
    return value if isinstance(value, int) else 0
