"""The fundamental of each frame, and how periodic it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akb.cascades.acoustic.frames import Flags, Floats, Frames, runs

LOWEST = 50.0  # Hz
DEEPEST = 39.0  # Hz, of a clip that has hardly any pitch from LOWEST on
PERIODIC = 0.3  # at most this part of the energy is not periodic in a voiced frame
INTEGRATION = 0.025  # seconds
PURE = 0.9  # share of the energy in one spectral peak, from which the frame is one sine


@dataclass(frozen=True)
class Track:
    """Pitch by frame.

    Attributes:
        hz: (frames,) fundamental; NaN where the frame is silent or not periodic.
        aperiodic: (frames,) part of the energy that is not periodic, 0 to 1; 1 in silence.
        pure: share of the sounding frames that are one sine.
    """

    hz: Floats
    aperiodic: Floats
    pure: float = 0.0

    @property
    def voiced(self) -> Flags:
        return np.isfinite(self.hz)


def track_of(frames: Frames) -> Track:
    """YIN (de Cheveigné and Kawahara 2002, steps 2 to 5) from 50 Hz to a sixth of the rate; a frame with nearly all
    its energy in one spectral peak gets that peak's frequency instead. Below 50 Hz a pitch is looked for only where
    there is none above: with longer periods more that is not periodic would seem to be."""
    hz, aperiodic = _periods(frames, LOWEST)
    if (aperiodic[frames.active] > PERIODIC).mean() > 0.65:
        deep, rest = _periods(frames, DEEPEST)
        if ((deep < LOWEST) & (rest < PERIODIC))[frames.active].mean() > 0.8:
            hz, aperiodic = deep, rest
    peak, share = _strongest(frames)
    pure = frames.active & (share > PURE) & (peak > 150)
    hz[pure] = peak[pure]
    aperiodic[pure] = np.minimum(aperiodic[pure], 1 - share[pure])
    hz[aperiodic > PERIODIC] = np.nan
    alone = float((share[frames.active] > 0.985).mean()) if frames.active.any() else 0.0
    return Track(_without_leaps(hz), aperiodic, alone)


def _periods(frames: Frames, lowest: float) -> tuple[Floats, Floats]:
    """Fundamental and aperiodicity of the sounding frames; NaN and 1 in the others."""
    x, rate = _lowered(frames)
    count = len(frames.level)
    hz, aperiodic = np.full(count, np.nan), np.ones(count)
    where = np.flatnonzero(frames.active)
    for start in range(0, len(where), 400):
        part = where[start : start + 400]
        hz[part], aperiodic[part] = _yin(x, rate, part * frames.step, lowest)
    return hz, aperiodic


def _lowered(frames: Frames) -> tuple[Floats, float]:
    factor = max(1, frames.rate // 22_000)
    if factor == 1:
        return frames.samples, frames.rate
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(frames.samples, 1, factor)), frames.rate / factor


def _yin(x: Floats, rate: float, times: Floats, lowest: float) -> tuple[Floats, Floats]:
    from scipy import fft

    width, lags = round(INTEGRATION * rate), int(rate / lowest) + 2
    span = width + lags
    at = np.round(times * rate).astype(int)
    padded = np.concatenate([np.zeros(span), x, np.zeros(span)])
    segments = padded[(at + span - span // 2)[:, None] + np.arange(span)].astype(np.float32)
    size = fft.next_fast_len(span, real=True)
    cross = fft.irfft(fft.rfft(segments, size) * np.conj(fft.rfft(segments[:, :width], size)), size)[:, :lags]
    energy = np.cumsum(segments.astype(np.float64) ** 2, axis=1)
    energy = np.concatenate([np.zeros((len(at), 1)), energy], axis=1)
    moved = energy[:, width : width + lags] - energy[:, :lags]
    difference = np.maximum(moved[:, :1] + moved - 2 * cross, 0)
    lag = np.arange(lags)
    total = np.cumsum(difference[:, 1:], axis=1)
    normal = np.ones_like(difference)
    normal[:, 1:] = difference[:, 1:] * lag[1:] / np.maximum(total, 1e-12)
    return _first_dip(normal, difference, rate)


def _first_dip(normal: Floats, difference: Floats, rate: float) -> tuple[Floats, Floats]:
    """The first dip nearly as deep as the deepest, to a part of a sample by a parabola."""
    left, middle, right = normal[:, :-2], normal[:, 1:-1], normal[:, 2:]
    bend = np.maximum(left + right - 2 * middle, 1e-12)
    depth = np.maximum(middle - (left - right) ** 2 / (8 * bend), 0)
    dip = (middle <= left) & (middle < right)
    dip[:, :5] = False  # above a sixth of the rate
    depth = np.where(dip, depth, 2.0)
    bar = np.maximum(1.3 * depth.min(axis=1) + 0.02, 0.1)
    lag = np.argmax(depth <= bar[:, None], axis=1) + 1
    rows = np.arange(len(lag))
    a, b, c = difference[rows, lag - 1], difference[rows, lag], difference[rows, lag + 1]
    shift = np.clip((a - c) / np.maximum(2 * (a + c - 2 * b), 1e-12), -0.5, 0.5)
    return rate / (lag + shift), np.minimum(depth[rows, lag - 1], 1.0)


def _strongest(frames: Frames) -> tuple[Floats, Floats]:
    """Frequency of each frame's strongest spectral peak, and its share of the frame's energy."""
    power = frames.power
    at = np.clip(power[:, 1:-1].argmax(axis=1) + 1, 3, power.shape[1] - 5)
    rows = np.arange(len(at))
    a, b, c = (np.log(np.maximum(power[rows, at + step], 1e-30)).astype(np.float64) for step in (-1, 0, 1))
    shift = np.clip(0.5 * (a - c) / np.minimum(a + c - 2 * b, -1e-9), -0.5, 0.5)
    share = sum(power[rows, at + step] for step in range(-3, 4)) / np.maximum(power.sum(axis=1), 1e-30)
    return (at + shift) * frames.hertz[1], np.asarray(share, dtype=np.float64)


def _without_leaps(hz: Floats) -> Floats:
    """A median of five within voiced stretches; those under 30 ms go."""
    from scipy.ndimage import median_filter

    clean = np.full_like(hz, np.nan)
    for first, end in runs(np.isfinite(hz)):
        if end - first >= 3:
            clean[first:end] = median_filter(hz[first:end], min(5, end - first), mode="nearest")
    return clean
