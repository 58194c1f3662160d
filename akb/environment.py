"""What a record says of the machine and the packages that a run was made with."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _installed
from typing import Any

PACKAGES = (
    "akb",
    "torch",
    "transformers",
    "tokenizers",
    "numpy",
    "scipy",
    "soundfile",
    "soxr",
    "lm_eval",
    "peft",
    "bitsandbytes",
    "openai",
    "anthropic",
    "google-genai",
)


def environment() -> dict[str, Any]:
    """Versions and machine, for the record."""
    found = {name: version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "packages": {name: text for name, text in found.items() if text},
    }


def version(package: str) -> str:
    """The installed version of a package; empty if it is not installed."""
    try:
        return _installed(package)
    except PackageNotFoundError:
        return ""


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
