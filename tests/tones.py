"""Tones as files, for tests that need something to hear."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np


def write_tone(path: Path, hertz: float, seconds: float = 0.2) -> None:
    """A tone as 16-bit mono at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(int(16_000 * seconds)) / 16_000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.round(8000 * np.sin(2 * np.pi * hertz * t)).astype("<i2").tobytes())
