"""The elements that every sound is made of: noise, harmonic tones, ringing partials, filters and envelopes.

Samples are float64 arrays (n,); frequencies are in Hz, times in seconds. Nothing here has a state: noise comes from
the generator that is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Samples = NDArray[np.float64]

COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0, "blue": -1.0, "violet": -2.0}  # power falls as 1/f to this power
TABLE = 4096  # points of one period; read between the points by straight lines
DECAY_60 = float(np.log(1000.0))  # natural logarithm of an amplitude 60 dB down


@dataclass(frozen=True)
class Slot:
    """Where a sound goes: n samples at a rate, and the generator that its chances come from."""

    n: int
    rate: int
    rng: np.random.Generator

    @property
    def seconds(self) -> float:
        return self.n / self.rate

    @property
    def t(self) -> Samples:
        """The time of each sample, from 0."""
        return np.arange(self.n) / self.rate

    def of(self, seconds: float) -> Slot:
        """A slot of another length with the same generator."""
        return Slot(max(1, round(seconds * self.rate)), self.rate, self.rng)


def noise(slot: Slot, colour: str = "white", lowest: float = 20.0) -> Samples:
    """Gaussian noise with RMS 1 whose power density goes as f to the power 0, -1, -2, 1 or 2 (white, pink, brown,
    blue, violet), flat below `lowest`; shaped in the frequency domain."""
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    white = slot.rng.standard_normal(slot.n)
    slope = COLOURS[colour]
    if slope:
        size = next_fast_len(slot.n, real=True)
        shape = np.maximum(rfftfreq(size, 1 / slot.rate), lowest) ** (-slope / 2)
        white = irfft(rfft(white, size) * shape, size)[: slot.n]
    return np.asarray(white / max(rms(white), 1e-12))


def rms(x: Samples) -> float:
    """The root of the mean square; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(x)))) if len(x) else 0.0


def level(x: Samples, rate: int, window: float = 0.1) -> float:
    """RMS of the loudest stretch of `window` seconds, or of the whole where that is shorter."""
    wide = min(len(x), max(1, round(window * rate)))
    energy = np.concatenate(([0.0], np.cumsum(np.square(x))))
    return float(np.sqrt(max(0.0, float(np.max(energy[wide:] - energy[:-wide]))) / wide))


def gain(db: float) -> float:
    """Decibels as a factor of the amplitude."""
    return float(10.0 ** (db / 20.0))


def tone(f: Samples, amplitudes: Sequence[float], rate: int, start: float = 0.0) -> Samples:
    """A harmonic tone: partial k has k times the frequency `f` (n,) and amplitudes[k-1]. Partials that would come
    over 0.46 of the rate at the highest f are left out; `start` is the phase in periods."""
    most = int(0.46 * rate / max(float(np.max(f)), 1e-9))
    return read(period(tuple(float(a) for a in amplitudes[:most])), turns(f, rate, start))


def turns(f: Samples, rate: int, start: float = 0.0) -> Samples:
    """The phase of a frequency track, in periods."""
    return np.asarray(start + (np.cumsum(f) - f[0]) / rate)


