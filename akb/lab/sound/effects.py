"""What is done to a sound after it is made. An effect is declared by `kind` and its parameters; they are its truth."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from akb.lab.sound.signals import DECAY_60, Samples, Slot, add, band, gain, level, noise, ramps
from akb.strict import Strict

Cutoff = Annotated[float, Field(ge=20, le=20_000)]
Db = Annotated[float, Field(ge=-80, le=0)]


class Effect(Strict):
    """Samples in, as many samples out."""

    def apply(self, x: Samples, slot: Slot) -> Samples:
        raise NotImplementedError

    def tail(self) -> float:
        """The seconds by which it lengthens a sound."""
        return 0.0

    def highest(self) -> float:
        """The highest frequency that it names, in Hz: the clip's rate must hold it."""
        return 0.0

    def truth(self) -> dict[str, Any]:
        return self.model_dump()


class LowPass(Effect):
    """Eighth-order Butterworth: 3 dB down at the cutoff, 48 dB an octave."""

    kind: Literal["low_pass"] = "low_pass"
    cutoff: Cutoff

    def apply(self, x: Samples, slot: Slot) -> Samples:
        return band(x, slot.rate, None, self.cutoff, 8)

    def highest(self) -> float:
        return self.cutoff


class HighPass(Effect):
    """Eighth-order Butterworth: 3 dB down at the cutoff, 48 dB an octave."""

    kind: Literal["high_pass"] = "high_pass"
    cutoff: Cutoff

    def apply(self, x: Samples, slot: Slot) -> Samples:
        return band(x, slot.rate, self.cutoff, None, 8)

    def highest(self) -> float:
        return self.cutoff


class BandPass(Effect):
    """Butterworth, 3 dB down at both edges. Without edges a telephone's band, 300 to 3,400 Hz (ITU-T G.712)."""

    kind: Literal["band_pass"] = "band_pass"
    low: Cutoff = 300
    high: Cutoff = 3400

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError("the lower edge lies over the upper one")
        return self

    def apply(self, x: Samples, slot: Slot) -> Samples:
        return band(x, slot.rate, self.low, self.high, 6)

    def highest(self) -> float:
        return self.high


class Notch(Effect):
    """Takes out a band of `width` Hz around a centre; gone at the centre."""

    kind: Literal["notch"] = "notch"
    centre: Cutoff
    width: Annotated[float, Field(gt=0, le=4000)] = 100

    def apply(self, x: Samples, slot: Slot) -> Samples:
        from scipy.signal import iirnotch, lfilter

        b, a = iirnotch(self.centre, self.centre / self.width, fs=slot.rate)
        return np.asarray(lfilter(b, a, x))

    def highest(self) -> float:
        return self.centre + self.width / 2


class Clipping(Effect):
    """Cuts off the peaks at so many dB under the highest one."""

    kind: Literal["clipping"] = "clipping"
    under_peak_db: Annotated[float, Field(gt=0, le=40)] = 12

    def apply(self, x: Samples, slot: Slot) -> Samples:
        most = float(np.max(np.abs(x))) * gain(-self.under_peak_db)
        return np.clip(x, -most, most)


class Hum(Effect):
    """The mains: 50 or 60 Hz with harmonics, its RMS at `level_db` dB of full scale."""

    kind: Literal["hum"] = "hum"
    f: Literal[50, 60] = 50
    level_db: Db = -30

    def apply(self, x: Samples, slot: Slot) -> Samples:
        parts = ((1, 1.0), (2, 0.7), (3, 0.5), (4, 0.25), (5, 0.2), (6, 0.1))
        hum: Samples = np.zeros(slot.n)
        for k, a in parts:
            hum += a * np.sin(2 * np.pi * self.f * k * slot.t + k)
        return np.asarray(x + hum * gain(self.level_db) / np.sqrt(sum(a * a for _, a in parts) / 2))


class Hiss(Effect):
    """White noise over it all, its RMS at `level_db` dB of full scale."""

    kind: Literal["hiss"] = "hiss"
    level_db: Db = -40

    def apply(self, x: Samples, slot: Slot) -> Samples:
        return x + noise(slot) * gain(self.level_db)


