"""Audio files made for the tests."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

Samples = NDArray[Any]
LOSSY = ("ogg", "opus", "mp3")


def noise(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> Samples:
    """Noise of moderate loudness, (frames, channels)."""
    return 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * rate), channels)).clip(-4, 4)


def sine(hertz: float, seconds: float, rate: int, level: float = 0.5) -> Samples:
    """A sine that begins at 0, (frames,)."""
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def write(path: Path, samples: Samples, rate: int, **how: Any) -> Path:
    """Write a file in small steps: libvorbis takes long ones from the stack. ".opus" is an Ogg file."""
    if path.suffix == ".opus":
        how = {"format": "OGG", "subtype": "OPUS"}
    table = samples if samples.ndim == 2 else samples[:, None]
    with sf.SoundFile(path, "w", rate, table.shape[1], **how) as file:
        for start in range(0, len(table), 8192):
            file.write(table[start : start + 8192])
    return path


def wav_header(path: Path, *, data: int) -> None:
    """Let the header of a WAV file tell of so many bytes of samples."""
    held = bytearray(path.read_bytes())
    at = held.index(b"data") + 4
    held[at : at + 4] = struct.pack("<I", data)
    path.write_bytes(held)


def without_length(path: Path) -> None:
    """Let a FLAC file not tell its length, as one that was written to a pipe."""
    held = bytearray(path.read_bytes())
    held[21] &= 0xF0  # STREAMINFO: the 36 bits at the end of bytes 18 to 25
    held[22:26] = bytes(4)
    path.write_bytes(held)
