"""What every test has: folders of its own, and none of the user's settings."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache and the current folder are the test's own; no settings of the user's hold."""
    monkeypatch.setenv("AKB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AKB_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
