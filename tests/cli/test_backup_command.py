"""`driftline backup`, as people call it."""

from __future__ import annotations

import sqlite3

from station import Station

from driftline.cli.main import main
from driftline.state.factory import open_store


def run(*words: str) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_command_copies_the_state_of_a_configuration(tmp_path, capsys):
    """One line with the size, exit code 0; a second copy to the same place is refused with 3."""
    station = Station(tmp_path)
    text = station.config.read_text()
    state = text.split('state: "')[1].split('"')[0]
    station.config.write_text(text.replace(state, "sqlite:///state.db"))
    open_store("sqlite:///state.db", base=tmp_path).close()
    copy = tmp_path / "copy.db"
    assert run("backup", copy, "-c", station.config) == 0
    assert "MB" in capsys.readouterr().out
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert run("backup", copy, "-c", station.config) == 3
    assert "exists" in capsys.readouterr().err
