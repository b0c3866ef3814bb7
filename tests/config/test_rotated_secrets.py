"""Secrets in files are read again when the file changes."""

from __future__ import annotations

import os

import pytest

from driftline import Secret


def secret_in(path, value: str) -> Secret:
    path.write_text(f"{value}\n")
    return Secret(f"${{file:{path}}}", value)


def test_a_file_that_changes_is_read_again(tmp_path):
    """In place, as an editor does, and by a new file of the same name."""
    path = tmp_path / "token"
    secret = secret_in(path, "first")
    assert secret.reveal() == "first"
    path.write_text("second value\n")
    assert secret.reveal() == "second value"
    other = tmp_path / "other"
    other.write_text("third\n")
    other.replace(path)
    assert secret.reveal() == "third"


def test_the_links_of_kubernetes_are_followed(tmp_path):
    """A mounted secret is a link to a folder that is replaced as a whole."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(name)
    (tmp_path / "data").symlink_to("one")
    secret = Secret(f"${{file:{tmp_path}/data/token}}", "one")
    (tmp_path / "next").symlink_to("two")
    os.replace(tmp_path / "next", tmp_path / "data")
    assert secret.reveal() == "two"


@pytest.mark.parametrize("damage", ["absent", "empty", "binary"])
def test_the_last_value_stays_while_the_file_cant_be_used(tmp_path, damage):
    """A file that is gone, half written or no text takes nothing away."""
    path = tmp_path / "token"
    secret = secret_in(path, "first")
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else b"\xff\xfe\x00")
    assert secret.reveal() == "first"
    path.write_text("second")
    assert secret.reveal() == "second"


def test_a_variable_is_read_once(monkeypatch):
    """The environment of a process does not change by itself."""
    monkeypatch.setenv("TOKEN", "later")
    assert Secret("${env:TOKEN}", "first").reveal() == "first"
