"""Voices and instruments of programs that may be installed: espeak-ng and FluidSynth. Nothing else here needs them.

Their sound depends on their version, so a scene with one of them is the same again only with the same program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from akb.errors import AkbError
from akb.lab.sound.signals import Samples, Slot
from akb.lab.sound.source import Group, Source

SECONDS = 20.0  # how long a program may take
SOUNDFONTS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts", "/usr/local/share/soundfonts")


class Espeak(Source):
    """Speech by espeak-ng: `words` a minute, `pitch` 0 to 99 and `voice` are its own settings."""

    group: ClassVar[Group] = "speech"
    label: ClassVar[str] = "speech"
    text: str = Field("Hello world.", min_length=1, max_length=500)
    voice: str = Field("en-us", pattern=r"^[A-Za-z][A-Za-z0-9+_-]{0,40}$")
    words: int = Field(160, ge=80, le=450)
    pitch: int = Field(50, ge=0, le=99)

    def natural(self) -> float:
        samples, rate = _espeak(self.text, self.voice, self.words, self.pitch)
        return len(samples) / rate

    def least(self) -> float:
        return self.natural()

    def sound(self, slot: Slot) -> Samples:
        return _fitted(*_espeak(self.text, self.voice, self.words, self.pitch), slot)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"text": self.text, "voice": self.voice, "words_per_minute": self.words, "program": "espeak-ng"}


class Fluid(Source):
    """A melody by FluidSynth and a General MIDI soundfont; `program` counts from 0 (0 piano, 40 violin, 73 flute).

    The soundfont is the file that the environment names as AKB_SOUNDFONT, or the first in the usual folders.
    """

    group: ClassVar[Group] = "music"
    label: ClassVar[str] = "a melody"
    program: int = Field(0, ge=0, le=127)
    notes: tuple[Annotated[int, Field(ge=21, le=108)], ...] = Field((60, 64, 67), min_length=1, max_length=64)
    tempo: float = Field(120, ge=20, le=400)

    def natural(self) -> float:
        return len(self.notes) * 60 / self.tempo + 1.0

    def least(self) -> float:
        return len(self.notes) * 60 / self.tempo

    def sound(self, slot: Slot) -> Samples:
        return _fitted(*_fluid(self.program, self.notes, self.tempo, slot.rate), slot)

    def truth(self, seconds: float) -> dict[str, Any]:
        onsets = [round(number * 60 / self.tempo, 6) for number in range(len(self.notes))]
        known = {"program": self.program, "midi": list(self.notes), "tempo": self.tempo, "onsets": onsets}
        return known | {"count": len(self.notes), "f0s": [440.0 * 2 ** ((note - 69) / 12) for note in self.notes]}


@lru_cache(maxsize=64)
def _espeak(text: str, voice: str, words: int, pitch: int) -> tuple[Samples, int]:
    options = ["-v", voice, "-s", str(words), "-p", str(pitch)]
    return _made("espeak-ng", lambda wav: [*options, "-w", str(wav), "--", text])


@lru_cache(maxsize=64)
def _fluid(program: int, notes: tuple[int, ...], tempo: float, rate: int) -> tuple[Samples, int]:
    _found("fluidsynth")
    font = soundfont()
    with tempfile.TemporaryDirectory() as folder:
        score = Path(folder) / "score.mid"
        score.write_bytes(midi(program, notes, tempo))
        return _made("fluidsynth", lambda wav: ["-ni", "-q", "-r", str(rate), "-F", str(wav), str(font), str(score)])


def soundfont() -> Path:
    """The soundfont that FluidSynth plays.

    Raises:
        AkbError: none is found.
    """
    named = os.environ.get("AKB_SOUNDFONT")
    found = [Path(named)] if named else sorted(p for place in SOUNDFONTS for p in Path(place).glob("*.sf[23]"))
    if not found or not found[0].is_file():
        raise AkbError("no soundfont is found", where="source fluidsynth", fix="Name one in AKB_SOUNDFONT.")
    return found[0]


def midi(program: int, notes: tuple[int, ...], tempo: float) -> bytes:
    """A Standard MIDI File of format 0 (MIDI 1.0, RP-001): quarter notes of 480 ticks, each held for 456."""
    track = b"\x00\xff\x51\x03" + round(60e6 / tempo).to_bytes(3, "big") + bytes((0, 0xC0, program))
    for number, note in enumerate(notes):
        track += bytes((0 if number == 0 else 24, 0x90, note, 96)) + b"\x83\x48" + bytes((0x80, note, 0))
    track += b"\x00\xff\x2f\x00"
    head = b"MThd" + (6).to_bytes(4, "big") + bytes((0, 0, 0, 1)) + (480).to_bytes(2, "big")
    return head + b"MTrk" + len(track).to_bytes(4, "big") + track


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise AkbError(
            f"the program {program} is not installed",
            where=f"source {program}",
            fix="Install it with the system's packages, or use a source that needs no program.",
        )
    return path


def _made(program: str, arguments: Any) -> tuple[Samples, int]:
    """What a program writes as a WAV file: samples (n,) and rate."""
    from scipy.io import wavfile

    path = _found(program)
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "made.wav"
        command = [path, *arguments(wav)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AkbError(f"{program} does not answer: {error}", where=f"source {program}") from None
        if done.returncode or not wav.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no word of why"]
            raise AkbError(f"{program} failed: {said[-1]}", where=f"source {program}")
        rate, data = wavfile.read(wav)
    mono = data.mean(axis=1) if data.ndim > 1 else data
    return np.asarray(mono, float) / 32768, int(rate)


def _fitted(x: Samples, rate: int, slot: Slot) -> Samples:
    """At the slot's rate and length."""
    from math import gcd

    from scipy.signal import resample_poly

    if rate != slot.rate:
        common = gcd(rate, slot.rate)
        x = resample_poly(x, slot.rate // common, rate // common)
    out = np.zeros(slot.n)
    out[: min(len(x), slot.n)] = x[: slot.n]
    return out


OUTSIDE: dict[str, type[Source]] = {"espeak": Espeak, "fluidsynth": Fluid}
