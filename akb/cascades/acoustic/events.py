"""Sound events: where they begin, how they begin and end, and the silence between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from akb.cascades.acoustic.frames import Floats, Frames, decibels, runs

RISE = 2.2  # dB, mean over bands: what counts as an onset
APART = 0.06  # seconds between onsets, at least
GAP = 0.12  # seconds of near silence that part two stretches of sound


@dataclass(frozen=True)
class Event:
    """One sound from its onset to the next.

    Attributes:
        start, end: seconds; the end is where it has fallen by 20 dB, or where the next begins.
        peak: dB of full scale, over 5 ms.
        attack: seconds from 10 to 90 % of its greatest amplitude; 0.005 is the least that can be told.
        held: seconds within 3 dB of its greatest level.
        decay: seconds for a fall by 60 dB, from the slope after it was held; None where it cannot be told.
    """

    start: float
    end: float
    peak: float
    attack: float
    held: float
    decay: float | None


@dataclass(frozen=True)
class Events:
    """The events of a clip.

    Attributes:
        stretches: (start, end) in seconds of sound parted by near silence of 0.12 s and more.
        decay: seconds for a fall by 60 dB, median over the events where it could be told; else None.
        decays: over how many events.
    """

    events: tuple[Event, ...]
    stretches: tuple[tuple[float, float], ...]
    attack: float | None
    decay: float | None
    decays: int

    @property
    def onsets(self) -> Floats:
        return np.array([event.start for event in self.events])


def events_of(frames: Frames, starts: Floats) -> Events:
    """What follows each onset (`starts`, in seconds)."""
    stretches = _stretches(frames)
    bounds = [*(float(t) for t in starts), frames.seconds]
    events = tuple(_event(frames, a, b) for a, b in pairwise(bounds))
    decays = [event.decay for event in events if event.decay is not None]
    attack = float(np.median([event.attack for event in events])) if events else None
    return Events(events, stretches, attack, float(np.median(decays)) if decays else None, len(decays))


def _stretches(frames: Frames) -> tuple[tuple[float, float], ...]:
    joined: list[list[float]] = []
    for first, end in runs(frames.active):
        start, stop = max(0.0, first * frames.step), min(frames.seconds, (end - 1) * frames.step)
        if joined and start - joined[-1][1] < GAP:
            joined[-1][1] = stop
        else:
            joined.append([start, max(stop, start + frames.step)])
    return tuple((a, b) for a, b in joined)


def onsets_of(frames: Frames) -> Floats:
    """Onset times in seconds: peaks of the spectral flux with a maximum filter over bands, which vibrato does not
    trigger (Böck and Widmer 2013, "Maximum filter vibrato suppression for onset detection")."""
    from scipy.ndimage import median_filter

    bands = _bands(frames)
    before = 6
    bands = np.vstack([np.full((before, bands.shape[1]), bands.min()), bands])
    padded = np.pad(bands, ((0, 0), (1, 1)), mode="edge")
    widest = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    flux = np.zeros(len(bands))
    flux[3:] = np.maximum(bands[3:] - widest[:-3], 0).mean(axis=1)
    bar = RISE + 1.3 * median_filter(flux, 31, mode="constant")
    found: list[float] = []
    level = np.maximum(frames.level, frames.level.max() - 60)
    reach = 4
    for at in np.flatnonzero(flux > bar):
        if flux[at] < flux[max(0, at - reach) : at + reach + 1].max():
            continue
        after, earlier = at - before + 4, at - before - 5
        if earlier >= 0 and (after >= len(level) or level[after] < level[earlier] - 6):
            continue  # the splash of an abrupt end
        time = _refined(frames, (at - before - 1) * frames.step)
        if (not found or time - found[-1] >= APART) and frames.active[
            frames.near(time) : frames.near(time + 0.08) + 1
        ].any():
            found.append(time)
    if not found and frames.active.any():  # it fades in too slowly for an onset
        found.append(max(0, int(np.argmax(frames.active)) - 1) * frames.step)
    return np.array(found)


def with_notes(onsets: Floats, notes: Sequence[float]) -> Floats:
    """Onsets, and the starts of notes that come without one (a change of pitch at an unchanged level)."""
    new = [t for t in notes if not np.any(np.abs(onsets - t) < 0.08)]
    return np.sort(np.concatenate([onsets, np.array(new)]))


def _bands(frames: Frames) -> Floats:
    """Levels in 24 bands, equally wide in octaves, over 45 dB."""
    top = min(0.95 * frames.rate / 2, 16_000)
    edges = np.unique(np.searchsorted(frames.hertz, np.geomspace(60, top, 25)))
    power = np.add.reduceat(frames.power[:, : edges[-1]], edges[:-1], axis=1).astype(np.float64)
    return decibels(np.maximum(power / max(float(power.max()), 1e-15), 10**-4.5))


def _refined(frames: Frames, time: float) -> float:
    """The steepest rise of the level near a time, to 5 ms, if there is one of 3 dB."""
    at = round(time / frames.block)
    first, end = max(0, at - 6), min(len(frames.blocks), at + 8)
    if first == 0 and frames.blocks[0] > 0.1 * frames.blocks[:end].max():
        return 0.0
    levels = decibels(frames.blocks[first:end])
    if len(levels) < 3:
        return max(0.0, time)
    levels = np.maximum(levels, levels.max() - 30)
    rises = np.diff(levels)
    best = int(rises.argmax())
    return (first + best + 1) * frames.block if rises[best] >= 3 else max(0.0, time)


def _event(frames: Frames, start: float, end: float) -> Event:
    first = round(start / frames.block)
    last = max(first + 1, min(len(frames.blocks), round(end / frames.block)))
    early = max(0, first - 4)
    power = frames.blocks[early:last]
    smooth = np.convolve(power, np.full(4, 0.25), mode="same") if len(power) >= 8 else power
    top = float(smooth.max())
    level = decibels(smooth / max(top, 1e-15))
    loud = np.flatnonzero(level >= -3)
    fallen = np.flatnonzero(level >= -20)
    stop = (early + int(fallen[-1]) + 1) * frames.block
    floor = float(decibels(np.percentile(frames.blocks, 5) / max(top, 1e-15)))
    return Event(
        start=start,
        end=min(max(stop, start + frames.block), frames.seconds),
        peak=float(decibels(power.max())),
        attack=_attack(power) * frames.block,
        held=(int(loud[-1]) - int(loud[0]) + 1) * frames.block,
        decay=_decay(level[loud[-1] :], floor, frames.block),
    )


def _attack(power: Floats) -> int:
    """Blocks from 10 to 90 % of the greatest amplitude (an attack time as in Peeters 2004), at least one."""
    amplitude = np.sqrt(power / max(float(power.max()), 1e-15))
    if len(amplitude) > 8:  # the level of noise and low tones ripples: the top is a high percentile
        amplitude = np.minimum(amplitude / np.percentile(amplitude, 97), 1.0)
    there = int(np.argmax(amplitude >= 0.9))
    below = np.flatnonzero(amplitude[: there + 1] < 0.1)
    return max(1, there - int(below[-1]) - 1 if len(below) else there)


def _decay(level: Floats, floor: float, block: float) -> float | None:
    """Seconds for a fall by 60 dB: the slope of the level from -4 dB to -30 dB or to 8 dB above the background (a line
    as in ISO 3382-2, there from -5 dB to -25 or -35 dB); None below a range of 10 dB or if the fall is not straight."""
    low = max(-30.0, floor + 8)
    end = int(np.argmax(level < low)) if (level < low).any() else len(level)
    fall = level[:end]
    begin = int(np.argmax(fall < -4)) if (fall < -4).any() else len(fall)
    fall = fall[begin:]
    if len(fall) < 8 or fall[0] - fall.min() < 10:
        return None
    time = np.arange(len(fall)) * block
    slope, start = np.polyfit(time, fall, 1)
    rest = fall - (slope * time + start)
    straight = 1 - float(rest.var() / fall.var())
    return float(-60 / slope) if slope < 0 and straight > 0.85 else None
