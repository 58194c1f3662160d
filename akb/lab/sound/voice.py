"""A voice by formants: a glottal source and noise through resonances that move from phone to phone.

The method is Klatt's cascade (D. H. Klatt, JASA 67, 1980): each resonance is a two-pole filter of unit gain at 0 Hz,
and the source's spectrum falls by 12 dB an octave, 6 of which radiation gives back. It is understood with an effort;
pitch, its course, stress, tempo, whisper and the vowels' resonances are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from akb.lab.sound.phones import PHONES, SCHWA, VOWELS, split
from akb.lab.sound.signals import Samples, Slot, add, band, curve, dying, gain, noise, ramps, tone
from akb.lab.sound.source import Group, Repeated, Source, course, without

GLOTTIS = tuple(k**-1.0 for k in range(1, 81))
BANDWIDTHS = (70.0, 90.0, 140.0, 220.0, 300.0)  # Hz, of F1 to F5
UPPER = (3500.0, 4500.0)  # Hz, F4 and F5 of a man
FRAME = 0.005  # seconds over which resonances stand still
Contour = Literal["statement", "question", "monotone"]
VowelName = Literal["IY", "IH", "EH", "AE", "AH", "AA", "AO", "UH", "UW", "ER"]


def resonate(x: Samples, rate: int, formants: Samples) -> Samples:
    """`x` (n,) through resonances, Hz: (k,) that stand still, or (frames, k), one row for each 5 ms."""
    from scipy.signal import sosfilt

    if formants.ndim == 1:
        return np.asarray(sosfilt(_sections(formants, rate), x))
    out, hop = np.empty_like(x), round(FRAME * rate)
    state = np.zeros((formants.shape[1], 2))
    for number, start in enumerate(range(0, len(x), hop)):
        row = formants[min(number, len(formants) - 1)]
        out[start : start + hop], state = sosfilt(_sections(row, rate), x[start : start + hop], zi=state)
    return out


def _sections(formants: Samples, rate: int) -> Samples:
    """Second-order sections; a resonance over 0.46 of the rate is left out (its section passes all)."""
    wide = np.array(BANDWIDTHS[: len(formants)])
    c = -np.exp(-2 * np.pi * wide / rate)
    b = 2 * np.exp(-np.pi * wide / rate) * np.cos(2 * np.pi * formants / rate)
    heard = formants < 0.46 * rate
    b, c = np.where(heard, b, 0.0), np.where(heard, c, 0.0)
    zero, one = np.zeros(len(formants)), np.ones(len(formants))
    return np.stack([1 - b - c, zero, zero, one, -b, -c], axis=1)


@dataclass(frozen=True)
class Segment:
    """A phone in its place. `stress` is its digit where it is a vowel."""

    phone: str
    word: int
    start: float
    seconds: float
    stress: int = 0

    @property
    def end(self) -> float:
        return self.start + self.seconds


class Speaker(Source):
    """What the voices share. `tract` divides a man's vocal tract: 1 a man, about 1.17 a woman, 1.35 a child; `f0` is
    the voice's own pitch; whispered speech has noise in place of the voice, and no pitch."""

    group: ClassVar[Group] = "speech"
    f0: float = Field(120, ge=50, le=600)
    tract: float = Field(1.0, ge=0.8, le=1.6)
    whispered: bool = False

    def sounding(self) -> dict[str, Any]:
        return without(super().sounding(), *(("f0",) if self.whispered else ()))

    def throat(self, slot: Slot, f0: Samples) -> Samples:
        """What comes from the larynx."""
        if self.whispered:
            return 0.5 * band(noise(slot), slot.rate, 300, None, 1)
        return tone(f0 * (1 + 0.004 * noise(slot, "pink")), GLOTTIS, slot.rate) + 0.01 * noise(slot)

    def tube(self, formants: Samples) -> Samples:
        """F1 to F5 of this speaker from a man's F1 to F3 (..., 3)."""
        upper = np.broadcast_to(np.array(UPPER), (*formants.shape[:-1], 2))
        return np.concatenate((formants, upper), axis=-1) * self.tract

    def known(self) -> dict[str, Any]:
        return {"f0": None if self.whispered else self.f0, "tract": self.tract, "whispered": self.whispered}


