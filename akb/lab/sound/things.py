"""Things that are struck, that move and that run: knocks, steps, drips, a bouncing ball, engines, rain, wind, fire."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from akb.lab.sound.signals import (
    Samples,
    Slot,
    add,
    band,
    curve,
    dying,
    gain,
    glide,
    noise,
    ramps,
    ring,
    rms,
    sine,
    tone,
    turns,
    wander,
)
from akb.lab.sound.source import Repeated, Source, course


class Knocks(Repeated):
    """Knocks on a wooden door."""

    label: ClassVar[str] = "knocks on a wooden door"
    gap: float = Field(0.35, ge=0.08, le=10)

    def one(self, slot: Slot, number: int) -> Samples:
        freqs = np.array([165, 260, 410, 640, 1100]) * slot.rng.uniform(0.98, 1.02, 5)
        return ring(slot, freqs, [0.16, 0.13, 0.1, 0.07, 0.04], [1, 0.8, 0.6, 0.4, 0.3])


class Hammer(Repeated):
    """A hammer on metal: a ringing, inharmonic clank."""

    label: ClassVar[str] = "a hammer on metal"
    gap: float = Field(0.6, ge=0.1, le=10)

    one_seconds: ClassVar[float] = 0.6

    def one(self, slot: Slot, number: int) -> Samples:
        freqs = np.array([870, 1410, 2230, 3190, 4370, 5710])
        loud = np.array([0.6, 1, 0.8, 0.7, 0.5, 0.4]) * slot.rng.uniform(0.8, 1.2, 6)
        return ring(slot, freqs, [0.7, 0.9, 0.6, 0.5, 0.35, 0.25], loud) + 0.5 * noise(slot) * dying(slot, 0.02)


class Footsteps(Repeated):
    """Footsteps: on a hard floor (heel and toe, clicking) or on gravel (crunching)."""

    label: ClassVar[str] = "footsteps"
    count: int = Field(6, ge=1, le=100)
    gap: float = Field(0.5, ge=0.15, le=5)
    floor: Literal["hard", "gravel"] = "hard"

    def one(self, slot: Slot, number: int) -> Samples:
        if self.floor == "gravel":
            grains = band(noise(slot), slot.rate, 900, 6000, 2) * (slot.rng.random(slot.n) < 0.03)
            return grains * curve(slot, ((0, 0.3), (0.15, 1), (0.5, 0.5), (0.8, 0)))
        heel = ring(slot, [95, 190, 1250, 1900], [0.12, 0.09, 0.035, 0.025], [1, 0.6, 0.7, 0.5])
        add(heel, 0.3 * band(noise(slot), slot.rate, 1500, 4500, 2) * dying(slot, 0.04), round(0.07 * slot.rate))
        return heel

    def truth(self, seconds: float) -> dict[str, Any]:
        return super().truth(seconds) | {"floor": self.floor}


class Ticks(Repeated):
    """A clock: tick and tock in turn."""

    label: ClassVar[str] = "a ticking clock"
    count: int = Field(6, ge=1, le=100)

    one_seconds: ClassVar[float] = 0.06

    def one(self, slot: Slot, number: int) -> Samples:
        f = 2900 if number % 2 == 0 else 2300
        return ring(slot, [f, 1.53 * f, 2.2 * f], [0.035, 0.025, 0.02], [1, 0.7, 0.5])


class Drips(Repeated):
    """Water dripping: each drop a bubble (M. Minnaert, Phil. Mag. 16, 1933) whose pitch rises (K. van den Doel,
    "Physically based models for liquid sounds", ACM Transactions on Applied Perception 2(4), 2005)."""

    label: ClassVar[str] = "dripping water"
    count: int = Field(4, ge=1, le=60)
    gap: float = Field(0.7, ge=0.1, le=10)

    one_seconds: ClassVar[float] = 0.18

    def one(self, slot: Slot, number: int) -> Samples:
        f = 900 * slot.rng.uniform(0.92, 1.08) * (1 + 1.2 * np.clip(slot.t / 0.09, 0, 1) ** 2)
        return sine(f, slot.rate) * dying(slot, 0.16, 0.003)


class BouncingBall(Source):
    """A ball let fall: each gap and each impact's level is the restitution times the one before (in amplitude)."""

    label: ClassVar[str] = "a bouncing ball"
    first_gap: float = Field(0.55, ge=0.1, le=2)
    restitution: float = Field(0.75, ge=0.4, le=0.95)
    count: int = Field(9, ge=2, le=40)

    def onsets(self) -> list[float]:
        gaps = self.first_gap * self.restitution ** np.arange(self.count - 1)
        return [0.0, *(float(at) for at in np.cumsum(gaps))]

    def natural(self) -> float:
        return self.onsets()[-1] + 0.15

    def least(self) -> float:
        return self.onsets()[-1] + 0.03

    def sound(self, slot: Slot) -> Samples:
        out, place = np.zeros(slot.n), slot.of(0.15)
        hit = ring(place, [210, 480, 1150], [0.1, 0.06, 0.03], [1, 0.5, 0.3])
        for number, at in enumerate(self.onsets()):
            add(out, hit * self.restitution**number, round(at * slot.rate))
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        onsets = [round(at, 6) for at in self.onsets()]
        return {"count": self.count, "onsets": onsets, "course": "speeding up", "ratio": self.restitution,
                "loudness_course": "falling"}  # fmt: skip


