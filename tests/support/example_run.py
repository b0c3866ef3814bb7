"""Runs the command on the configuration of an example and returns what it prints of alarms."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DRIFTLINE = Path(sys.executable).parent / "driftline"


def run_example(config: Path) -> list[str]:
    """The texts of the alarms of one pass, without the first report; an incident must be open."""
    run = subprocess.run(
        [DRIFTLINE, "run", "--once", "-c", config],
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    parts = re.findall(r"(?:^▌.*\n)+", run.stdout, re.MULTILINE)
    alarms = [re.sub(r"^▌ ? ?", "", part, flags=re.MULTILINE) for part in parts]
    return [text for text in alarms if not text.startswith("REPORT")]
