"""Plugins from a folder that everybody can write to are not loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.extensions.load import PluginProblem, load_own


@pytest.mark.parametrize("part", ["folder", "file"])
def test_a_folder_or_file_that_everybody_can_write_is_named(tmp_path: Path, part: str) -> None:
    """It is a fatal mistake with the command that ends it, and nothing of it runs."""
    folder = tmp_path / "plugs"
    folder.mkdir()
    file = folder / "own.py"
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (folder if part == "folder" else file).chmod(0o777)
    [problem] = load_own([folder])
    assert isinstance(problem, PluginProblem)
    assert problem.fatal
    assert "chmod o-w" in problem.message
    assert not (tmp_path / "ran").exists()


def test_a_folder_of_the_user_is_loaded(tmp_path: Path) -> None:
    """Also one that the group can write to."""
    (tmp_path / "own.py").write_text("value = 1\n")
    tmp_path.chmod(0o775)
    [module] = load_own([tmp_path])
    assert not isinstance(module, PluginProblem)