class Claps(Repeated):
    """Hands clapping."""

    label: ClassVar[str] = "hand claps"
    count: int = Field(4, ge=1, le=100)

    one_seconds: ClassVar[float] = 0.12

    def one(self, slot: Slot, number: int) -> Samples:
        centre = 1300 * slot.rng.uniform(0.95, 1.05)
        return band(noise(slot), slot.rate, 0.6 * centre, 2.2 * centre, 2) * dying(slot, 0.09)


class Hooves(Repeated):
    """A horse: trotting (even pairs) or galloping (groups of three and a rest). `gap` is one stride."""

    label: ClassVar[str] = "a horse's hooves"
    gait: Literal["trot", "gallop"] = "gallop"
    count: int = Field(4, ge=1, le=20)
    gap: float = Field(0.5, ge=0.3, le=1.5)

    one_seconds: ClassVar[float] = 0.5
    inside: ClassVar[bool] = True

    def one(self, slot: Slot, number: int) -> Samples:
        out, place = np.zeros(slot.n), slot.of(0.1)
        for at, f in ((0.0, 520), (0.22, 600), (0.44, 480)) if self.gait == "gallop" else ((0.0, 520), (0.5, 600)):
            hoof = ring(place, [f, 1.6 * f, 2.7 * f], [0.07, 0.05, 0.03], [1, 0.6, 0.3])
            add(out, hoof, round(at * self.gap * slot.rate))
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        return super().truth(seconds) | {"gait": self.gait, "hooves": self.count * (3 if self.gait == "gallop" else 2)}


class Glass(Source):
    """Glass breaking: a crash of noise, then many high shards that ring and fall."""

    label: ClassVar[str] = "breaking glass"

    def natural(self) -> float:
        return 1.2

    def sound(self, slot: Slot) -> Samples:
        out = 1.5 * band(noise(slot), slot.rate, 2000, None, 2) * dying(slot, 0.15)
        for _ in range(40):
            at, f = slot.rng.exponential(0.18), slot.rng.uniform(2200, 7000)
            add(out, ring(slot.of(0.25), [f], [slot.rng.uniform(0.05, 0.3)], [0.4]), round(at * slot.rate))
        return out * ramps(slot, 0, 0.05)


class Rain(Source):
    """Rain: many small drops, `density` of them a second, over a soft hiss."""

    label: ClassVar[str] = "rain"
    density: float = Field(600, ge=5, le=5000)

    def natural(self) -> float:
        return 3.0

    def sound(self, slot: Slot) -> Samples:
        hits = (slot.rng.random(slot.n) < self.density / slot.rate) * slot.rng.uniform(0.3, 1.0, slot.n)
        drops = band(hits, slot.rate, 1800, 6500, 2)
        hiss = band(noise(slot, "pink"), slot.rate, 500, None, 2)
        return (drops / (rms(drops) + 1e-9) + 0.3 * hiss) * ramps(slot, 0.02, 0.02)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"density": self.density}


