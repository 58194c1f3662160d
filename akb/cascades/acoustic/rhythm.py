"""Tempo, regularity and metre, from the times and strengths of the onsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from akb.cascades.acoustic.events import Event
from akb.cascades.acoustic.frames import Floats

FASTEST, SLOWEST = 0.1, 2.0  # seconds from beat to beat


@dataclass(frozen=True)
class Rhythm:
    """The rhythm of a clip with at least four onsets.

    Attributes:
        even: all intervals between onsets are alike (their coefficient of variation is below 0.12); None: too few.
        period: seconds from beat to beat; None where no pulse fits the onsets.
        tempo: beats per minute; None as `period`.
        course: "steady", or the intervals get shorter ("quickening") or longer ("slowing") one after another.
        metre: every how many beats one is stronger (2, 3 or 4); None where no such accent stands out.
    """

    even: bool | None = None
    period: float | None = None
    tempo: float | None = None
    course: str | None = None
    metre: int | None = None


def rhythm_of(events: Sequence[Event]) -> Rhythm:
    """Tempo by the pulse that fits the onsets best; intervals of the same length are their own pulse."""
    if len(events) < 4:
        return Rhythm()
    times, peaks = np.array([e.start for e in events]), np.array([e.peak for e in events])
    gaps = np.diff(times)
    course = _course(gaps)
    if course != "steady":
        return Rhythm(False, course=course)
    even = bool(gaps.std() / gaps.mean() < 0.12)
    period = float(np.polyfit(np.arange(len(times)), times, 1)[0]) if even else _pulse(times, gaps)
    if period is None or not FASTEST <= period <= SLOWEST:
        return Rhythm(even, course="steady" if even else None)
    return Rhythm(even, period, 60 / period, "steady", _metre(times, peaks, period))


def _course(gaps: Floats) -> str:
    if len(gaps) < 4:
        return "steady"
    steps = np.diff(gaps) / gaps[:-1]
    if np.mean(steps < 0.01) > 0.9 and gaps[-1] < 0.75 * gaps[0]:
        return "quickening"
    if np.mean(steps > -0.01) > 0.9 and gaps[-1] > 1.33 * gaps[0]:
        return "slowing"
    return "steady"


def _pulse(times: Floats, gaps: Floats) -> float | None:
    """The longest pulse of which all intervals are whole multiples, to within 12 % of it on the average."""
    if len(times) < 5:
        return None
    best = None
    for period in np.geomspace(1.2, 0.15, 400):
        if period > 1.08 * gaps.max():
            continue
        phase = np.angle(np.exp(2j * np.pi * times / period).mean())
        error = np.abs(np.angle(np.exp(1j * (2 * np.pi * times / period - phase)))) / (2 * np.pi)
        if best is None and error.mean() < 0.06 and error.max() < 0.15:
            best = float(period)
    if best is None:
        return None
    number = np.round((times - times[0]) / best)
    return float(np.polyfit(number, times, 1)[0])


def _metre(times: Floats, peaks: Floats, period: float) -> int | None:
    """The accent's period: the beats at one place of the bar are at least 2.5 dB above all others, in three bars."""
    beat = np.round((times - times[0]) / period).astype(int)
    found: dict[int, float] = {}
    for length in (2, 3, 4):
        if beat[-1] + 1 < 2 * length + 1 or len(times) < 2 * length + 1:
            continue
        for place in range(length):
            strong, weak = peaks[beat % length == place], peaks[beat % length != place]
            if len(strong) < 2 or len(weak) < 3:
                continue
            lead = float(strong.min() - weak.max())
            if lead > 2.0:
                found[length] = max(found.get(length, 0.0), lead)
    return max(found, key=lambda length: found[length]) if found else None
