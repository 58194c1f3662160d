"""Calls like those of animals: what is typical of each in pitch, its course, roughness and rhythm, and no more."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from akb.lab.sound.signals import Samples, Slot, add, band, curve, noise, ramps, sine, tone, wander
from akb.lab.sound.source import Repeated, Source


class Call(Repeated):
    """One call several times; calls do not overlap. `scale` multiplies the pitch (a smaller animal has more)."""

    scale: float = Field(1.0, ge=0.5, le=2.0)

    overlapping: ClassVar[bool] = False

    def track(self, slot: Slot, *points: tuple[float, float]) -> Samples:
        """A pitch in Hz through (share of the call, Hz), scaled."""
        return curve(slot, points) * self.scale


def _formed(x: Samples, rate: int, *bands: tuple[float, float, float]) -> Samples:
    """Bands of a sound, each (low, high, amplitude), added up: a rough mouth."""
    return np.asarray(sum(loud * band(x, rate, low, high, 1) for low, high, loud in bands))


class Bark(Call):
    """A dog: short, rough, the pitch up and down within a fifth of a second."""

    label: ClassVar[str] = "a barking dog"

    one_seconds: ClassVar[float] = 0.2

    def one(self, slot: Slot, number: int) -> Samples:
        f = self.track(slot, (0, 330), (0.25, 560), (1, 300)) * (1 + 0.12 * noise(slot, "pink"))
        body = tone(f, [k**-0.4 for k in range(1, 20)], slot.rate) + 0.5 * noise(slot)
        return _formed(body, slot.rate, (450, 1100, 1), (1400, 2600, 0.5)) * curve(slot, ((0, 0), (0.08, 1), (1, 0.02)))


class Meow(Call):
    """A cat: a long call through "ee-ah-oo", the pitch up and then down."""

    label: ClassVar[str] = "a meowing cat"
    count: int = Field(1, ge=1, le=20)
    gap: float = Field(1.1, ge=0.3, le=10)

    one_seconds: ClassVar[float] = 0.9

    def one(self, slot: Slot, number: int) -> Samples:
        f = self.track(slot, (0, 480), (0.3, 720), (0.6, 680), (1, 430))
        body = tone(f, [k**-0.6 for k in range(1, 16)], slot.rate)
        open_ = curve(slot, ((0, 0), (0.4, 1), (1, 0)))
        shut, loud = band(body, slot.rate, 300, 900, 1), curve(slot, ((0, 0), (0.15, 1), (0.6, 0.9), (1, 0)))
        return (shut + open_ * band(body, slot.rate, 1000, 2800, 1)) * loud


class Chirps(Call):
    """A songbird: short high whistles that sweep down and up."""

    label: ClassVar[str] = "a chirping bird"
    count: int = Field(5, ge=1, le=60)
    gap: float = Field(0.22, ge=0.06, le=5)

    one_seconds: ClassVar[float] = 0.12

    def one(self, slot: Slot, number: int) -> Samples:
        f = self.track(slot, (0, 5200), (0.5, 3600), (1, 4700))
        return sine(np.minimum(f, 0.46 * slot.rate), slot.rate) * ramps(slot, 0.02, 0.04)


class Crickets(Call):
    """A cricket: trains of three pulses of a pure tone near 4.5 kHz."""

    label: ClassVar[str] = "a chirping cricket"
    count: int = Field(5, ge=1, le=60)
    gap: float = Field(0.4, ge=0.15, le=5)

    one_seconds: ClassVar[float] = 0.13

    def one(self, slot: Slot, number: int) -> Samples:
        pulses = np.clip(np.sin(2 * np.pi * slot.t / (2 * slot.seconds / 6)) ** 2 * 1.4 - 0.2, 0, 1)
        return sine(np.full(slot.n, min(4500 * self.scale, 0.46 * slot.rate)), slot.rate) * pulses


class Frog(Call):
    """A frog: a croak, a train of 30 rough pulses a second."""

    label: ClassVar[str] = "a croaking frog"
    count: int = Field(2, ge=1, le=30)
    gap: float = Field(0.8, ge=0.2, le=10)

    one_seconds: ClassVar[float] = 0.4

    def one(self, slot: Slot, number: int) -> Samples:
        pulse = np.exp(-5 * ((slot.t * 30) % 1))
        body = tone(self.track(slot, (0, 210), (1, 260)), [k**-0.3 for k in range(1, 12)], slot.rate)
        return _formed(body, slot.rate, (300, 900, 1), (1200, 2200, 0.5)) * pulse * ramps(slot, 0.05, 0.05)


class Owl(Call):
    """An owl: soft, low, nearly pure hoots."""

    label: ClassVar[str] = "a hooting owl"
    count: int = Field(2, ge=1, le=20)
    gap: float = Field(0.8, ge=0.3, le=10)

    one_seconds: ClassVar[float] = 0.5

    def one(self, slot: Slot, number: int) -> Samples:
        f = self.track(slot, (0, 350), (0.3, 400), (1, 370))
        return tone(f, [1, 0.08, 0.03], slot.rate) * ramps(slot, 0.08, 0.2)


class Cow(Call):
    """A cow: a long low call, the pitch up a little and down at the end."""

    label: ClassVar[str] = "a mooing cow"
    count: int = Field(1, ge=1, le=10)
    gap: float = Field(2.0, ge=0.5, le=10)

    one_seconds: ClassVar[float] = 1.5

    def one(self, slot: Slot, number: int) -> Samples:
        f = self.track(slot, (0, 115), (0.3, 165), (0.75, 160), (1, 105)) * (1 + 0.02 * wander(slot, 30))
        body = tone(f, [k**-0.5 for k in range(1, 25)], slot.rate)
        formed = _formed(body, slot.rate, (150, 420, 1), (700, 1100, 0.5), (2000, 2500, 0.1))
        return formed * curve(slot, ((0, 0), (0.15, 0.7), (0.5, 1), (1, 0)))


class Sheep(Call):
    """A sheep: a call that shakes nine times a second."""

    label: ClassVar[str] = "a bleating sheep"
    count: int = Field(1, ge=1, le=10)
    gap: float = Field(1.2, ge=0.4, le=10)

    one_seconds: ClassVar[float] = 0.9

    def one(self, slot: Slot, number: int) -> Samples:
        shake = np.sin(2 * np.pi * 9 * slot.t)
        f = self.track(slot, (0, 290), (0.2, 330), (1, 270)) * (1 + 0.05 * shake)
        body = tone(f, [k**-0.4 for k in range(1, 22)], slot.rate) * (0.65 + 0.35 * shake)
        return _formed(body, slot.rate, (500, 900, 1), (1400, 2300, 0.8)) * ramps(slot, 0.06, 0.15)


class Duck(Call):
    """A duck: short nasal quacks with a falling pitch, rich in partials."""

    label: ClassVar[str] = "a quacking duck"
    count: int = Field(4, ge=1, le=40)
    gap: float = Field(0.35, ge=0.1, le=5)

    one_seconds: ClassVar[float] = 0.17

    def one(self, slot: Slot, number: int) -> Samples:
        body = tone(self.track(slot, (0, 260), (1, 170)), [1.0] * 30, slot.rate)
        return _formed(body, slot.rate, (1100, 1700, 1), (2300, 3200, 0.8)) * curve(slot, ((0, 0), (0.1, 1), (1, 0.1)))


class Wolf(Call):
    """A wolf: a howl that glides up, holds and sinks."""

    label: ClassVar[str] = "a howling wolf"
    count: int = Field(1, ge=1, le=5)
    gap: float = Field(3.0, ge=1, le=10)

    one_seconds: ClassVar[float] = 2.4

    def one(self, slot: Slot, number: int) -> Samples:
        f = self.track(slot, (0, 280), (0.2, 520), (0.7, 500), (1, 330)) * (1 + 0.01 * np.sin(2 * np.pi * 5 * slot.t))
        return tone(f, [1, 0.35, 0.12, 0.05], slot.rate) * ramps(slot, 0.2, 0.5)


class Rooster(Call):
    """A rooster: four syllables, the third long and high, the last falling."""

    label: ClassVar[str] = "a crowing rooster"
    count: int = Field(1, ge=1, le=5)
    gap: float = Field(2.5, ge=1.5, le=10)

    one_seconds: ClassVar[float] = 1.5

    def one(self, slot: Slot, number: int) -> Samples:
        out = np.zeros(slot.n)
        for start, seconds, first, last in ((0, 0.16, 520, 640), (0.2, 0.12, 700, 760), (0.36, 0.45, 850, 980),
                                            (0.85, 0.55, 900, 520)):  # fmt: skip
            place = slot.of(seconds)
            body = tone(self.track(place, (0, first), (1, last)), [k**-0.2 for k in range(1, 10)], slot.rate)
            add(out, _formed(body, slot.rate, (800, 2600, 1)) * ramps(place, 0.03, 0.06), round(start * slot.rate))
        return out


class Cuckoo(Call):
    """A cuckoo: two flute-like notes, the second a minor or a major third (3 or 4 semitones) lower."""

    label: ClassVar[str] = "a cuckoo"
    count: int = Field(2, ge=1, le=20)
    gap: float = Field(1.1, ge=0.6, le=10)
    semitones: int = Field(3, ge=3, le=4)

    one_seconds: ClassVar[float] = 0.65

    def one(self, slot: Slot, number: int) -> Samples:
        out, high = np.zeros(slot.n), 660 * self.scale
        for at, seconds, f in ((0.0, 0.18, high), (0.28, 0.34, high * 2 ** (-self.semitones / 12))):
            place = slot.of(seconds)
            add(out, tone(np.full(place.n, f), [1, 0.12], slot.rate) * ramps(place, 0.03, 0.08), round(at * slot.rate))
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        f = 660 * self.scale
        name = "minor third" if self.semitones == 3 else "major third"
        return super().truth(seconds) | {"f0s": [f, f * 2 ** (-self.semitones / 12)], "interval": name}


class Bee(Source):
    """A bee: a steady buzz whose pitch wanders a little as it flies."""

    label: ClassVar[str] = "a buzzing bee"
    f: float = Field(230, ge=120, le=700)

    def sound(self, slot: Slot) -> Samples:
        near = wander(slot, 2)
        track = self.f * (0.97 + 0.06 * wander(slot, 3))
        body = band(tone(track, [k**-0.5 for k in range(1, 30)], slot.rate), slot.rate, 200, None, 1)
        return body * (0.5 + 0.5 * near) * ramps(slot, 0.1, 0.1)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"f0": self.f, "f0_within": 0.03}


ANIMALS: dict[str, type[Source]] = {
    "dog": Bark, "cat": Meow, "bird": Chirps, "cricket": Crickets, "frog": Frog, "owl": Owl, "cow": Cow,
    "sheep": Sheep, "duck": Duck, "wolf": Wolf, "rooster": Rooster, "cuckoo": Cuckoo, "bee": Bee,
}  # fmt: skip
