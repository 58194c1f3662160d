"""How loud a clip is, how its loudness goes, and whether it pulsates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from akb.cascades.acoustic.frames import FLOOR, Floats, Frames, decibels

Course = Literal["steady", "rising", "falling", "swelling", "dipping", "fading in", "fading out", "varying"]


@dataclass(frozen=True)
class Level:
    """Levels of a clip.

    Attributes:
        loudness: integrated loudness in LUFS (ITU-R BS.1770-4, one channel); None below 0.4 s
            or 4 kHz.
        rms, peak: dB of full scale, over all of the clip.
        course: how the level goes from the start to the end of the sound; None where it is too short to say.
        change: dB, from the first to the last quarter of the sound.
        pulse_hz: rate of a regular amplitude modulation, 0.7 to 40 Hz; None if there is none.
        pulse_depth: its depth, 0 to 1 (peak deviation of the envelope over its mean).
    """

    loudness: float | None
    rms: float
    peak: float
    course: Course | None
    change: float
    pulse_hz: float | None
    pulse_depth: float


def level_of(frames: Frames, onsets: Floats) -> Level:
    """Levels of a clip; `onsets` in seconds."""
    rms = float(decibels(np.mean(frames.samples**2)))
    peak = float(decibels(np.abs(frames.samples).max() ** 2))
    course, change = course_of(frames, onsets)
    rate, depth = pulse_of(frames)
    return Level(loudness_of(frames), rms, peak, course, change, rate, depth)


def loudness_of(frames: Frames) -> float | None:
    """Integrated loudness after ITU-R BS.1770-4: K-weighting, blocks of 0.4 s, gates at -70 LUFS and at -10 LU.

    The filter's two sections are the standard's, whose table is for 48 kHz, from their analogue prototypes.
    """
    from scipy.signal import sosfilt

    rate, x = frames.rate, frames.samples
    if len(x) < 0.4 * rate or rate < 4000:  # the shelf would lie above the band
        return None
    weighted = sosfilt(_k_weighting(rate), x)
    quarter = round(0.1 * rate)
    parts = np.add.reduceat(weighted**2, np.arange(0, len(x) - quarter + 1, quarter))[: len(x) // quarter] / quarter
    power = np.convolve(parts, np.full(4, 0.25), mode="valid")
    loud = power[-0.691 + decibels(power) > -70]
    if not len(loud):
        return None
    loud = loud[decibels(loud) > decibels(loud.mean()) - 10]
    return float(-0.691 + decibels(loud.mean()))


def _k_weighting(rate: int) -> Floats:
    shelf, gain, q = np.tan(np.pi * 1681.974450955533 / rate), 10 ** (3.999843853973347 / 20), 0.7071752369554196
    middle = gain**0.4996667741545416
    norm = 1 + shelf / q + shelf**2
    first = [gain + middle * shelf / q + shelf**2, 2 * (shelf**2 - gain), gain - middle * shelf / q + shelf**2,
             norm, 2 * (shelf**2 - 1), 1 - shelf / q + shelf**2]  # fmt: skip
    high, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    second = [1, -2, 1, 1 + high / q + high**2, 2 * (high**2 - 1), 1 - high / q + high**2]
    sections = np.array([first, second])
    sections[0] /= sections[0, 3]
    sections[1, 3:] /= sections[1, 3]  # its numerator is (1, -2, 1) in the standard's table
    return sections


def course_of(frames: Frames, onsets: Floats) -> tuple[Course | None, float]:
    """How the level goes over the sound, from eight parts of it (or from its events, where it comes in events)."""
    where = np.flatnonzero(frames.active)
    if len(where) < 20:
        return None, 0.0
    first, last = where[0], where[-1] + 1
    level = frames.level[first:last]
    parts = _event_levels(frames, onsets) if len(onsets) >= 3 else _part_levels(level)
    count = max(1, len(parts) // 4)
    change = float(parts[-count:].mean() - parts[:count].mean())
    return _named(parts, change), change


def _part_levels(level: Floats) -> Floats:
    return np.array([float(decibels(np.mean(10 ** (part / 10)))) for part in np.array_split(level, 8)])


def _event_levels(frames: Frames, onsets: Floats) -> Floats:
    """The loudest 40 ms of each event; at most eight means of them."""
    bounds = [*(frames.near(t) for t in onsets), len(frames.level)]
    if bounds[-1] - bounds[-2] < 0.5 * float(np.median(np.diff(bounds))):
        bounds.pop()  # the end of the clip cuts it
    peaks = [frames.level[a : max(a + 1, b)].max() for a, b in pairwise(bounds)]
    return np.array([float(np.mean(part)) for part in np.array_split(np.array(peaks), min(8, len(peaks)))])


def _named(parts: Floats, change: float) -> Course:
    top, bottom = int(parts.argmax()), int(parts.argmin())
    spread = float(np.ptp(parts))
    steps = np.diff(parts)
    if spread < 4:
        return "steady"
    one_way = float(abs(steps.sum()) / max(np.abs(steps).sum(), 1e-9))
    if one_way > 0.8 and abs(change) >= 3.5:
        if abs(change) > 15:
            return "fading in" if change > 0 else "fading out"
        return "rising" if change > 0 else "falling"
    inner = range(1, len(parts) - 1)
    if len(parts) >= 3 and top in inner and min(parts[top] - parts[0], parts[top] - parts[-1]) >= 4:
        travel = 2 * parts[top] - parts[0] - parts[-1]
        if travel / np.abs(steps).sum() > 0.8:
            return "swelling"
    if len(parts) >= 3 and bottom in inner and min(parts[0] - parts[bottom], parts[-1] - parts[bottom]) >= 4:
        travel = parts[0] + parts[-1] - 2 * parts[bottom]
        if travel / np.abs(steps).sum() > 0.8:
            return "dipping"
    return "varying"


def pulse_of(frames: Frames) -> tuple[float | None, float]:
    """Rate and depth of a regular amplitude modulation, from the spectrum of the envelope (after the modulation
    spectrum of Houtgast and Steeneken 1985); the rate is the lowest of its harmonics that is there."""
    where = np.flatnonzero(frames.active)
    if len(where) < 60:
        return None, 0.0
    envelope = np.sqrt(frames.blocks[2 * where[0] : 2 * where[-1] + 1])
    size = len(envelope)
    if size < 120 or envelope.mean() <= 10 ** (FLOOR / 20):
        return None, 0.0
    time = np.arange(size)
    flat = envelope - np.polyval(np.polyfit(time, envelope, 2), time)
    padded = 4 * size
    spectrum = np.abs(np.fft.rfft(flat * np.hanning(size), padded)) ** 2
    hertz = np.arange(len(spectrum)) / (padded * frames.block)
    lowest = max(0.7, 3.5 / (size * frames.block))
    band = (hertz >= lowest) & (hertz <= 40)
    if not band.any():
        return None, 0.0
    peak = int(np.flatnonzero(band)[spectrum[band].argmax()])
    for part in (4, 3, 2):  # a pulse train has its strongest line not always at its rate
        low = hertz[peak] / part
        near = (hertz > 0.94 * low) & (hertz < 1.06 * low)
        if low >= lowest and near.any() and spectrum[near].max() > 0.25 * spectrum[peak]:
            peak = int(np.flatnonzero(near)[spectrum[near].argmax()])
            break
    rate = float(hertz[peak])
    width = 2.2 / (size * frames.block)
    lines = np.abs(hertz / rate - np.round(hertz / rate)) * rate < width
    lines &= (hertz > rate / 2) & (hertz < max(40, 1.5 * rate))
    whole = (hertz > lowest / 2) & (hertz < max(40, 1.5 * rate))
    clear = spectrum[lines].sum() / spectrum[whole].sum()
    chance = lines.sum() / whole.sum()
    depth = 4 * float(np.sqrt(spectrum[peak])) / (size * float(envelope.mean()))
    if clear < 0.6 + 0.4 * chance or depth < 0.15:
        return None, 0.0
    return rate, min(depth, 1.0)
