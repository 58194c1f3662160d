"""What is wrong with a recording: clipping, an offset, hum, dropouts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from akb.cascades.acoustic.frames import Frames, runs


@dataclass(frozen=True)
class Faults:
    """Faults of a clip.

    Attributes:
        flat: share of the samples that lie in flat tops, three or more in a row at the greatest value (0 to 1).
        offset: mean, of full scale.
        hum: 50 or 60 Hz if lines at it and its multiples stand in the background; else None.
        dropouts: stretches of exact zeros, 5 to 150 ms, in the middle of sound.
    """

    flat: float
    offset: float
    hum: int | None
    dropouts: int


def faults_of(samples: NDArray[np.floating], rate: int, frames: Frames) -> Faults:
    """Faults, of the samples as they were decoded (resampling hides clipping)."""
    return Faults(_flat(samples), frames.offset, _hum(frames), _dropouts(samples, rate))


def _flat(x: NDArray[np.floating]) -> float:
    top, bottom = float(x.max()), float(x.min())
    if top - bottom < 1e-3:
        return 0.0
    limits = [x >= top - 1e-4 * top] if top > -0.5 * bottom else []
    limits += [x <= bottom - 1e-4 * bottom] if -bottom > 0.5 * top else []
    return sum(b - a for at_limit in limits for a, b in runs(at_limit) if b - a >= 3) / len(x)


def _hum(frames: Frames) -> int | None:
    """Lines of 1 Hz width at the mains frequency and its multiples, 12 dB above their surroundings at three of the
    first five, and not the clip's loud content alone: the quietest half of its seconds is looked at."""
    size = frames.rate
    if len(frames.samples) < size:
        return None
    starts = range(0, len(frames.samples) - size + 1, size // 2)
    spectra = [np.abs(np.fft.rfft(frames.samples[s : s + size] * np.hanning(size))[:400]) ** 2 for s in starts]
    spectra.sort(key=lambda spectrum: float(spectrum.sum()))
    mean = np.mean(spectra[: max(1, len(spectra) // 2)], axis=0)
    if mean.sum() < 1e-9:
        return None
    for mains in (50, 60):
        clear = 0
        for line in range(mains, 5 * mains + 1, mains):
            around = np.r_[line - 9 : line - 3, line + 4 : line + 10]
            clear += bool(mean[line - 1 : line + 2].max() > 15 * mean[around].mean())
        if clear >= 3 and mean[mains - 1 : mains + 2].max() > 15 * mean[mains + 4 : mains + 10].mean():
            return mains
    return None


def _dropouts(x: NDArray[np.floating], rate: int) -> int:
    found = 0
    edge, near = max(1, round(0.002 * rate)), max(1, round(0.05 * rate))
    for first, end in runs(x == 0):
        if not 0.005 <= (end - first) / rate <= 0.15 or first < near or end > len(x) - near:
            continue
        before, after = _rms(x[first - edge : first]), _rms(x[end : end + edge])
        around = max(_rms(x[first - near : first]), _rms(x[end : end + near]))
        found += min(before, after) > max(0.2 * around, 0.002)  # it breaks off and comes back at once
    return found


def _rms(x: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.asarray(x, dtype=np.float64) ** 2)))