class Vowel(Speaker):
    """One vowel, held. Its pitch may go to `f0_end` in equal ratios."""

    label: ClassVar[str] = "a held vowel"
    vowel: VowelName = "AA"
    f0_end: float | None = Field(None, ge=50, le=600)

    def natural(self) -> float:
        return 1.0

    def sounding(self) -> dict[str, Any]:
        told = super().sounding() | {"f0_end": self.f0 if self.f0_end is None else self.f0_end}
        return without(told, "f0_end") if self.whispered else told

    def sound(self, slot: Slot) -> Samples:
        last = self.f0 if self.f0_end is None else self.f0_end
        f0 = self.f0 * (last / self.f0) ** (np.arange(slot.n) / max(slot.n - 1, 1))
        formants = self.tube(np.array(VOWELS[self.vowel], float))
        return resonate(self.throat(slot, f0), slot.rate, formants) * ramps(slot, 0.03, 0.05)

    def truth(self, seconds: float) -> dict[str, Any]:
        last = self.f0 if self.f0_end is None else self.f0_end
        moves = None if self.whispered else course(last / self.f0)
        formants = [round(f * self.tract, 3) for f in VOWELS[self.vowel]]
        return self.known() | {"vowel": self.vowel, "formants": formants, "pitch_course": moves, "f0_end": last}


class Speech(Speaker):
    """Words by their phones: "HH AH0 L OW1 | W ER1 L D" (ARPAbet with stress digits, "|" between words).

    A statement's pitch sinks and falls at the end, a question's rises over its last syllable, a monotone stands
    still. Stress makes a vowel longer (x 1.6), louder (4 dB) and higher (`span` semitones); `emphasis` does so more for
    one word (from 0). `speed` divides all lengths; `pause` is the silence between words in seconds.
    """

    label: ClassVar[str] = "speech"
    phones: str = "HH AH0 L OW1"
    contour: Contour = "statement"
    speed: float = Field(1.0, ge=0.4, le=2.5)
    pause: float = Field(0.04, ge=0, le=1)
    span: float = Field(2.0, ge=0, le=8)
    emphasis: int | None = Field(None, ge=0, le=20)

    @field_validator("phones")
    @classmethod
    def _known(cls, text: str) -> str:
        split(text)
        return text

    def segments(self) -> list[Segment]:
        """The phones in their places."""
        out, at = [], 0.0
        words = split(self.phones)
        for number, word in enumerate(words):
            for place, name in enumerate(word):
                what = PHONES[name.rstrip("012")]
                stress = int(name[-1]) if name[-1].isdigit() else 0
                factor = 1.6 if stress == 1 and what.vowel else 1.2 if stress == 2 and what.vowel else 1.0
                factor *= 1.3 if number == self.emphasis else 1.0
                last = number == len(words) - 1 and not any(p[-1].isdigit() for p in word[place + 1 :])
                seconds = what.seconds * factor * (1.4 if last and what.vowel else 1.0) / self.speed
                out.append(Segment(name.rstrip("012"), number, at, seconds, stress))
                at += seconds
            at += self.pause if number < len(words) - 1 else 0.0
        return out

    def natural(self) -> float:
        return self.segments()[-1].end + 0.05

    def sounding(self) -> dict[str, Any]:
        silent = ("pause",) * (len(split(self.phones)) == 1)
        silent += ("contour", "span") if self.whispered else ("span",) * (self.contour == "monotone")
        return without(super().sounding(), *silent)

    def least(self) -> float:
        return self.segments()[-1].end

    def pitch(self, slot: Slot) -> Samples:
        """The pitch's course in Hz (n,)."""
        segments = self.segments()
        if self.contour == "monotone":
            return np.full(slot.n, self.f0)
        end, t = segments[-1].end, slot.t
        vowels = [segment for segment in segments if PHONES[segment.phone].vowel]
        last = (vowels or segments)[-1]
        half = {"statement": ((0, 2), (last.start, 0), (end, -5)), "question": ((0, 1), (last.start, -1), (end, 8))}
        where, semitones = zip(*half[self.contour], strict=True)
        out = np.interp(t, where, semitones)
        for segment in vowels:
            if segment.stress == 1 and segment is not last:
                lift = self.span * (2.0 if segment.word == self.emphasis else 1.0)
                out += lift * np.exp(-(((t - segment.start - segment.seconds / 2) / (0.6 * segment.seconds)) ** 2))
        return np.asarray(self.f0 * 2 ** (out / 12))

    def sound(self, slot: Slot) -> Samples:
        segments = self.segments()
        voice, breath = _gates(segments, slot, self.emphasis)
        x = self.throat(slot, self.pitch(slot)) * (voice if not self.whispered else np.maximum(voice, breath))
        out = resonate(x, slot.rate, self.tube(_tracks(segments, slot.seconds)))
        loud = float(np.sqrt(np.mean(out**2))) * 3 + 1e-9
        for segment in segments:
            if PHONES[segment.phone].noise:
                add(out, loud * _noise(segment, slot), round(segment.start * slot.rate))
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        segments = self.segments()
        vowels = [segment for segment in segments if PHONES[segment.phone].vowel]
        words = [[s for s in segments if s.word == n] for n in range(segments[-1].word + 1)]
        final = {"statement": "falling", "question": "rising", "monotone": "steady"}[self.contour]
        return self.known() | {
            "words": len(words),
            "onsets": [round(word[0].start, 6) for word in words],
            "syllables": len(vowels),
            "stressed": [number for number, vowel in enumerate(vowels) if vowel.stress == 1],
            "vowels": [[vowel.phone, round(vowel.start, 6), round(vowel.end, 6)] for vowel in vowels],
            "contour": self.contour,
            "pitch_course": None if self.whispered else final,
            "spoken": round(segments[-1].end, 6),
            "syllables_per_second": round(len(vowels) / segments[-1].end, 6),
            "phones": self.phones,
        }