class Wind(Source):
    """Wind: low noise that swells and whistles up and down."""

    label: ClassVar[str] = "wind"

    def natural(self) -> float:
        return 3.0

    def sound(self, slot: Slot) -> Samples:
        gust = wander(slot, 0.8)
        low, middle = (band(noise(slot, "pink"), slot.rate, *edges, 2) for edges in ((60, 300), (300, 750)))
        howl = sine(330 + 330 * gust, slot.rate) * band(noise(slot), slot.rate, None, 40, 1) * 3
        return (low + (0.2 + 0.9 * gust) * middle + 0.4 * gust * howl) * (0.25 + gust) * ramps(slot, 0.1, 0.1)


class Thunder(Source):
    """Thunder: a crack, then a rolling rumble that dies away."""

    label: ClassVar[str] = "thunder"

    def natural(self) -> float:
        return 3.5

    def sound(self, slot: Slot) -> Samples:
        crack = band(noise(slot), slot.rate, 300, 3500, 1) * dying(slot, 0.5, 0.004)
        rumble = band(noise(slot, "brown"), slot.rate, 25, 160, 2) * (0.3 + wander(slot, 5)) * dying(slot, 7, 0.15)
        return (0.8 * crack + 2.5 * rumble) * ramps(slot, 0, 0.3)


class Waves(Source):
    """Surf: noise that rises and falls once in `cycle` seconds, brighter as it breaks."""

    label: ClassVar[str] = "waves on a beach"
    cycle: float = Field(3.0, ge=1, le=12)

    def natural(self) -> float:
        return 2 * self.cycle

    def sound(self, slot: Slot) -> Samples:
        place = (slot.t / self.cycle) % 1
        swell = np.where(place < 0.4, (place / 0.4) ** 2, np.exp(-(place - 0.4) / 0.18))
        low, high = band(noise(slot, "pink"), slot.rate, 80, 900, 2), band(noise(slot), slot.rate, 1500, None, 2)
        return ((0.2 + swell) * low + 0.45 * swell**1.5 * high) * ramps(slot, 0.05, 0.05)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"cycle": self.cycle}


class Stream(Source):
    """A brook: many bubbles, each a short rising tone, over a faint hiss."""

    label: ClassVar[str] = "a flowing stream"

    def natural(self) -> float:
        return 3.0

    def sound(self, slot: Slot) -> Samples:
        out, place = 0.12 * band(noise(slot), slot.rate, 400, 3000, 2), slot.of(0.05)
        bubbles = [
            sine(glide(place, f, 1.35 * f), slot.rate) * dying(place, 0.05, 0.004)
            for f in np.geomspace(350, 1900, 14) * slot.rng.uniform(0.95, 1.05, 14)
        ]
        for _ in range(int(70 * slot.seconds)):
            bubble = bubbles[slot.rng.integers(len(bubbles))] * slot.rng.uniform(0.2, 1)
            add(out, bubble, int(slot.rng.integers(slot.n)))
        return out * ramps(slot, 0.03, 0.03)


class Fire(Source):
    """A crackling fire: a low roar and about `crackles` sharp snaps a second at random."""

    label: ClassVar[str] = "a crackling fire"
    crackles: float = Field(14, ge=1, le=100)

    def natural(self) -> float:
        return 3.0

    def sound(self, slot: Slot) -> Samples:
        roar = band(noise(slot, "brown"), slot.rate, 40, 350, 2)
        snaps = (slot.rng.random(slot.n) < self.crackles / slot.rate) * slot.rng.exponential(1.0, slot.n)
        snap = slot.of(0.02)
        shape = band(noise(snap), slot.rate, 1200, None, 2) * dying(snap, 0.012)
        return (roar * 0.25 + 2.5 * np.convolve(snaps, shape)[: slot.n]) * ramps(slot, 0.02, 0.02)