class Bits(Effect):
    """Rounds to so many bits of full scale, without dither: quantisation noise."""

    kind: Literal["bits"] = "bits"
    bits: Annotated[int, Field(ge=2, le=16)] = 6

    def apply(self, x: Samples, slot: Slot) -> Samples:
        steps = 2 ** (self.bits - 1)
        return np.asarray(np.round(x * steps) / steps)


class Dropouts(Effect):
    """Silence for `seconds` from each of the given times on."""

    kind: Literal["dropouts"] = "dropouts"
    at: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1, max_length=50)]
    seconds: Annotated[float, Field(gt=0.005, le=5)] = 0.15

    def apply(self, x: Samples, slot: Slot) -> Samples:
        out = x.copy()
        for start in self.at:
            first = round(start * slot.rate)
            hole = out[first : first + round(self.seconds * slot.rate)]
            hole *= 1 - ramps(Slot(len(hole), slot.rate, slot.rng), 0.002, 0.002) if len(hole) else 1
        return out


class Echo(Effect):
    """Repeats: each `delay` seconds after the one before and `fall_db` dB softer."""

    kind: Literal["echo"] = "echo"
    delay: Annotated[float, Field(ge=0.05, le=2)] = 0.35
    fall_db: Annotated[float, Field(ge=1, le=40)] = 6
    repeats: Annotated[int, Field(ge=1, le=10)] = 2

    def apply(self, x: Samples, slot: Slot) -> Samples:
        out = x.copy()
        for number in range(1, self.repeats + 1):
            add(out, x * gain(-self.fall_db * number), round(number * self.delay * slot.rate))
        return out

    def tail(self) -> float:
        return self.delay * self.repeats


class Reverb(Effect):
    """A room: convolution with noise that is 60 dB down after `rt60` seconds (J. A. Moorer, "About this reverberation
    business", Computer Music Journal 3(2), 1979), its energy `direct_db` dB under (or over) the direct sound's."""

    kind: Literal["reverb"] = "reverb"
    rt60: Annotated[float, Field(ge=0.1, le=8)] = 1.5
    direct_db: Annotated[float, Field(ge=-20, le=40)] = 0

    def apply(self, x: Samples, slot: Slot) -> Samples:
        from scipy.signal import fftconvolve

        room = slot.of(min(self.rt60, slot.seconds))
        tail = noise(room) * np.exp(-DECAY_60 * room.t / self.rt60)
        tail *= gain(-self.direct_db) / np.sqrt(np.sum(tail**2))
        tail[: round(0.004 * slot.rate)] = 0
        return np.asarray(x + fftconvolve(x, tail)[: slot.n])

    def tail(self) -> float:
        return min(self.rt60, 3.0)


class Wow(Effect):
    """A tape that runs unevenly: the pitch sways by `cents` to each side, `rate` times a second.

    The pitch is exact in cents upwards; downwards it sways by as many Hz."""

    kind: Literal["wow"] = "wow"
    rate: Annotated[float, Field(ge=0.2, le=12)] = 1.0
    cents: Annotated[float, Field(ge=1, le=200)] = 60

    def apply(self, x: Samples, slot: Slot) -> Samples:
        far = (2 ** (self.cents / 1200) - 1) / (2 * np.pi * self.rate) * slot.rate
        place = np.arange(slot.n) - far * (1 - np.cos(2 * np.pi * self.rate * slot.t))
        return np.asarray(np.interp(place, np.arange(slot.n), x))


class Tremolo(Effect):
    """The loudness sways by `depth_db` dB from highest to lowest, `rate` times a second."""

    kind: Literal["tremolo"] = "tremolo"
    rate: Annotated[float, Field(ge=0.2, le=30)] = 5
    depth_db: Annotated[float, Field(gt=0, le=40)] = 12

    def apply(self, x: Samples, slot: Slot) -> Samples:
        sway = 0.5 - 0.5 * np.cos(2 * np.pi * self.rate * slot.t)
        return np.asarray(x * 10 ** (-self.depth_db * sway / 20))


AnyEffect = Annotated[
    LowPass | HighPass | BandPass | Notch | Clipping | Hum | Hiss | Bits | Dropouts | Echo | Reverb | Wow | Tremolo,
    Field(discriminator="kind"),
]  # fmt: skip


def at_level(x: Samples, rate: int, db: float) -> Samples:
    """`x` with the RMS of its loudest tenth of a second at `db` dB of full scale; silence stays silence."""
    now = level(x, rate)
    return x * (gain(db) / now) if now > 1e-12 else x
