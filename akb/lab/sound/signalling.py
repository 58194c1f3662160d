"""Test signals and things that are made to be heard: tones, noises, sirens, beeps, bells, horns, whistles."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from akb.lab.sound.signals import Samples, Slot, band, dying, glide, noise, ramps, ring, sine, tone
from akb.lab.sound.source import Repeated, Source, course

Hertz = Annotated[float, Field(ge=20, le=12_000)]

WAVES = {
    "sine": (1.0,),
    "square": tuple(1 / k if k % 2 else 0.0 for k in range(1, 60)),
    "saw": tuple(1 / k for k in range(1, 60)),
    "triangle": tuple((-1) ** (k // 2) / k**2 if k % 2 else 0.0 for k in range(1, 60)),
}


class Tone(Source):
    """A test tone; with `f_end` a sweep in equal ratios."""

    label: ClassVar[str] = "a test tone"
    wave: Literal["sine", "square", "saw", "triangle"] = "sine"
    f: Hertz = 440
    f_end: Hertz | None = None

    def sound(self, slot: Slot) -> Samples:
        track = glide(slot, self.f, self.f if self.f_end is None else self.f_end)
        return tone(track, WAVES[self.wave], slot.rate) * ramps(slot, 0.01, 0.01)

    def truth(self, seconds: float) -> dict[str, Any]:
        known = {"wave": self.wave, "f0": self.f, "pitch_course": course((self.f_end or self.f) / self.f)}
        return known | ({"f0_end": self.f_end} if self.f_end else {})


class Noise(Source):
    """Steady noise of a colour."""

    label: ClassVar[str] = "noise"
    colour: Literal["white", "pink", "brown", "blue", "violet"] = "white"

    def sound(self, slot: Slot) -> Samples:
        return noise(slot, self.colour) * ramps(slot, 0.01, 0.01)

    def truth(self, seconds: float) -> dict[str, Any]:
        slope = {"white": 0, "pink": -3, "brown": -6, "blue": 3, "violet": 6}[self.colour]
        return {"colour": self.colour, "db_per_octave": slope}


class Siren(Source):
    """A wailing siren: the pitch goes up and down between two frequencies, once in `cycle` seconds."""

    label: ClassVar[str] = "a siren"
    low: Hertz = 550
    high: Hertz = 1300
    cycle: float = Field(2.0, ge=0.1, le=20)

    def natural(self) -> float:
        return 2 * self.cycle

    def sound(self, slot: Slot) -> Samples:
        place = 0.5 - 0.5 * np.cos(2 * np.pi * slot.t / self.cycle)
        track = self.low * (self.high / self.low) ** place
        return tone(track, [1, 0.35, 0.3, 0.12, 0.1], slot.rate) * ramps(slot, 0.03, 0.03)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"f_low": self.low, "f_high": self.high, "cycle": self.cycle, "pitch_course": "up and down"}


class TwoTone(Source):
    """A two-tone horn, as of an ambulance: two pitches in turn, each for `each` seconds."""

    label: ClassVar[str] = "a two-tone emergency horn"
    first: Hertz = 585
    second: Hertz = 440
    each: float = Field(0.5, ge=0.05, le=5)

    def natural(self) -> float:
        return 4 * self.each

    def sound(self, slot: Slot) -> Samples:
        second = (slot.t / self.each).astype(int) % 2
        track = np.where(second == 1, self.second, self.first)
        return tone(track, [1, 0.6, 0.5, 0.35, 0.25, 0.15], slot.rate) * ramps(slot, 0.02, 0.02)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"f0s": [self.first, self.second], "each": self.each, "changes": int((seconds - 1e-9) / self.each)}


class Beeps(Repeated):
    """Electronic beeps."""

    label: ClassVar[str] = "electronic beeps"
    f: Hertz = 1000
    beep: float = Field(0.12, ge=0.02, le=0.5)

    one_seconds: ClassVar[float] = 0.5
    overlapping: ClassVar[bool] = False

    def one(self, slot: Slot, number: int) -> Samples:
        place = slot.of(min(self.beep, slot.seconds))
        x = np.zeros(slot.n)
        x[: place.n] = tone(np.full(place.n, self.f), [1, 0, 0.15], slot.rate) * ramps(place, 0.004, 0.004)
        return x

    def natural(self) -> float:
        return self.onsets()[-1] + self.beep

    def truth(self, seconds: float) -> dict[str, Any]:
        return super().truth(seconds) | {"f0": self.f}


class PhoneRing(Repeated):
    """A telephone's bell: two bells struck in turn 20 times a second for a second; `gap` from ring to ring."""

    label: ClassVar[str] = "an old telephone ringing"
    count: int = Field(2, ge=1, le=20)
    gap: float = Field(1.8, ge=0.5, le=10)

    one_seconds: ClassVar[float] = 1.2

    def one(self, slot: Slot, number: int) -> Samples:
        struck = slot.of(0.5)
        out, t60 = np.zeros(slot.n), [0.5, 0.4, 0.3]
        pair = [ring(struck, f * np.array([1, 2.7, 4.1]), t60, [1, 0.5, 0.25]) for f in (1050.0, 1320.0)]
        for stroke in range(20):
            at = round(0.05 * stroke * slot.rate)
            room = min(struck.n, slot.n - at)
            out[at : at + room] += pair[stroke % 2][:room]
        return out * ramps(slot, 0.0, 0.2)


