"""Where the energy lies: centroid, slope, limits of the band, and how noise-like it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from akb.cascades.acoustic.frames import WINDOW, Floats, Frames, decibels
from akb.cascades.acoustic.pitch import Track

PARTED = 5 / WINDOW  # Hz; a Hann window does not part harmonics that are closer: its main lobe is 4 bins wide
Power = NDArray[np.float32]
WHITE = 0.561  # expected flatness of the power spectrum of white noise, exp(-0.5772)


@dataclass(frozen=True)
class Spectrum:
    """The long-term spectrum of the sounding frames.

    Attributes:
        centroid: Hz, of the power spectrum (the spectral centroid of Peeters 2004, with power for amplitude).
        low, high: Hz between which 80 % of the energy lies (10 % below, 10 % above).
        noisiness: 0 (lines) to 1 (white within small bands): local spectral flatness over that of noise, or, of frames
            with a pitch below 125 Hz, the root of the part of the energy that is not periodic; None where less than
            0.08 s sounds.
        slope: dB per octave of the power density of a noise-like sound, 100 Hz to 10 kHz within its band; else None.
        straight: whether that slope holds over the band (a colour such as white or pink).
        cut_low, cut_high: Hz where a noise-like sound's band begins or ends steeply; None where it does not.
    """

    centroid: float
    low: float
    high: float
    noisiness: float | None
    slope: float | None = None
    straight: bool = False
    cut_low: float | None = None
    cut_high: float | None = None


def spectrum_of(frames: Frames, track: Track) -> Spectrum:
    """Measures of the mean power spectrum of the sounding frames, from 30 Hz on."""
    first = int(np.searchsorted(frames.hertz, 30))
    mean = frames.power[frames.active].mean(axis=0, dtype=np.float64)[first:]
    hertz = frames.hertz[first:]
    total = np.cumsum(mean)
    low, high = (float(np.interp(q * total[-1], total, hertz)) for q in (0.1, 0.9))
    centroid = float(centroid_of(mean, hertz))
    noisy = noisiness_of(frames.power[frames.active][:, first:], mean, track, np.flatnonzero(frames.active))
    if noisy < 0.7 or frames.active.sum() < 8:
        return Spectrum(centroid, low, high, noisy if frames.active.sum() >= 8 else None)
    levels, middles = _thirds(mean, hertz)
    begin, end = _band(levels)
    cut_low = _edge(mean, hertz, float(middles[begin]), up=False) if begin else None
    cut_high = _edge(mean, hertz, float(middles[end]), up=True) if end < len(levels) - 1 else None
    fit = slice(begin + (1 if begin else 0), end + (0 if cut_high else 1))
    octaves, fitted = np.log2(middles[fit]), levels[fit]
    if len(fitted) < 6:
        return Spectrum(centroid, low, high, noisy, None, False, cut_low, cut_high)
    slope, start = np.polyfit(octaves, fitted, 1)
    rest = fitted - (slope * octaves + start)
    return Spectrum(centroid, low, high, noisy, float(slope), bool(rest.std() < 1.5), cut_low, cut_high)


def centroid_of(power: Floats, hertz: Floats) -> Floats:
    """Mean frequency of power spectra along the last axis."""
    return np.asarray((power @ hertz) / np.maximum(power.sum(axis=-1), 1e-30))


def noisiness_of(power: Power, mean: Floats, track: Track, where: NDArray[np.intp]) -> float:
    """How noise-like the frames `where` are, 0 to 1, of their spectra and the mean of these: local flatness (Johnston
    1988, within bands of 16 bins) without the tilt of the mean, divided by that of white noise and weighted by the
    amplitude of each band. Harmonics of a pitch below 125 Hz are not parted in a frame's spectrum and would pass for
    noise: such a frame is as noise-like as the root of the part of its energy that is not periodic."""
    smooth = _tilt(mean)
    count = power.shape[-1] // 16
    shaped = power[..., : 16 * count].reshape(-1, count, 16)
    white = shaped / smooth[: 16 * count].reshape(count, 16) + 1e-12
    flat = np.exp(np.log(white).mean(axis=-1)) / white.mean(axis=-1) / WHITE
    low = np.nan_to_num(track.hz[where], nan=PARTED) < PARTED
    flat[low] = np.sqrt(track.aperiodic[where[low]])[:, None]
    weight = np.sqrt(shaped.sum(axis=-1, dtype=np.float64))
    return float(np.clip((flat * weight).sum() / max(float(weight.sum()), 1e-30), 0, 1))


def _tilt(mean: Floats) -> Floats:
    """A parabola through the levels of bands of a third of an octave, in power: it follows a colour, but no line."""
    edges = np.unique(np.round(np.geomspace(1, len(mean), 28)).astype(int)) - 1
    means = np.add.reduceat(mean, edges[:-1]) / np.diff(edges)
    middles = np.log2(np.sqrt((edges[:-1] + 1.0) * edges[1:]))
    level = decibels(means / max(float(means.max()), 1e-30))
    weight = 10 ** (level / 60)  # what is strong counts more
    bent = np.polyval(np.polyfit(middles, level, 2, w=weight), np.log2(np.arange(len(mean)) + 1))
    return np.asarray(10 ** (np.clip(bent, -120, 20) / 10) * max(float(means.max()), 1e-30))


def _thirds(mean: Floats, hertz: Floats) -> tuple[Floats, Floats]:
    """Power density in dB in third-octave bands from 100 Hz on, and their middles."""
    top = min(10_000.0, 0.93 * float(hertz[-1]))
    middles = 100 * 2.0 ** (np.arange(0, int(3 * np.log2(top / 100)) + 1) / 3)
    levels = []
    for middle in middles:
        inside = (hertz >= middle * 2 ** (-1 / 6)) & (hertz < middle * 2 ** (1 / 6))
        levels.append(float(mean[inside].mean()) if inside.any() else float(np.interp(middle, hertz, mean)))
    return decibels(np.array(levels) / max(float(mean.max()), 1e-30)), middles


def _band(levels: Floats) -> tuple[int, int]:
    """First and last third of the band: outside it the density falls by more than 12 dB in an octave."""
    top = int(levels.argmax())
    end = len(levels) - 1
    for at in range(top, len(levels) - 3):
        if levels[at] - levels[at + 3] > 10.5:
            end = at
            break
    begin = 0
    for at in range(top, 2, -1):
        if levels[at] - levels[at - 3] > 10.5:
            begin = at
            break
    return begin, end


def _edge(mean: Floats, hertz: Floats, near: float, *, up: bool) -> float | None:
    """Where the density has fallen by 6 dB from what it is inside the band."""
    width = max(3, int(np.searchsorted(hertz, hertz[0] + near * 0.08)))
    smooth = np.convolve(mean, np.full(width, 1 / width), mode="same")
    side = 2.0 ** (-1 / 2 if up else 1 / 2)
    inside = float(np.interp(near * side, hertz, smooth))
    order = np.flatnonzero(hertz > near * side) if up else np.flatnonzero(hertz < near * side)[::-1]
    fallen = order[smooth[order] < 0.25 * inside]
    return float(hertz[fallen[0]]) if len(fallen) else None
