"""Links in a folder of logs: inside it they are files, out of it they are left out."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from driftline_plugins.sources.local import Local

from driftline import DiscoverContext

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def listing(path: str) -> tuple[set[str], dict[str, str]]:
    """The names of the files, and those left out with their reason."""
    skipped: dict[str, str] = {}
    context = DiscoverContext(
        now=NOW, skipped=lambda uri, reason: skipped.update({Path(uri).name: reason})
    )
    return {Path(obj.uri).name for obj in Local(path=path).discover(context)}, skipped


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A folder of logs with links in and out, beside a folder with a secret."""
    logs, secrets = tmp_path / "logs", tmp_path / "secrets"
    for folder in (logs / "day", secrets):
        folder.mkdir(parents=True)
    (logs / "day" / "a.jsonl").write_text("{}\n")
    (secrets / "key.jsonl").write_text("{}\n")
    (logs / "inside.jsonl").symlink_to(logs / "day" / "a.jsonl")
    (logs / "outside.jsonl").symlink_to(secrets / "key.jsonl")
    (logs / "elsewhere").symlink_to(secrets)
    return logs


@pytest.mark.parametrize("pattern", ["", "/**/*.jsonl", "/*/*.jsonl", "/*.jsonl"])
def test_links_out_of_the_folder_are_left_out(folders: Path, pattern: str) -> None:
    """Whether the file is a link or its folder, in a folder or a glob."""
    names, skipped = listing(f"{folders}{pattern}")
    assert "key.jsonl" not in names
    assert "outside.jsonl" not in names
    assert names
    for reason in skipped.values():
        assert "a link that leads out of" in reason


def test_links_within_the_folder_are_read(folders: Path) -> None:
    """As Kubernetes lays out its volumes."""
    names, skipped = listing(str(folders))
    assert names == {"a.jsonl", "inside.jsonl"}
    assert set(skipped) == {"outside.jsonl"}


def test_a_file_that_the_user_names_may_be_a_link(folders: Path) -> None:
    """Such as `current.jsonl`; so may be the folder."""
    assert listing(str(folders / "outside.jsonl"))[0] == {"outside.jsonl"}
    os.rename(folders, folders.with_name("logs.1"))
    folders.symlink_to(folders.with_name("logs.1"))
    assert "a.jsonl" in listing(str(folders))[0]