class Horn(Repeated):
    """A car's horn: two pitches at once, rich in partials."""

    label: ClassVar[str] = "a car horn"
    count: int = Field(1, ge=1, le=20)
    gap: float = Field(0.8, ge=0.1, le=10)

    one_seconds: ClassVar[float] = 0.6
    overlapping: ClassVar[bool] = False

    def one(self, slot: Slot, number: int) -> Samples:
        rich = [k**-0.6 for k in range(1, 16)]
        both = tone(np.full(slot.n, 420.0), rich, slot.rate) + tone(np.full(slot.n, 502.0), rich, slot.rate)
        return band(both, slot.rate, 300, 4500, 2) * ramps(slot, 0.015, 0.03)

    def truth(self, seconds: float) -> dict[str, Any]:
        return super().truth(seconds) | {"f0s": [420.0, 502.0]}


class Whistle(Source):
    """A referee's whistle with a pea: a high tone that shakes 35 times a second, with breath."""

    label: ClassVar[str] = "a referee's whistle"
    f: Annotated[float, Field(ge=1500, le=4500)] = 2900

    def natural(self) -> float:
        return 0.9

    def sound(self, slot: Slot) -> Samples:
        shake = np.sin(2 * np.pi * 35 * slot.t)
        body = tone(self.f * (1 + 0.03 * shake), [1, 0.12], slot.rate) * (0.65 + 0.35 * shake)
        breath = band(noise(slot), slot.rate, 0.7 * self.f, 1.6 * self.f, 2) * 0.25
        return (body + breath) * ramps(slot, 0.02, 0.04)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"f0": self.f, "shake_rate": 35}


class Buzzer(Source):
    """An electric buzzer: a hard, low, steady tone."""

    label: ClassVar[str] = "a buzzer"
    f: Annotated[float, Field(ge=50, le=400)] = 120

    def natural(self) -> float:
        return 0.8

    def sound(self, slot: Slot) -> Samples:
        hard = tone(np.full(slot.n, self.f), [k**-0.3 for k in range(1, 45)], slot.rate)
        return band(hard, slot.rate, 150, 5000, 2) * ramps(slot, 0.004, 0.004)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"f0": self.f}


class TrainWhistle(Source):
    """A steam or diesel train's chime: a chord of five pitches, breathy, bending up at the start."""

    label: ClassVar[str] = "a train whistle"

    def natural(self) -> float:
        return 1.6

    def sound(self, slot: Slot) -> Samples:
        bend = 1 - 0.06 * np.exp(-slot.t / 0.06)
        pitches = (311.1, 370.0, 415.3, 493.9, 622.3)
        out = np.zeros(slot.n)
        for f in pitches:
            out += tone(f * bend, [1, 0.5, 0.25, 0.12], slot.rate)
        return (out + 0.25 * band(noise(slot), slot.rate, 500, 4000, 2)) * ramps(slot, 0.08, 0.15)


class HandBell(Repeated):
    """A small bell, struck again and again."""

    label: ClassVar[str] = "a small bell"
    count: int = Field(1, ge=1, le=60)
    gap: float = Field(0.6, ge=0.05, le=10)
    f: Hertz = 1800

    one_seconds: ClassVar[float] = 1.2

    def one(self, slot: Slot, number: int) -> Samples:
        return ring(slot, self.f * np.array([1, 1.006, 2.41, 3.9]), [1.6, 1.6, 0.7, 0.3], [1, 0.12, 0.5, 0.3])

    def truth(self, seconds: float) -> dict[str, Any]:
        return super().truth(seconds) | {"f0": self.f}


class Sonar(Repeated):
    """A sonar's ping: a pure tone with a long tail."""

    label: ClassVar[str] = "a sonar ping"
    count: int = Field(2, ge=1, le=20)
    gap: float = Field(1.4, ge=0.2, le=10)

    one_seconds: ClassVar[float] = 1.4

    def one(self, slot: Slot, number: int) -> Samples:
        return sine(np.full(slot.n, 1450.0), slot.rate) * dying(slot, 1.8, 0.01)

    def truth(self, seconds: float) -> dict[str, Any]:
        return super().truth(seconds) | {"f0": 1450.0}


SIGNALLING: dict[str, type[Source]] = {
    "tone": Tone, "noise": Noise, "siren": Siren, "two_tone": TwoTone, "beeps": Beeps, "phone": PhoneRing,
    "horn": Horn, "whistle": Whistle, "buzzer": Buzzer, "train_whistle": TrainWhistle, "hand_bell": HandBell,
    "sonar": Sonar,
}  # fmt: skip
