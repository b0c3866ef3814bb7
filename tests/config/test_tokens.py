"""Tokens of the agent's port: long enough, and two different ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.cli.main import _run
from driftline.config import load_config
from driftline.types.errors import ConfigError
from driftline.types.secret import read_secret

LEAST = """version: 1
agent:
  token: ${env:ACT}
  http_token: ${env:READ}
models: {m: {source: {type: local, options: {path: logs}}}}
"""
LONG = "kX9wQ2vB7nR4tY6uPz"


@pytest.mark.parametrize(
    ("act", "read", "sentence"),
    [
        (
            "short-token",
            LONG,
            "agent.token: a token needs 16 random characters, and this one has 11",
        ),
        (LONG, "x" * 15, "agent.http_token: a token needs 16 random characters"),
        (LONG, LONG, "agent.http_token: who may read could act, too"),
        (LONG, LONG + "2", None),
    ],
)
def test_tokens_are_long_and_different(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    act: str,
    read: str,
    sentence: str | None,
) -> None:
    """`validate` and the agent turn others down, with the place and without the value."""
    monkeypatch.setenv("ACT", act)
    monkeypatch.setenv("READ", read)
    path = tmp_path / "driftline.yaml"
    path.write_text(LEAST)
    code = _run(["validate", "-c", str(path)])
    output = "".join(capsys.readouterr())
    if sentence is None:
        assert code == 0
        load_config(path, secrets=read_secret)
        return
    assert code == 2
    assert sentence in output
    assert "driftline.yaml:3" in output or "driftline.yaml:4" in output
    assert act not in output
    with pytest.raises(ConfigError) as caught:
        load_config(path, secrets=read_secret)
    assert sentence in str(caught.value)


def test_validate_needs_no_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A token that is set on another machine only is no mistake here."""
    path = tmp_path / "driftline.yaml"
    path.write_text(LEAST.replace("ACT", "NOT_HERE_1").replace("READ", "NOT_HERE_2"))
    assert _run(["validate", "-c", str(path)]) == 0


def test_a_public_address_without_encryption_gets_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Links in messages let people act."""
    path = tmp_path / "driftline.yaml"
    path.write_text(LEAST.replace("agent:", "agent:\n  public_url: http://watch.example"))
    assert _run(["validate", "-c", str(path)]) == 0
    assert "http://watch.example is not encrypted" in capsys.readouterr().out


def test_tls_needs_certificate_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One without the other is a mistake with its place."""
    path = tmp_path / "driftline.yaml"
    path.write_text(LEAST.replace("agent:", "agent:\n  http_key: key.pem"))
    assert _run(["validate", "-c", str(path)]) == 2
    assert "agent.http_key: TLS needs both: set agent.http_certificate" in "".join(
        capsys.readouterr()
    )