class Engine(Source):
    """A combustion engine: `rate` explosions a second, changing evenly to `rate_end`."""

    label: ClassVar[str] = "an engine"
    rate: float = Field(30, ge=8, le=250)
    rate_end: float | None = Field(None, ge=8, le=250)

    def natural(self) -> float:
        return 3.0

    def sound(self, slot: Slot) -> Samples:
        track = glide(slot, self.rate, self.rate if self.rate_end is None else self.rate_end)
        track = track * (1 + 0.01 * (wander(slot, 12) - 0.5))
        beat = 0.5 + 0.5 * np.cos(2 * np.pi * turns(track, slot.rate))
        body = band(tone(track, [k**-0.5 for k in range(1, 50)], slot.rate), slot.rate, None, 600, 1)
        return (body + 1.2 * band(noise(slot, "pink"), slot.rate, 80, 1800, 1) * beat**3) * ramps(slot, 0.05, 0.05)

    def truth(self, seconds: float) -> dict[str, Any]:
        last = self.rate if self.rate_end is None else self.rate_end
        return {"rate": self.rate, "rate_end": last, "pitch_course": course(last / self.rate)}


class Helicopter(Source):
    """A helicopter: low noise chopped `rate` times a second, with a turbine's whine."""

    label: ClassVar[str] = "a helicopter"
    rate: float = Field(12, ge=4, le=25)

    def sound(self, slot: Slot) -> Samples:
        blade = np.exp(-6 * ((slot.t * self.rate) % 1))
        chop = band(noise(slot, "pink"), slot.rate, 60, 1500, 2) * (0.1 + blade)
        return (chop + 0.06 * sine(np.full(slot.n, 1900.0), slot.rate)) * ramps(slot, 0.05, 0.05)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"rate": self.rate}


class Drill(Source):
    """An electric motor: a high whine that runs up at first, with harmonics and a hiss."""

    label: ClassVar[str] = "an electric drill"
    f: float = Field(420, ge=100, le=1500)

    def sound(self, slot: Slot) -> Samples:
        track = self.f * (1 - 0.6 * np.exp(-slot.t / 0.12)) * (1 + 0.012 * np.sin(2 * np.pi * 27 * slot.t))
        body = tone(track, [1, 0.7, 0.8, 0.4, 0.5, 0.3, 0.25, 0.2], slot.rate)
        return (body + 0.25 * band(noise(slot), slot.rate, 2000, None, 2)) * ramps(slot, 0.02, 0.05)

    def truth(self, seconds: float) -> dict[str, Any]:
        return {"f0": self.f}


class Heartbeat(Repeated):
    """A heart: lub and dub, low and soft. `gap` is from beat to beat."""

    label: ClassVar[str] = "a heartbeat"
    count: int = Field(4, ge=1, le=60)
    gap: float = Field(0.85, ge=0.35, le=2)

    one_seconds: ClassVar[float] = 0.5
    inside: ClassVar[bool] = True

    def one(self, slot: Slot, number: int) -> Samples:
        out = ring(slot, [48, 75], [0.18, 0.13], [1, 0.5])
        place = slot.of(0.3)
        add(out, gain(-4) * ring(place, [62, 95], [0.14, 0.1], [1, 0.5]), round(min(0.3, 0.35 * self.gap) * slot.rate))
        return out


THINGS: dict[str, type[Source]] = {
    "knocks": Knocks, "hammer": Hammer, "footsteps": Footsteps, "clock": Ticks, "drips": Drips, "ball": BouncingBall,
    "claps": Claps, "hooves": Hooves, "glass": Glass, "rain": Rain, "wind": Wind, "thunder": Thunder, "waves": Waves,
    "stream": Stream, "fire": Fire, "engine": Engine, "helicopter": Helicopter, "drill": Drill, "heart": Heartbeat,
}  # fmt: skip
