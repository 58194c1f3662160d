"""Silence as long as a clip: the control of what a model says when it hears nothing."""

from __future__ import annotations

import os
import wave
from contextlib import suppress
from pathlib import Path

from akb.audio.clips import clip_of
from akb.audio.opening import NEARLY, opened
from akb.audio.policy import Policy
from akb.audio.quiet import quiet
from akb.audio.reading import read
from akb.files import explained
from akb.settings import cache_folder
from akb.types import Clip

RATE = 16_000  # Hz


def silent_like(clip: Clip) -> Clip:
    """A clip of digital silence (16-bit mono at 16 kHz) of the same length, to a hundredth of a second.

    The length is the header's where that can be believed; the samples are not looked at then.

    Raises:
        Unhearable: the clip is missing, no audio or cut off.
        AkbError: the silence cannot be written.
    """
    hundredths = max(1, round(100 * _seconds(clip.path)))
    path = cache_folder() / "silence" / f"{hundredths}.wav"
    if not path.is_file():
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, hundredths)
    return clip_of(path)


def _seconds(path: str) -> float:
    """How long a clip is: by its header, or decoded where the header does not tell, or tells of more than is there."""
    with quiet(), opened(path) as source:
        frames, told = source.frames, source.told
        if frames is not None and told is not None and source.ended and told - frames <= NEARLY * source.rate:
            return frames / source.rate
    return read(path, Policy(rate=0, longest=None)).seconds


def _write(path: Path, hundredths: int) -> None:
    """Beside its place under a name of this process's own, and then put there: several may write it at once."""
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        with wave.open(str(beside), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(bytes(2 * hundredths * RATE // 100))
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
