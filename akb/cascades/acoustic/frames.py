"""A clip cut into frames: what every estimator starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

BLOCK = 0.005  # seconds; a hop is two blocks, a window eight
WINDOW = 8 * BLOCK  # seconds
FLOOR = -120.0  # dB; nothing is quieter
SILENT = -80.0  # dBFS; a clip below it counts as silent
HIGHEST_RATE = 48_000


@dataclass(frozen=True)
class Frames:
    """A clip and its short-time spectra (Hann windows of 40 ms, every 10 ms, centred).

    Attributes:
        samples: (n,) mono, its mean and what is below 20 Hz removed, nominal range -1..1.
        rate: Hz, at most 48,000.
        offset: the mean that was removed, of full scale.
        blocks: (m,) mean squares of 5 ms each.
        power: (frames, bins) power spectra; a sine of amplitude 1 has a peak of 1/4.
        hertz: (bins,) frequency of each bin.
        level: (frames,) RMS in dB of full scale (a full-scale square is 0 dBFS, a sine -3).
        active: (frames,) whether there is sound: at most 40 dB below the loudest frame, and above the background.
    """

    samples: Floats
    rate: int
    seconds: float
    offset: float
    blocks: Floats
    power: NDArray[np.float32]
    hertz: Floats
    level: Floats
    active: Flags

    @property
    def times(self) -> Floats:
        """(frames,) the centre of each frame in seconds."""
        return np.arange(len(self.level)) * self.step

    @property
    def block(self) -> float:
        """Seconds of one block, exactly."""
        return max(1, round(self.rate * BLOCK)) / self.rate

    @property
    def step(self) -> float:
        """Seconds from one frame to the next, exactly."""
        return 2 * self.block

    @property
    def silent(self) -> bool:
        return bool(self.level.max() < SILENT)

    def near(self, seconds: float) -> int:
        """The frame whose centre is nearest."""
        return min(len(self.level) - 1, max(0, round(seconds / self.step)))


def decibels(power: Floats | float | np.floating[Any]) -> Floats:
    """10 log10, never below -120."""
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (FLOOR / 10))), dtype=np.float64)


def frames_of(samples: NDArray[np.floating], rate: int) -> Frames:
    """Cut a mono clip into frames; above 48 kHz it is resampled first.

    Raises:
        ValueError: it is empty, not one-dimensional, or holds a value that is not finite.
    """
    x: Floats = np.asarray(samples, dtype=np.float64)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise ValueError("a clip is a non-empty row of finite samples")
    seconds = len(x) / rate
    x, rate = _at_most(x, rate)
    offset = float(x.mean())
    x = _audible(x - offset, rate)
    block = max(1, round(rate * BLOCK))
    count = -(-len(x) // block)
    blocks = np.add.reduceat(x * x, np.arange(0, len(x), block)) / block
    if len(x) % block and count > 1:
        blocks[-1] *= block / (len(x) % block)  # the last block is shorter
    power, hertz = _spectra(x, rate, 2 * block, 8 * block, 1 + count // 2)
    level = _levels(blocks, len(power))
    return Frames(x, rate, seconds, offset, blocks, power, hertz, level, _active(level))


def _at_most(x: Floats, rate: int) -> tuple[Floats, int]:
    if rate <= HIGHEST_RATE:
        return x, rate
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(rate, HIGHEST_RATE)
    return np.asarray(resample_poly(x, HIGHEST_RATE // common, rate // common)), HIGHEST_RATE


def _audible(x: Floats, rate: int) -> Floats:
    from scipy.signal import butter, sosfilt

    return np.asarray(sosfilt(butter(2, 20, "highpass", fs=rate, output="sos"), x)) if rate > 100 else x


def _spectra(x: Floats, rate: int, hop: int, window: int, count: int) -> tuple[NDArray[np.float32], Floats]:
    from scipy import fft

    padded = np.zeros((count - 1) * hop + window, dtype=np.float32)
    padded[window // 2 : window // 2 + len(x)] = x[: len(padded) - window // 2]
    size = fft.next_fast_len(window, real=True) if window >= 1024 else 1024
    hann = np.hanning(window + 1)[:-1].astype(np.float32)
    hann /= hann.sum()
    views = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.empty((count, size // 2 + 1), dtype=np.float32)
    for start in range(0, count, 512):  # a part at a time stays in the cache
        spectra = fft.rfft(views[start : start + 512] * hann, size)
        power[start : start + 512] = spectra.real**2 + spectra.imag**2
    return power, np.arange(size // 2 + 1) * (rate / size)


def _levels(blocks: Floats, count: int) -> Floats:
    padded = np.concatenate([np.zeros(4), blocks, np.zeros(8)])
    weight = np.concatenate([np.zeros(4), np.ones(len(blocks)), np.zeros(8)])
    sums, weights = (np.concatenate([[0.0], np.cumsum(a)]) for a in (padded, weight))
    at = 2 * np.arange(count)
    return decibels((sums[at + 8] - sums[at]) / np.maximum(weights[at + 8] - weights[at], 1))


def _active(level: Floats) -> Flags:
    top, low = float(level.max()), float(np.percentile(level, 10))
    bar = max(top - 40, SILENT)
    if top - low > 15 and _rests(level, low):  # a steady background, and something well above it
        bar = max(bar, min(low + 6, top - 9))
    return level >= bar


def _rests(level: Floats, low: float) -> bool:
    """Whether the lowest level is a background: it holds for 0.12 s without a slope (10 dB/s, or 2 dB in all of the
    stretch), as in no decay, crescendo or decrescendo; and a sound stands out of it by a step (10 dB in 0.15 s), not by
    a slope alone."""
    first, end = max(runs(level < low + 2.5), key=lambda run: run[1] - run[0], default=(0, 0))
    if end - first < 12:
        return False
    slope = abs(np.polyfit(np.arange(end - first), level[first:end], 1)[0])
    if slope / (2 * BLOCK) > 10 or slope * (end - first) > 2:
        return False
    near = np.abs(level - low) < 6
    rise = level[15:] - level[:-15]
    return bool(np.any(near[:-15] & (rise > 10)) or np.any(near[15:] & (rise < -10)))


def runs(flags: Flags) -> list[tuple[int, int]]:
    """Where flags are set: (first, one past the last) of each stretch."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
