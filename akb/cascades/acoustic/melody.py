"""How the pitch goes: steady, gliding, wavering, or in steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from akb.cascades.acoustic.frames import Floats, Frames, runs
from akb.cascades.acoustic.pitch import Track

Course = Literal[
    "steady", "rising", "falling", "vibrato", "sweeping", "rising again", "falling again", "steps", "moving"
]
ENOUGH = 0.35  # share of the sounding frames that must have a pitch


@dataclass(frozen=True)
class Note:
    """A stretch of steady pitch: Hz, and from when to when in seconds."""

    hz: float
    start: float
    end: float


@dataclass(frozen=True)
class Pitch:
    """The pitch of a clip.

    Attributes:
        voiced: share of the sounding frames that have a pitch.
        hz: median; None where too few frames have one.
        low, high: Hz, 5th and 95th percentile; of a glide its ends.
        course: how it goes; None as `hz`.
        change: semitones from the start to the end of a glide.
        rate: Hz, of a vibrato or of repeated sweeps.
        extent: cents, half of the way between the extremes of a vibrato.
        notes: for "steps", one for each stretch of steady pitch; a note struck twice is there twice.
    """

    voiced: float
    hz: float | None = None
    low: float | None = None
    high: float | None = None
    course: Course | None = None
    change: float = 0.0
    rate: float = 0.0
    extent: float = 0.0
    notes: tuple[Note, ...] = ()


def pitch_of(frames: Frames, track: Track, onsets: Floats) -> Pitch:
    """The pitch of a clip from its track; `onsets` in seconds part a repeated note."""
    active, voiced = int(frames.active.sum()), track.voiced
    share = float(voiced.sum() / active) if active else 0.0
    if share < ENOUGH or voiced.sum() < 4:
        return Pitch(share)
    hz = track.hz[voiced]
    low, middle, high = (float(np.percentile(hz, q)) for q in (5, 50, 95))
    found = Pitch(share, middle, low, high, "moving")
    cents = 1200 * np.log2(hz / middle)
    if np.ptp(np.percentile(cents, (10, 90))) < 35 and np.ptp(np.percentile(cents, (5, 95))) < 60:
        waver = _wavering(track, frames)
        if waver is None:
            return _with(found, course="steady")
        return _with(found, course="vibrato", rate=waver[0], extent=waver[1])
    return _moving(found, frames, track, onsets)


def _with(pitch: Pitch, **changes: object) -> Pitch:
    from dataclasses import replace

    return replace(pitch, **changes)  # type: ignore[arg-type]


def _moving(found: Pitch, frames: Frames, track: Track, onsets: Floats) -> Pitch:
    notes = _notes(frames, track, onsets)
    covered = sum(note.end - note.start for note in notes) / (track.voiced.sum() * frames.step)
    still = _stillness(track)
    if covered > 0.6 and still > 0.5 and len(notes) >= 2:
        return _with(found, course="steps", notes=tuple(notes))
    glides = [_glide(track.hz[a:b]) for a, b in runs(track.voiced) if b - a >= 8]
    good = [change for change, straight in glides if straight and abs(change) > 0.7]
    if len(good) >= 2 and len(good) >= 0.7 * len(glides) and abs(np.sign(good).sum()) == len(good):
        course = "rising again" if good[0] > 0 else "falling again"
        return _with(found, course=course, change=float(np.median(good)))
    change, straight = _glide(track.hz[track.voiced])
    if straight:
        ends = np.median(track.hz[track.voiced][:3]), np.median(track.hz[track.voiced][-3:])
        course = "rising" if change > 0 else "falling"
        return _with(found, course=course, change=change, low=float(min(ends)), high=float(max(ends)))
    waver = _wavering(track, frames)
    if waver is not None:
        course = "vibrato" if waver[1] <= 200 else "sweeping"
        return _with(found, course=course, rate=waver[0], extent=waver[1])
    return found


def _stillness(track: Track) -> float:
    """Share of the voiced frames around which the pitch moves by less than 12 cents in 50 ms."""
    moves = []
    for first, end in runs(track.voiced):
        if end - first > 5:
            cents = 1200 * np.log2(track.hz[first:end])
            moves.append(np.abs(cents[5:] - cents[:-5]))
    return float(np.mean(np.concatenate(moves) < 12)) if moves else 0.0


def _glide(hz: Floats) -> tuple[float, bool]:
    """Change in semitones from end to end, and whether it goes one way all the time."""
    semitones = 12 * np.log2(hz)
    smooth = np.convolve(semitones, np.full(5, 0.2), mode="valid") if len(hz) >= 10 else semitones
    change = float(smooth[-1] - smooth[0])
    travel = float(np.abs(np.diff(smooth)).sum())
    time = np.arange(len(smooth))
    rest = smooth - np.polyval(np.polyfit(time, smooth, 1), time)
    straight = 1 - float(rest.var() / max(smooth.var(), 1e-12))
    return change, abs(change) > 0.7 and abs(change) > 0.8 * travel and straight > 0.6


def _wavering(track: Track, frames: Frames) -> tuple[float, float] | None:
    """Rate (Hz) and extent (cents) of a regular modulation of the pitch: the sine that fits best, if it holds over
    half of the variance, at least 2.5 times in the clip, and 12 cents."""
    where = np.flatnonzero(track.voiced)
    first, last = int(where[0]), int(where[-1])
    if len(where) < 0.8 * (last - first + 1) or last - first < 30:
        return None
    time = np.arange(first, last + 1)
    cents = 1200 * np.log2(np.interp(time, where, track.hz[where]))
    cents -= np.polyval(np.polyfit(time, cents, 1), time)
    size = len(cents)
    spectrum = np.abs(np.fft.rfft(cents * np.hanning(size), 8 * size)) ** 2
    hertz = np.arange(len(spectrum)) / (8 * size * frames.step)
    band = (hertz >= max(0.2, 2.2 / (size * frames.step))) & (hertz <= 15)
    if not band.any():
        return None
    rate = float(hertz[np.flatnonzero(band)[spectrum[band].argmax()]])
    angle = 2 * np.pi * rate * time * frames.step
    basis = np.stack([np.cos(angle), np.sin(angle), np.ones(size)])
    weights = np.linalg.lstsq(basis.T, cents, rcond=None)[0]
    extent = float(np.hypot(weights[0], weights[1]))
    held = 1 - float((cents - weights @ basis).var() / max(cents.var(), 1e-12))
    return (rate, extent) if held > 0.5 and extent >= 12 else None


def _notes(frames: Frames, track: Track, onsets: Floats) -> list[Note]:
    """Stretches of at least 70 ms in which the pitch stays within 50 cents, parted by onsets."""
    parted = {frames.near(t) for t in onsets}
    notes: list[Note] = []
    for first, end in runs(track.voiced):
        cents = 1200 * np.log2(track.hz[first:end])
        start = 0
        for at in range(1, end - first + 1):
            if (
                at < end - first
                and first + at not in parted
                and abs(cents[at] - np.median(cents[start:at][-40:])) <= 50
            ):
                continue
            notes += _kept(frames, track.hz[first + start : first + at], first + start)
            start = at
    return _joined(notes, onsets)


def _kept(frames: Frames, hz: Floats, first: int) -> list[Note]:
    if len(hz) * frames.step < 0.07:
        return []
    inner = hz[2:-2]
    if 1200 * np.ptp(np.log2(np.percentile(inner, (10, 90)))) > 70:
        return []
    return [Note(float(np.median(inner)), first * frames.step, (first + len(hz)) * frames.step)]


def _joined(notes: list[Note], onsets: Floats) -> list[Note]:
    """Neighbours of one pitch are one note, unless an onset parts them."""
    joined: list[Note] = []
    for note in notes:
        if joined and abs(12 * np.log2(note.hz / joined[-1].hz)) < 0.5:
            last = joined[-1]
            struck = bool(np.any((onsets > last.start + 0.05) & (onsets < note.start + 0.04)))
            if not struck and note.start - last.end < 0.15:
                joined[-1] = Note(last.hz, last.start, note.end)
                continue
        joined.append(note)
    return joined
