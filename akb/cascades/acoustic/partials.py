"""The partials of a sound: harmonics of one pitch, several pitches at once, or no harmonic series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akb.cascades.acoustic.frames import Flags, Floats, Frames
from akb.cascades.acoustic.melody import Pitch
from akb.cascades.acoustic.pitch import Track

LOW, TOP = 40.0, 5_000.0  # Hz, lowest and highest partial that are looked at
SURE = 0.8  # share of the sounding frames with a pitch from which it may be that of harmonics without the lowest
WINDOW = 0.37  # seconds; two sines 8 Hz apart are told apart


@dataclass(frozen=True)
class Partials:
    """Spectral lines of the clip.

    Attributes:
        tonal: share of the energy (40 Hz to 5 kHz) in spectral lines over long windows.
        pitches: Hz, those that sound at once, from low to high; one for a single pitch; empty if they cannot be told.
        inharmonic: there are at least three lines and no harmonic series holds them.
        lines: Hz of the strongest lines of an inharmonic sound.
        pure: nearly all frames are one sine.
        chords: for a pitch that goes in steps, the pitches of each step where at least half of the steps have several.
        odd_even: dB, odd harmonics (3 to 9) over even ones (2 to 8); None where there are too few.
        harmonicity: dB, harmonics-to-noise ratio (Boersma 1993), median over voiced frames, 0 to 30, below
            11 kHz; None without.
    """

    tonal: float = 0.0
    pitches: tuple[float, ...] = ()
    inharmonic: bool = False
    lines: tuple[float, ...] = ()
    pure: bool = False
    odd_even: float | None = None
    harmonicity: float | None = None
    chords: tuple[tuple[float, ...], ...] = ()


def partials_of(frames: Frames, track: Track, pitch: Pitch) -> Partials:
    """Lines of the spectrum over long windows, and which pitches explain them (after the iterative estimation and
    cancellation of Klapuri 2006, on lines instead of on the whole spectrum)."""
    harmonicity = _harmonicity(track)
    where = np.flatnonzero(frames.active) * frames.step
    hz, power, tonal = _lines(frames, float(where[0]), float(where[-1]) + frames.step)
    pure = track.pure > 0.8
    if pitch.course not in (None, "steady", "vibrato"):
        return Partials(tonal, pure=pure, harmonicity=harmonicity, chords=_chords(frames, pitch))
    if tonal < 0.5 or not len(hz):
        return Partials(tonal, pure=pure, harmonicity=harmonicity)
    if pure or len(hz) == 1:
        return Partials(tonal, (float(hz[power.argmax()]),), pure=True, harmonicity=harmonicity)
    sure = pitch.hz if pitch.voiced > SURE else None
    pitches, alone = _explained(hz, power, _whole(hz, sure))
    if not _in_tune(pitches) and sure is not None and _holds(hz, power, sure):
        pitches, alone = [sure], 0
    if not _in_tune(pitches) or len(pitches) > 5 or (len(pitches) > 2 and alone > 0.6 * len(pitches)):
        strongest = np.sort(hz[np.argsort(power)[::-1][:5]])
        return Partials(tonal, (), len(hz) > 2, tuple(float(h) for h in strongest), harmonicity=harmonicity)
    odd_even = _odd_even(hz, power, pitches[0]) if len(pitches) == 1 else None
    return Partials(tonal, tuple(pitches), odd_even=odd_even, harmonicity=harmonicity)


def _harmonicity(track: Track) -> float | None:
    if not track.voiced.any():
        return None
    noise = float(np.median(track.aperiodic[track.voiced]))
    return float(np.clip(10 * np.log10((1 - noise) / max(noise, 1e-6)), 0, 30))


def _chords(frames: Frames, pitch: Pitch) -> tuple[tuple[float, ...], ...]:
    """The pitches of each of the first 16 steps; empty unless half of them have two or more."""
    found = []
    for note in pitch.notes[:16]:
        if note.end - note.start < 0.15:
            return ()
        hz, power, tonal = _lines(frames, note.start + 0.02, note.end - 0.02)
        pitches, alone = _explained(hz, power, _whole(hz, note.hz)) if tonal > 0.5 and len(hz) else ([note.hz], 0)
        fine = _in_tune(pitches) and len(pitches) <= 5 and alone <= 0.6 * len(pitches)
        found.append(tuple(pitches) if fine else (note.hz,))
    several = sum(len(pitches) > 1 for pitches in found)
    return tuple(found) if found and several >= 0.5 * len(found) else ()


def _lines(frames: Frames, start: float, end: float) -> tuple[Floats, Floats, float]:
    """Frequencies and powers of lines at least 12 dB above their surroundings and 45 dB below the strongest; and the
    share of the energy that they hold."""
    from scipy.ndimage import median_filter

    spectrum, width, length = _long_spectrum(frames, start, end)
    hertz = np.arange(len(spectrum)) * width
    band = slice(int(LOW / width), min(len(spectrum) - 3, int(TOP / width)))
    near = median_filter(spectrum, 2 * int(max(30.0, 8 / length) / width) + 1, mode="nearest")
    inner = spectrum[band]
    top = float(inner.max(initial=0))
    if top <= 0:
        return np.array([]), np.array([]), 0.0
    at = np.arange(len(spectrum))[band]
    peak = (inner >= spectrum[at - 1]) & (inner > spectrum[at + 1])
    peak &= (inner > 16 * near[band]) & (inner > 10**-4.5 * top)
    at = at[peak]
    reach = int(2.2 / (length * width)) + 1
    at = np.array([i for i in at if spectrum[i] >= spectrum[max(0, i - reach) : i + reach + 1].max()], dtype=int)
    a, b, c = (np.log(np.maximum(spectrum[at + step], 1e-30)) for step in (-1, 0, 1))
    shift = 0.5 * (a - c) / np.minimum(a + c - 2 * b, -1e-9)
    held = np.zeros(len(spectrum), dtype=bool)
    for step in range(-reach, reach + 1):
        held[np.clip(at + step, 0, len(held) - 1)] = True
    share = float(spectrum[band][held[band]].sum() / max(inner.sum(), 1e-30))
    return hertz[at] + shift * width, spectrum[at], share


def _long_spectrum(frames: Frames, start: float, end: float) -> tuple[Floats, float, float]:
    """Mean power spectrum over windows of 0.37 s (shorter where there is less), its bins' width in Hz, and the
    window's length in seconds."""
    x = frames.samples[int(start * frames.rate) : int(end * frames.rate)]
    size = min(len(x), round(WINDOW * frames.rate))
    if size < 0.03 * frames.rate:
        return np.zeros(8), 1.0, WINDOW
    padded = 1 << int(np.ceil(np.log2(4 * WINDOW * frames.rate)))
    window = np.blackman(size)
    starts = range(0, len(x) - size + 1, max(size // 2, 1))
    total = sum(np.abs(np.fft.rfft(x[s : s + size] * window, padded)) ** 2 for s in starts)
    return np.asarray(total, dtype=np.float64), frames.rate / padded, size / frames.rate


def _whole(hz: Floats, pitch: float | None) -> float | None:
    """The pitch, if lines without one at the pitch itself are its harmonics nevertheless: five and more, evenly spaced
    (all of them or the odd ones), as those of a chord are not."""
    if pitch is None:
        return None
    mine = _multiples(hz, pitch)
    numbers = np.unique(np.round(hz[mine] / pitch))
    steps = np.diff(numbers)
    if len(numbers) < 5 or numbers[0] == 1 or mine.mean() < 0.8:
        return None
    return pitch if max(np.mean(steps == 1), np.mean(steps == 2)) >= 0.75 else None


def _explained(hz: Floats, power: Floats, whole: float | None = None) -> tuple[list[float], int]:
    """Fundamentals whose harmonics hold 98 % of the amplitude, and how many of them have no harmonic of their own;
    `whole` is a fundamental without a line, which is taken first."""
    left, weight = np.ones(len(hz), dtype=bool), np.sqrt(power)
    strong = power > 1e-3 * power.max()
    pitches: list[float] = []
    alone = 0
    if whole is not None:
        pitches.append(whole)
        left &= ~_multiples(hz, whole)
    while weight[left].sum() > 0.08 * weight.sum() and (left & strong).any() and len(pitches) < 8:
        best, score = -1, 0.0
        for at in np.flatnonzero(left & strong):
            mine = _multiples(hz, hz[at])
            first = sum(bool(mine[np.round(hz / hz[at]) == n].any()) for n in (1, 2, 3, 4))
            found = float(weight[mine & left].sum() * first / 4 + weight[at] * 0.25)
            if found > 1.001 * score:
                best, score = int(at), found
        mine = _multiples(hz, hz[best])
        alone += int(mine.sum() == 1)
        pitches.append(float(hz[best]))
        left &= ~mine
    return sorted(pitches), alone


def _holds(hz: Floats, power: Floats, pitch: float) -> bool:
    """Whether a pitch has at least three harmonics, and 90 % of the power in them: the upper partials of a stiff string
    are too high for a harmonic series, yet make no other pitch."""
    mine = _multiples(hz, pitch)
    return bool(mine.sum() >= 3 and power[mine].sum() > 0.9 * power.sum())


def _multiples(hz: Floats, base: float) -> Flags:
    number = np.round(hz / base)
    return np.asarray((number >= 1) & (np.abs(hz - number * base) < np.maximum(3.0, 0.006 * hz)))


def _in_tune(pitches: list[float]) -> bool:
    """Whether all intervals above the lowest are within 35 cents of whole semitones."""
    semitones = 12 * np.log2(np.array(pitches) / pitches[0])
    return bool(np.all(np.abs(semitones - np.round(semitones)) < 0.35))


def _odd_even(hz: Floats, power: Floats, base: float) -> float | None:
    if 5 * base > TOP:
        return None
    mine = _multiples(hz, base)
    number = np.round(hz / base)
    odd = float(power[mine & np.isin(number, (3, 5, 7, 9))].sum())
    even = float(power[mine & np.isin(number, (2, 4, 6, 8))].sum())
    least = 1e-4 * float(power.max())
    if max(odd, even) < 10 * least:
        return None
    return float(10 * np.log10(max(odd, least) / max(even, least)))
