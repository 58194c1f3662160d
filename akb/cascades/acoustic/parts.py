"""Parts of a clip that differ, in their order; and how many of its events are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from akb.cascades.acoustic.events import Event, Events
from akb.cascades.acoustic.frames import Floats, Frames, decibels
from akb.cascades.acoustic.melody import Pitch
from akb.cascades.acoustic.partials import Partials
from akb.cascades.acoustic.pitch import Track
from akb.cascades.acoustic.spectrum import centroid_of, noisiness_of

Kind = Literal["noise", "pitched", "tonal", "mixed"]
SIDE = 25  # frames on each side of a border


@dataclass(frozen=True)
class Part:
    """A part of a clip: its times (seconds), level (dB of full scale, RMS), centroid (Hz), kind and, if it is pitched,
    its median pitch (Hz)."""

    start: float
    end: float
    level: float
    centroid: float
    kind: Kind
    hz: float | None


def parts_of(frames: Frames, track: Track, events: Events, pitch: Pitch, partials: Partials) -> tuple[Part, ...]:
    """Neighbouring parts that differ, after the novelty of Foote (2000) over centroid and periodicity, and where the
    level leaps; a clip of one kind is one part. Where the pitch moves, pitch and centroid make no border."""
    still = pitch.course in (None, "steady")
    if len(partials.pitches) != 1 and (partials.pitches or partials.inharmonic or partials.chords):
        track = Track(np.full_like(track.hz, np.nan), track.aperiodic)  # what is periodic in a chord is no pitch of it
    borders = _novelty_peaks(frames, track, 1.0 if still else 0.0)
    parts: list[Part] = []
    for start, end in events.stretches:
        inner = [t for t in borders if start + 0.15 < t < end - 0.15]
        for a, b in pairwise([start, *inner, end]):
            part = part_of(frames, track, a, b)
            if parts and _alike(parts[-1], part, still):
                part = part_of(frames, track, parts.pop().start, b)
            parts.append(part)
    return tuple(parts)


def _novelty_peaks(frames: Frames, track: Track, weight: float) -> Floats:
    bright = np.log2(np.maximum(centroid_of(frames.power, frames.hertz), 50))
    features = np.stack([weight * bright, 2 * np.where(frames.active, track.aperiodic, 1.0)], axis=1)
    if len(features) < 2 * SIDE + 2:
        return np.array([])
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(features, axis=0)])
    means = (sums[SIDE:] - sums[:-SIDE]) / SIDE
    novelty = np.linalg.norm(means[SIDE:] - means[:-SIDE], axis=1)
    novelty = np.maximum(novelty, _leaps(frames)[: len(novelty)])
    peaks = [
        at + SIDE
        for at in np.flatnonzero(novelty > 0.8)
        if novelty[at] >= novelty[max(0, at - SIDE) : at + SIDE + 1].max()
    ]
    return np.array(peaks) * frames.step


def _leaps(frames: Frames) -> Floats:
    """Leaps of the level in units of 8 dB; it must be steady before and after (0.2 s each, within 2.5 dB)."""
    near = SIDE - 5
    views = np.lib.stride_tricks.sliding_window_view(frames.level, near)
    means, spreads = views.mean(axis=1), views.std(axis=1)
    before, after = slice(0, len(means) - SIDE - 5), slice(SIDE + 5, None)
    steady = (spreads[before] < 2.5) & (spreads[after] < 2.5)
    return np.where(steady, np.abs(means[after] - means[before]) / 8, 0.0)


def part_of(frames: Frames, track: Track, start: float, end: float) -> Part:
    """Measures of what lies between two times; the outermost 20 ms are left out where there is enough."""
    first, last = frames.near(start), frames.near(end) + 1
    if last - first > 12:
        first, last = first + 2, last - 2
    where = np.arange(first, max(last, first + 1))
    where = where[frames.active[where]] if frames.active[where].any() else where
    power = frames.power[where]
    mean = power.mean(axis=0, dtype=np.float64)
    noisy, voiced = noisiness_of(power, mean, track, where), track.hz[where]
    share = float(np.isfinite(voiced).mean())
    hz = float(np.nanmedian(voiced)) if share > 0.5 else None
    kind: Kind = "pitched" if hz else "noise" if noisy > 0.7 else "tonal" if noisy < 0.35 else "mixed"
    level = float(decibels(np.mean(10 ** (frames.level[where] / 10))))
    return Part(start, end, level, float(centroid_of(mean, frames.hertz)), kind, hz)


def _alike(a: Part, b: Part, by_pitch: bool, level: float = 7.0, semitones: float = 1.5) -> bool:
    brief = min(a.end - a.start, b.end - b.start) < 0.08  # too short to tell its kind
    if not brief and a.kind != b.kind:
        return False
    if min(a.end - a.start, b.end - b.start) >= 0.3 and abs(a.level - b.level) > level:
        return False
    if by_pitch and a.hz and b.hz and abs(12 * np.log2(a.hz / b.hz)) > semitones:
        return False
    return not by_pitch or abs(np.log2(a.centroid / b.centroid)) < (1.2 if brief else 0.7)


def kinds_of(frames: Frames, track: Track, events: Sequence[Event]) -> tuple[int, ...]:
    """How many events there are of each kind, in the order in which the kinds first come; events of one kind are
    alike in periodicity, pitch (0.6 semitones) and centroid (0.7 octaves), whatever their level."""
    seen: list[tuple[Part, int]] = []
    for event in events:
        part = part_of(frames, track, event.start, min(event.end, event.start + 0.5))
        for at, (other, count) in enumerate(seen):
            if _alike(other, part, True, level=99.0, semitones=0.6):
                seen[at] = (other, count + 1)
                break
        else:
            seen.append((part, 1))
    return tuple(count for _, count in seen)