def _tracks(segments: Sequence[Segment], seconds: float) -> Samples:
    """F1 to F3 of a man for each frame (frames, 3): straight lines between where the phones reach their resonances."""
    where: list[float] = []
    values: list[tuple[float, float, float]] = []
    for segment in segments:
        phone = PHONES[segment.phone]
        if phone.formants is not None:
            where += [segment.start + share * segment.seconds for share in (0.3, 0.75)]
            values += [phone.formants, phone.to or phone.formants]
    frames = np.arange(int(seconds / FRAME) + 1) * FRAME
    rows = np.array(values or [SCHWA], float)
    return np.stack([np.interp(frames, where or [0.0], rows[:, k]) for k in range(3)], axis=1)


def _gates(segments: Sequence[Segment], slot: Slot, emphasis: int | None) -> tuple[Samples, Samples]:
    """How loud the voice is, and what of it a whisper keeps (n,): each phone's level with 12 ms ramps."""
    voice, breath = np.zeros(slot.n), np.zeros(slot.n)
    for segment in segments:
        phone = PHONES[segment.phone]
        first, last = round(segment.start * slot.rate), round(segment.end * slot.rate)
        loud = phone.voice * gain(0.0 if segment.stress == 1 or not phone.vowel else -4.0)
        voice[first:last] = loud * gain(4.0 if segment.word == emphasis else 0.0)
        breath[first:last] = 0.3 if segment.phone == "HH" else 0.0
    kernel = np.hanning(max(3, round(0.024 * slot.rate)))
    kernel /= kernel.sum()
    smooth = [np.convolve(row, kernel, "same") if row.any() else row for row in (voice, breath)]
    return smooth[0][: slot.n], smooth[1][: slot.n]


