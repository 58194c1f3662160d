"""The marks of speech: voicing, syllable-like bursts, the 4 Hz modulation, and formants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akb.cascades.acoustic.frames import Floats, Frames, decibels
from akb.cascades.acoustic.melody import Pitch
from akb.cascades.acoustic.pitch import Track

RATE = 10_000  # Hz, for the formants
ORDER = 10
MOST = 500  # frames of which formants are measured


@dataclass(frozen=True)
class Vowel:
    """A stretch of voiced sound with steady formants: the first two in Hz, and its times in seconds."""

    f1: float
    f2: float
    start: float
    end: float


@dataclass(frozen=True)
class Speech:
    """The marks of speech.

    Attributes:
        bursts: syllable-like peaks of the intensity that are voiced (de Jong and Wempe 2009).
        modulation: share of the envelope's modulation (0.5 to 20 Hz) between 2 and 8 Hz (Scheirer and Slaney 1997).
        vowels: stretches of at least 80 ms with steady formants.
        marks: which marks of speech are there: "voice pitch", "voicing", "syllables", "modulation", "formants".
        likely: True with all five, False with at most two (three, if the pitch goes in steps), else None (untold).
    """

    bursts: int
    modulation: float
    vowels: tuple[Vowel, ...]
    marks: tuple[str, ...]
    likely: bool | None


def speech_of(frames: Frames, track: Track, pitch: Pitch) -> Speech:
    """The marks of speech of a clip."""
    bursts, modulation = _bursts(frames, track), _modulation(frames)
    hz = track.hz[track.voiced]
    range_ok = len(hz) > 4 and 65 < float(np.median(hz)) < 450
    vowels = _vowels(frames, track) if range_ok else ()
    length = float(frames.active.sum()) * frames.step
    moving = len(hz) > 4 and float(np.ptp(np.percentile(12 * np.log2(hz), (10, 90)))) > 0.8
    signs = {
        "voice pitch": range_ok and moving and pitch.course not in ("vibrato", "steps"),
        "voicing": 0.3 < pitch.voiced < 0.98,
        "syllables": bursts >= 2 and 1.5 < bursts / max(length, 0.1) < 9,
        "modulation": modulation > 0.35,
        "formants": sum(v.end - v.start for v in vowels) > 0.25 * pitch.voiced * length,
    }
    marks = tuple(name for name, there in signs.items() if there)
    sung = pitch.course == "steps"  # notes, not speech
    likely = True if len(marks) == 5 else False if len(marks) <= 2 + sung or not range_ok else None
    return Speech(bursts, modulation, vowels, marks, likely)


def _bursts(frames: Frames, track: Track) -> int:
    """Peaks of the level (25 Hz low-passed) within 25 dB of the top, with a dip of 3 dB before each, and voiced."""
    from scipy.ndimage import correlate1d

    level = decibels(correlate1d(10 ** (frames.level / 10), np.hanning(9)[1:-1] / 4, mode="constant"))
    bar, count, low, high, waits = float(np.percentile(level, 99)) - 25, 0, -200.0, -200.0, True
    voiced = correlate1d(track.voiced.astype(float), np.ones(9), mode="constant") > 2
    for now, sounding in zip(level, voiced, strict=True):
        if waits:
            low = min(low, now) if low > -200 else now
            if now > low + 3 and now > bar and sounding:
                count, waits, high = count + 1, False, now
        else:
            high = max(high, now)
            if now < high - 3:
                waits, low = True, now
    return count


def _modulation(frames: Frames) -> float:
    if len(frames.level) < 50:
        return 0.0
    envelope = np.sqrt(10 ** (frames.level / 10))
    spectrum = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)))) ** 2
    hertz = np.fft.rfftfreq(len(envelope), frames.step)
    whole = spectrum[(hertz >= 0.5) & (hertz <= 20)].sum()
    return float(spectrum[(hertz >= 2) & (hertz <= 8)].sum() / max(float(whole), 1e-20))


def _vowels(frames: Frames, track: Track) -> tuple[Vowel, ...]:
    where = np.flatnonzero(track.voiced)
    where = where[:: max(1, -(-len(where) // MOST))]
    formants = _formants(frames, where * frames.step)
    found: list[Vowel] = []
    good = np.isfinite(formants[:, 0])
    leap = np.concatenate([[0], np.diff(where)]) > 6
    start = 0
    for at in range(1, len(where) + 1):
        part = formants[start:at][good[start:at]]
        if at < len(where) and not leap[at] and (not good[at] or not len(part) or _like(formants[at], part[-12:])):
            continue
        length = float((where[at - 1] - where[start] + 1) * frames.step)
        if length >= 0.08 and len(part) >= 0.6 * (at - start) and len(part) >= 4:
            f1, f2 = np.median(part, axis=0)
            if np.any(np.ptp(np.log2(np.percentile(part, (25, 75), axis=0)), axis=0) > 0.25):
                start = at
                continue
            first = float(where[start] * frames.step)
            found.append(Vowel(float(f1), float(f2), first, first + length))
        start = at
    return tuple(found)


def _like(formants: Floats, before: Floats) -> bool:
    return bool(np.all(np.abs(np.log2(formants / np.median(before, axis=0))) < 0.3))


def _formants(frames: Frames, times: Floats) -> Floats:
    """(n, 2) the first two resonances of each frame in Hz, by linear prediction (autocorrelation method; Markel and
    Gray 1976) at 10 kHz over 30 ms; NaN where there are not two of a bandwidth below 350 Hz."""
    from scipy.signal import resample_poly

    if frames.rate < RATE or not len(times):
        return np.full((len(times), 2), np.nan)
    from math import gcd

    common = gcd(frames.rate, RATE)
    x = np.asarray(resample_poly(frames.samples, RATE // common, frames.rate // common))
    x = np.append(x[:1], x[1:] - 0.97 * x[:-1])
    size = round(0.03 * RATE)
    padded = np.concatenate([np.zeros(size), x, np.zeros(2 * size)])
    at = np.minimum((times * RATE).astype(int) + size // 2, len(padded) - size)
    segments = padded[at[:, None] + np.arange(size)] * np.hamming(size)
    power = np.abs(np.fft.rfft(segments, 1024)) ** 2
    lags = np.fft.irfft(power)[:, : ORDER + 1]
    lags[:, 0] = lags[:, 0] * 1.000001 + 1e-12
    companion = np.zeros((len(at), ORDER, ORDER))
    companion[:, 0] = -_levinson(lags)
    companion[:, np.arange(1, ORDER), np.arange(ORDER - 1)] = 1
    roots = np.linalg.eigvals(companion)
    hertz = np.angle(roots) * RATE / (2 * np.pi)
    width = -np.log(np.maximum(np.abs(roots), 1e-9)) * RATE / np.pi
    hertz = np.sort(np.where((hertz > 180) & (hertz < 3500) & (width < 350), hertz, np.inf), axis=1)[:, :2]
    return np.where(np.isfinite(hertz).all(axis=1)[:, None], hertz, np.nan)


def _levinson(lags: Floats) -> Floats:
    """(n, ORDER) prediction coefficients of each row of autocorrelations."""
    count = len(lags)
    a, error = np.zeros((count, ORDER + 1)), lags[:, 0].copy()
    a[:, 0] = 1
    for m in range(1, ORDER + 1):
        reflection = -(a[:, :m] * lags[:, m:0:-1]).sum(axis=1) / error
        a[:, 1 : m + 1] += reflection[:, None] * a[:, m - 1 :: -1][:, :m]
        error *= 1 - reflection**2
        error = np.maximum(error, 1e-15)
    return a[:, 1:]
