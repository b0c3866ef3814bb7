"""Makes first-run.svg: what a terminal shows in the first minute of `make run`, from a real run.

.venv/bin/python docs/img/first_run.py
"""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from select import select

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent.parent
WIDTH, SECONDS, QUIET = 132, 60, 4


def terminal_of(command: list[str], folder: Path) -> str:
    """Run a command in a terminal; returns all that it prints until it has stopped.

    It is stopped when it prints nothing for some seconds.
    """
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, WIDTH, 0, 0))
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(WIDTH)}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    output, began, stopping = b"", time.monotonic(), False
    while True:
        ready = select([controller], [], [], QUIET)[0]
        if not ready or (time.monotonic() - began > SECONDS and not stopping):
            process.send_signal(signal.SIGINT)
            stopping = True
            continue
        try:
            data = os.read(controller, 65536)
        except OSError:
            break
        if not data:
            break
        output += data
    process.wait()
    return output.decode()


def main() -> None:
    """Run the example in a folder of its own and draw its output."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "config.example.yaml", folder)
        (folder / "examples").symlink_to(ROOT / "examples")
        driftline = Path(sys.executable).parent / "driftline"
        output = terminal_of([str(driftline), "run", "-c", "config.example.yaml"], folder)
    screen = Console(record=True, width=WIDTH, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    screen.print("$ make run", style="bold")
    screen.print(Text.from_ansi(output.replace("\r\n", "\n").rstrip()))
    # The stock frame loads a font from the web; a picture must load nothing.
    start, end = (
        CONSOLE_SVG_FORMAT.index("@font-face"),
        CONSOLE_SVG_FORMAT.index(".{unique_id}-matrix"),
    )
    frame = CONSOLE_SVG_FORMAT[:start] + CONSOLE_SVG_FORMAT[end:]
    frame = frame.replace(
        "Fira Code, monospace", "Fira Code, DejaVu Sans Mono, Menlo, Consolas, monospace"
    )
    picture = screen.export_svg(title="driftline", code_format=frame, unique_id="driftline")
    (ROOT / "docs/img/first-run.svg").write_text(picture)


if __name__ == "__main__":
    main()