def _noise(segment: Segment, slot: Slot) -> Samples:
    """The hiss of a fricative or the burst of a stop, with the silence before it."""
    phone, place = PHONES[segment.phone], slot.of(segment.seconds)
    hiss = band(noise(place), slot.rate, phone.band[0], min(phone.band[1], 0.47 * slot.rate), 2)
    hiss *= phone.noise / max(float(np.sqrt(np.mean(hiss**2))), 1e-9)
    if not phone.stop:
        return hiss * ramps(place, 0.02, 0.02)
    return hiss * curve(place, ((0, 0), (0.55, 0), (0.58, 1), (0.8, 0.5 if phone.noise > 0.3 else 0.1), (1, 0)))


class Laugh(Repeated):
    """Laughter: "ha" again and again, each a little lower."""

    label: ClassVar[str] = "a person laughing"
    group: ClassVar[Group] = "speech"
    count: int = Field(6, ge=1, le=30)
    gap: float = Field(0.21, ge=0.12, le=0.6)
    f0: float = Field(220, ge=80, le=500)
    tract: float = Field(1.0, ge=0.8, le=1.6)

    one_seconds: ClassVar[float] = 0.2
    overlapping: ClassVar[bool] = False

    def one(self, slot: Slot, number: int) -> Samples:
        f0 = curve(slot, ((0, 1.15), (1, 0.9))) * self.f0 * 0.97**number
        voiced = tone(f0, GLOTTIS, slot.rate) * curve(slot, ((0, 0), (0.3, 0.1), (0.45, 1), (0.75, 0.8), (1, 0)))
        breath = 0.25 * noise(slot) * curve(slot, ((0, 0), (0.15, 1), (0.45, 0.2), (1, 0)))
        formants = np.array([*VOWELS["AH"], *UPPER]) * self.tract
        return resonate(voiced + breath, slot.rate, formants)

    def truth(self, seconds: float) -> dict[str, Any]:
        return super().truth(seconds) | {"f0": self.f0}


class Cough(Repeated):
    """Coughs: a burst of breath, then a short hoarse voice."""

    label: ClassVar[str] = "a person coughing"
    group: ClassVar[Group] = "speech"
    count: int = Field(2, ge=1, le=10)
    gap: float = Field(0.5, ge=0.3, le=5)

    one_seconds: ClassVar[float] = 0.4
    overlapping: ClassVar[bool] = False

    def one(self, slot: Slot, number: int) -> Samples:
        burst = noise(slot) * dying(slot, 0.28, 0.004)
        hoarse = tone(140 * (1 + 0.08 * noise(slot, "pink")), GLOTTIS, slot.rate)
        hoarse *= 0.5 * curve(slot, ((0, 0), (0.35, 0), (0.45, 1), (0.8, 0.3), (1, 0)))
        return resonate(burst + hoarse, slot.rate, np.array([650.0, 1450.0, 2500.0, 3500.0, 4500.0]))


class Crying(Repeated):
    """A baby: long cries whose pitch rises and falls, rich in partials."""

    label: ClassVar[str] = "a crying baby"
    group: ClassVar[Group] = "speech"
    count: int = Field(3, ge=1, le=20)
    gap: float = Field(1.1, ge=0.6, le=5)
    f0: float = Field(440, ge=300, le=600)

    one_seconds: ClassVar[float] = 0.9
    overlapping: ClassVar[bool] = False

    def one(self, slot: Slot, number: int) -> Samples:
        f0 = self.f0 * curve(slot, ((0, 0.8), (0.25, 1.1), (0.7, 1.05), (1, 0.75)))
        formants = np.array([*VOWELS["AE"], *UPPER]) * 1.5
        return resonate(tone(f0, GLOTTIS, slot.rate), slot.rate, formants) * ramps(slot, 0.08, 0.2)

    def truth(self, seconds: float) -> dict[str, Any]:
        return super().truth(seconds) | {"f0": self.f0}


VOICE: dict[str, type[Source]] = {
    "vowel": Vowel, "speech": Speech, "laugh": Laugh, "cough": Cough, "baby": Crying,
}  # fmt: skip