@lru_cache(maxsize=256)
def period(amplitudes: tuple[float, ...]) -> Samples:
    """One period of a sum of sines, and its first point again."""
    spectrum = np.zeros(TABLE // 2 + 1, complex)
    spectrum[1 : len(amplitudes) + 1] = -0.5j * TABLE * np.array(amplitudes[: TABLE // 2])
    wave = np.fft.irfft(spectrum, TABLE)
    return np.concatenate((wave, wave[:1]))


def read(table: Samples, phase: Samples) -> Samples:
    """A period read at phases that are counted in periods."""
    place = (phase - np.floor(phase)) * TABLE
    below = place.astype(np.intp)
    part = place - below
    return np.asarray(table[below] * (1 - part) + table[np.minimum(below + 1, TABLE)] * part)


def sine(f: Samples, rate: int) -> Samples:
    """A pure tone along a frequency track."""
    return np.asarray(np.sin(2 * np.pi * turns(f, rate)))


def ring(slot: Slot, freqs: ArrayLike, t60: ArrayLike, amplitudes: ArrayLike) -> Samples:
    """A sum of sines that die away, each 60 dB down after its `t60` seconds: what a struck or plucked thing does.
    Partials over 0.46 of the rate are left out."""
    f, decay, a = (np.asarray(row, float) for row in (freqs, t60, amplitudes))
    keep = f < 0.46 * slot.rate
    step = (2j * np.pi * f[keep] - DECAY_60 / decay[keep]) / slot.rate
    wide = max(1, int(np.sqrt(slot.n)))
    coarse = np.exp(np.outer(np.arange(-(-slot.n // wide)) * wide, step)) * a[keep]
    return np.asarray((coarse @ np.exp(np.outer(step, np.arange(wide)))).imag.ravel()[: slot.n])


def band(x: Samples, rate: int, low: float | None = None, high: float | None = None, order: int = 4) -> Samples:
    """A Butterworth filter that lets pass what is over `low` and under `high` Hz (3 dB down there); causal."""
    from scipy.signal import sosfilt

    edge = 0.49 * rate
    if high is not None and high >= edge:
        high = None
    return np.asarray(x if low is None and high is None else sosfilt(_butter(order, low, high, rate), x))


@lru_cache(maxsize=512)
def _butter(order: int, low: float | None, high: float | None, rate: int) -> Samples:
    from scipy.signal import butter

    edges = [edge for edge in (low, high) if edge is not None]
    kind: Literal["highpass", "lowpass"] = "highpass" if high is None else "lowpass"
    if len(edges) == 2:
        return np.asarray(butter(order, edges, "bandpass", output="sos", fs=rate))
    return np.asarray(butter(order, edges[0], kind, output="sos", fs=rate))


def ramps(slot: Slot, rise: float, fall: float) -> Samples:
    """1 with a raised-cosine beginning and end of the given seconds."""
    up, down = (min(slot.n // 2, round(s * slot.rate)) for s in (rise, fall))
    shape = np.ones(slot.n)
    shape[:up] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(up) + 0.5) / max(up, 1))
    if down:
        shape[-down:] = 0.5 + 0.5 * np.cos(np.pi * (np.arange(down) + 0.5) / down)
    return shape


def dying(slot: Slot, t60: float, rise: float = 0.001) -> Samples:
    """An envelope that starts at once and is 60 dB down after `t60` seconds."""
    t = slot.t
    return np.asarray(np.exp(-DECAY_60 * t / t60) * np.minimum(1.0, (t + 0.5 / slot.rate) / rise))


def curve(slot: Slot, points: Sequence[tuple[float, float]]) -> Samples:
    """Straight lines through (share of the slot from 0 to 1, value)."""
    where, values = zip(*points, strict=True)
    return np.asarray(np.interp(np.arange(slot.n) / max(slot.n - 1, 1), where, values))


def glide(slot: Slot, first: float, last: float) -> Samples:
    """A frequency track that goes from one frequency to another in equal ratios."""
    return np.asarray(first * (last / first) ** (np.arange(slot.n) / max(slot.n - 1, 1)))


def wander(slot: Slot, speed: float) -> Samples:
    """A slow smooth random curve between 0 and 1 with about `speed` turning points a second."""
    count = max(4, int(slot.seconds * speed) + 3)
    place = np.linspace(0, count - 3, slot.n)
    below = np.floor(place).astype(np.intp)
    part = 0.5 - 0.5 * np.cos(np.pi * (place - below))
    values = slot.rng.random(count)
    return np.asarray(values[below] * (1 - part) + values[below + 1] * part)


def add(out: Samples, x: Samples, at: int) -> None:
    """Adds `x` to `out` from sample `at` on, as far as there is room."""
    room = min(len(x), len(out) - at)
    if room > 0:
        out[at : at + room] += x[:room]
