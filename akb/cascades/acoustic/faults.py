"""What is wrong with a recording: clipping, an offset, hum, dropouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from akb.cascades.acoustic.frames import Floats, Frames, runs

CORNER = 12  # steps of quantisation, or ten-thousandths of the top: how far beside a clipped top the wave has fallen
FAINT = 3e-4  # amplitude (-70 dB) below which no hum is told
BESIDE = 0.03  # amplitude of a hum over that of the sound in the same seconds (-30 dB), at least
LONGEST = 0.15  # seconds; a gap of more is a pause
LEAST = 0.005  # seconds


@dataclass(frozen=True)
class Faults:
    """Faults of a clip; of a silent one only the offset is told.

    Attributes:
        flat: share of the samples that lie in flat tops (0 to 1): three or more in a row at the greatest value, which
            the wave reaches and leaves by a corner, as no sine does.
        offset: mean, of full scale.
        hum: 50 or 60 Hz if lines at it and its multiples, and few others, stand in the background; else None.
        dropouts: stretches of exact zeros, 5 to 150 ms, in the middle of sound; 0 where they are those of a pattern.
    """

    flat: float
    offset: float
    hum: int | None
    dropouts: int


def faults_of(samples: NDArray[np.floating], rate: int, frames: Frames) -> Faults:
    """Faults, of the samples as they were decoded (resampling hides clipping)."""
    if frames.silent:
        return Faults(0.0, frames.offset, None, 0)
    return Faults(_flat(samples), frames.offset, _hum(frames), _dropouts(samples, rate))


def _flat(x: NDArray[np.floating]) -> float:
    top, bottom = float(x.max()), float(x.min())
    if top - bottom < 1e-3:
        return 0.0
    sides = [x] if top > -0.5 * bottom else []
    sides += [-x] if -bottom > 0.5 * top else []
    return sum(_flat_tops(side) for side in sides) / len(x)


def _flat_tops(x: NDArray[np.floating]) -> int:
    """How many samples lie in runs at the greatest value, if most runs have a corner on each side. The top of a slow or
    coarsely quantised sine may be as long, but is a parabola: half of the run's length beside it, it has fallen by some
    4, and by at most 9 times what it falls by within."""
    top, bottom, least = float(x.max()), float(x.min()), float(np.abs(x[x != 0]).min())
    if least < top < CORNER * least:  # nothing but a few steps of quantisation
        return 0
    first, end = np.array(runs(x >= top - 1e-4 * top)).T
    first, end = first[end - first >= 3], end[end - first >= 3]
    away = (end - first) // 2
    wide = np.pad(x, 1, constant_values=bottom)
    left = np.minimum(wide[first], wide[np.maximum(first - away, 0)])
    right = np.minimum(wide[end + 1], wide[np.minimum(end + 1 + away, len(wide) - 1)])
    corners = np.maximum(left, right) < top - CORNER * max(1e-4 * top, _step(x, top))
    return int((end - first).sum()) if 2 * corners.sum() >= len(first) else 0


def _step(x: NDArray[np.floating], top: float) -> float:
    """The step of quantisation near the greatest value (with a companding law it is not the same everywhere); 0 where
    there is nothing near, as in a square wave."""
    highest = np.unique(x[x > 0.9 * top])[-4:]
    return float(np.diff(highest).min()) if len(highest) > 1 else 0.0


def _hum(frames: Frames) -> int | None:
    """Lines of 1 Hz width at the mains frequency and its multiples, 12 dB above their surroundings at three of the
    first five, in the quietest half of the clip's seconds. What is periodic in the sound itself (aliases, steps of
    quantisation, a slow pulsation) has lines at other frequencies too, or far below the sound."""
    size = frames.rate
    if len(frames.samples) < size:
        return None
    starts = range(0, len(frames.samples) - size + 1, size // 2)
    seconds = [frames.samples[s : s + size] for s in starts]
    spectra = [np.abs(np.fft.rfft(second * np.hanning(size))[:400] * 4 / size) ** 2 for second in seconds]  # amplitudes
    quiet = np.argsort([spectrum.sum() for spectrum in spectra])[: max(1, len(spectra) // 2)]
    mean = np.mean([spectra[number] for number in quiet], axis=0)
    least = max(FAINT**2, BESIDE**2 * 2 * float(np.mean([np.mean(seconds[number] ** 2) for number in quiet])))
    lines = _narrow_lines(mean)
    for mains in (50, 60):
        number = np.round(lines / mains)
        mine = (number >= 1) & (np.abs(lines - number * mains) <= 1) & (number <= 5)
        top = float(mean[lines[mine]].max(initial=0))
        near = (lines < 5.5 * mains) & (mean[lines] > 1e-4 * top)  # within 40 dB of its strongest
        count = int((mine & near).sum())
        if top > least and count >= 3 and count > (near & ~mine).sum() and (number[mine & near] == 1).any():
            return mains
    return None


def _narrow_lines(power: Floats) -> NDArray[np.intp]:
    """Bins (of 1 Hz, from 20 on) of peaks 12 dB above the mean of the bins 4 to 9 Hz beside them."""
    at = np.arange(20, len(power) - 10)
    beside = np.concatenate([np.arange(-9, -3), np.arange(4, 10)])
    around = power[at[:, None] + beside].mean(axis=1)
    highest = power[at[:, None] + np.arange(-3, 4)].max(axis=1)
    return np.asarray(at[(power[at] == highest) & (power[at] > 15 * around)])


def _dropouts(x: NDArray[np.floating], rate: int) -> int:
    gaps = [(a, b) for a, b in runs(x == 0) if b - a >= LEAST * rate]
    found = [gap for gap in gaps if _breaks_off(x, rate, *gap)]
    sounds = [b[0] - a[1] for a, b in pairwise([(0, 0), *gaps, (len(x), len(x))]) if b[0] > a[1]]
    if _alike(sounds) or (len(found) >= 3 and _alike([b - a for a, b in found])):
        return 0  # a train of sounds, and the pauses between them
    return len(found)


def _breaks_off(x: NDArray[np.floating], rate: int, first: int, end: int) -> bool:
    """Whether the sound breaks off at a gap, and goes on after it at once and at a like level (within 12 dB)."""
    edge, near = max(1, round(0.002 * rate)), max(1, round(0.05 * rate))
    if end - first > LONGEST * rate or first < near or end > len(x) - near:
        return False
    before, after = _rms(x[first - edge : first]), _rms(x[end : end + edge])
    around = max(_rms(x[first - near : first]), _rms(x[end : end + near]))
    before_it, after_it = _rms(x[first - 5 * edge : first]), _rms(x[end : end + 5 * edge])
    alike = max(before_it, after_it) < 4 * min(before_it, after_it)
    return alike and min(before, after) > max(0.2 * around, 0.002)


def _alike(lengths: Sequence[int]) -> bool:
    """Whether there are several, and nine tenths of them are within a tenth of their median."""
    middle = float(np.median(lengths)) if len(lengths) > 1 else 0.0
    return bool(middle and np.mean(np.abs(np.array(lengths) - middle) <= 0.1 * middle) >= 0.9)


def _rms(x: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.asarray(x, dtype=np.float64) ** 2)))
