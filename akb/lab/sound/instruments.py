"""Instruments by additive, FM and resonant synthesis. Each is only like the family that it is named after.

The families differ in what listeners go by: attack and decay, which partials there are and how bright they are,
harmonic or not, vibrato and breath (J. M. Grey, "Multidimensional perceptual scaling of musical timbres", JASA 61,
1977; N. H. Fletcher and T. D. Rossing, "The Physics of Musical Instruments", 2nd ed., 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from akb.lab.sound.signals import Samples, Slot, band, curve, dying, level, noise, ramps, ring, sine, tone, turns

VIBRATO = 5.5  # times a second
MOST = 40  # partials of the harmonic instruments


@dataclass(frozen=True)
class Instrument:
    """A way to sound a note: `play(slot, f (n,) in Hz, force 0..1)`; `family` and `label` are for the questions.

    `vibrato`: the cents by which its players make the pitch sway, after a quarter of a second; 5.5 times a second.
    """

    label: str
    family: str
    play: Callable[[Slot, Samples, float], Samples]
    sustained: bool = True
    pitched: bool = True
    vibrato: float = 0.0


def _harmonics(slope: float, keep: Callable[[int], bool] = lambda k: True) -> list[float]:
    return [k**-slope if keep(k) else 0.0 for k in range(1, MOST + 1)]


def _swell(slot: Slot, attack: float, release: float, sustain: float = 1.0) -> Samples:
    return ramps(slot, attack, release) * curve(slot, ((0, 1), (0.3, 1), (1, sustain)))


def organ(slot: Slot, f: Samples, force: float) -> Samples:
    stops = [0.0] * 16
    for partial, loud in ((1, 1.0), (2, 0.8), (3, 0.5), (4, 0.6), (6, 0.3), (8, 0.35), (12, 0.1), (16, 0.1)):
        stops[partial - 1] = loud
    return tone(f, stops, slot.rate) * ramps(slot, 0.015, 0.03)


def bowed(slot: Slot, f: Samples, force: float) -> Samples:
    body = tone(f, _harmonics(1.15), slot.rate)
    scratch = band(noise(slot), slot.rate, 2000, 6000, 2) * 0.03
    return (body + scratch) * _swell(slot, 0.09, 0.09, 0.9)


def flute(slot: Slot, f: Samples, force: float) -> Samples:
    body = tone(f, [1, 0.25, 0.09, 0.02, 0.01], slot.rate)
    breath = band(noise(slot), slot.rate, 1000, 6000, 2) * (0.035 + 0.12 * np.exp(-slot.t / 0.03))
    return (body + breath) * _swell(slot, 0.06, 0.07)


def clarinet(slot: Slot, f: Samples, force: float) -> Samples:
    body = tone(f, _harmonics(1.0, lambda k: k % 2 == 1 and k < 24), slot.rate)
    return body * _swell(slot, 0.035, 0.05)


def brass(slot: Slot, f: Samples, force: float) -> Samples:
    """The upper partials come in after the lower ones and with more force (J.-C. Risset and M. V. Mathews, "Analysis
    of musical-instrument tones", Physics Today 22(2), 1969)."""
    dark = tone(f, _harmonics(2.2), slot.rate)
    bright = tone(f, [k**-0.45 * np.exp(-k / 14) for k in range(1, MOST + 1)], slot.rate)
    open_up = np.clip(slot.t / 0.09, 0, 1) * (0.15 + 0.85 * force)
    return (dark * (1 - open_up) + bright * open_up) * _swell(slot, 0.035, 0.06, 0.85)


def plucked(slot: Slot, f: Samples, force: float) -> Samples:
    """Plucked at 0.18 of the string: partial k starts with sin(0.18 pi k)/k and dies the faster the higher it is."""
    k = np.arange(1, MOST + 1)
    return _struck(slot, f, k, np.abs(np.sin(np.pi * 0.18 * k)) / k, 3.2 / (1 + 0.16 * k))


def piano(slot: Slot, f: Samples, force: float) -> Samples:
    """Slightly stretched partials, f k sqrt(1 + B k^2) with B = 0.0004 (Fletcher and Rossing, on pianos), a hammer."""
    k = np.arange(1, 21)
    stretched = k * np.sqrt(1 + 4e-4 * k**2)
    body = _struck(slot, f, stretched, k ** (-1.7 + 0.6 * force), 5.5 / (1 + 0.3 * k))
    body += 0.5 * _struck(slot, f * 1.0007, stretched, k**-1.4, 3.0 / (1 + 0.3 * k))
    return body + 0.25 * band(noise(slot), slot.rate, 100, 900, 2) * dying(slot, 0.06)


def marimba(slot: Slot, f: Samples, force: float) -> Samples:
    """Partials 1, 3.93 and 9.2 of a bar that is tuned by undercutting, dead within a second."""
    return _struck(slot, f, np.array([1, 3.93, 9.2]), np.array([1, 0.28, 0.1]), np.array([0.9, 0.25, 0.1]))


def bell(slot: Slot, f: Samples, force: float) -> Samples:
    """A minor-third bell: hum 0.5, prime 1, tierce 1.2, quint 1.5, nominal 2 and higher partials (Fletcher and
    Rossing, on bells). The pitch is the prime's."""
    ratios = np.array([0.5, 1, 1.2, 1.5, 2, 2.5, 2.67, 3.01, 4.17, 5.43])
    loud = np.array([0.35, 0.9, 0.75, 0.35, 1, 0.4, 0.3, 0.35, 0.3, 0.2])
    return _struck(slot, f, ratios, loud, np.array([9, 5, 4, 3, 3, 1.6, 1.4, 1.2, 0.8, 0.5]))


def electric_piano(slot: Slot, f: Samples, force: float) -> Samples:
    """Two-operator FM, carrier and modulator 1 to 1, and a tine at 14 f (J. Chowning, "The synthesis of complex audio
    spectra by means of frequency modulation", JAES 21, 1973)."""
    phase = 2 * np.pi * turns(f, slot.rate)
    body = np.sin(phase + (0.6 + 1.2 * force) * np.exp(-slot.t / 0.5) * np.sin(phase))
    tine = np.where(14 * f < 0.46 * slot.rate, 0.15, 0.0) * np.sin(14 * phase) * dying(slot, 0.25)
    return (body * dying(slot, 3.5, 0.003) + tine) * ramps(slot, 0, 0.03)


def sung(slot: Slot, f: Samples, force: float) -> Samples:
    """A voice on "ah": harmonics weighted by the resonances of that vowel."""
    base, k = float(np.mean(f)), np.arange(1, MOST + 1)
    weight = sum(loud / (1 + ((k * base - centre) / wide) ** 2) for centre, wide, loud in _AH)
    return tone(f, list(weight / k**0.3), slot.rate) * _swell(slot, 0.08, 0.1)


_AH = ((730, 90, 1.0), (1090, 110, 0.7), (2440, 150, 0.25), (2900, 180, 0.3), (3400, 250, 0.15))


def _struck(slot: Slot, f: Samples, ratios: ArrayLike, loud: ArrayLike, t60: ArrayLike) -> Samples:
    """Partials that die away, at ratios to a pitch that stands still or moves."""
    r, a, s = (np.asarray(row, float) for row in (ratios, loud, t60))
    edge = ramps(slot, 0.001, 0.03)
    if float(np.ptp(f)) < 1e-9 * float(f[0]):
        return ring(slot, f[0] * r, s, a) * edge
    out = np.zeros(slot.n)
    for place in np.flatnonzero(r * float(np.max(f)) < 0.46 * slot.rate):
        out += a[place] * sine(f * r[place], slot.rate) * dying(slot, float(s[place]))
    return out * edge


def kick(slot: Slot, f: Samples, force: float) -> Samples:
    body = sine(45 + 110 * np.exp(-slot.t / 0.035), slot.rate) * dying(slot, 0.45)
    return body + 0.15 * band(noise(slot), slot.rate, 1500, 4000, 2) * dying(slot, 0.02)


def tom(slot: Slot, f: Samples, force: float) -> Samples:
    """A drumhead: the ideal membrane's partials 1, 1.59, 2.14, 2.30, 2.65 (Fletcher and Rossing, on membranes)."""
    return ring(slot, 110 * np.array([1, 1.59, 2.14, 2.3, 2.65]), [0.9, 0.5, 0.4, 0.3, 0.3], [1, 0.5, 0.3, 0.2, 0.2])


def snare(slot: Slot, f: Samples, force: float) -> Samples:
    wires = band(noise(slot), slot.rate, 1200, None, 2) * dying(slot, 0.32)
    return wires + 0.9 * ring(slot, [185, 330], [0.2, 0.15], [1, 0.6])


def hihat(slot: Slot, f: Samples, force: float) -> Samples:
    return band(noise(slot), slot.rate, min(5500, 0.35 * slot.rate), None, 4) * dying(slot, 0.12)


def cymbal(slot: Slot, f: Samples, force: float) -> Samples:
    return band(noise(slot), slot.rate, 3000, None, 2) * dying(slot, 2.2) + 0.3 * hihat(slot, f, force)


def click(slot: Slot, f: Samples, force: float) -> Samples:
    """A woodblock-like click, as of a metronome; higher with force."""
    return ring(slot, [900 + 500 * force, 2300 + 900 * force], [0.06, 0.04], [1, 0.6])


INSTRUMENTS: Mapping[str, Instrument] = {
    "organ": Instrument("an organ", "keyboard (pipes)", organ),
    "bowed": Instrument("a bowed string instrument", "bowed strings", bowed, vibrato=22),
    "flute": Instrument("a flute", "woodwind", flute),
    "clarinet": Instrument("a clarinet", "woodwind", clarinet),
    "brass": Instrument("a brass instrument", "brass", brass),
    "plucked": Instrument("a plucked string instrument", "plucked strings", plucked, sustained=False),
    "piano": Instrument("a piano", "keyboard (struck strings)", piano, sustained=False),
    "electric_piano": Instrument("an electric piano", "keyboard (electric)", electric_piano, sustained=False),
    "marimba": Instrument("a marimba", "tuned percussion", marimba, sustained=False),
    "bell": Instrument("a bell", "tuned percussion", bell, sustained=False),
    "sung": Instrument("a singing voice", "voice", sung, vibrato=35),
    "kick": Instrument("a bass drum", "drums", kick, sustained=False, pitched=False),
    "tom": Instrument("a tom-tom", "drums", tom, sustained=False, pitched=False),
    "snare": Instrument("a snare drum", "drums", snare, sustained=False, pitched=False),
    "hihat": Instrument("a hi-hat", "cymbals", hihat, sustained=False, pitched=False),
    "cymbal": Instrument("a cymbal", "cymbals", cymbal, sustained=False, pitched=False),
    "click": Instrument("a metronome", "clicks", click, sustained=False, pitched=False),
}
PITCHED = tuple(name for name, instrument in INSTRUMENTS.items() if instrument.pitched)
DRUMS = tuple(name for name, instrument in INSTRUMENTS.items() if not instrument.pitched)


def play(
    name: str, slot: Slot, notes: float | Samples = 60.0, force: float = 0.7, vibrato: float | None = None
) -> Samples:
    """A note at RMS 1 over its loudest tenth of a second, so that instruments mix as told.

    `notes`: MIDI note number (69 is 440 Hz, equal temperament), or one for each sample. `vibrato` is in cents, and
    as the instrument's players do it where nothing is said.
    """
    what = INSTRUMENTS[name]
    track = np.broadcast_to(np.asarray(notes, float), (slot.n,))
    cents = what.vibrato if vibrato is None else vibrato
    if cents:
        swing = np.clip((slot.t - 0.15) / 0.2, 0, 1) * np.sin(2 * np.pi * VIBRATO * slot.t)
        track = track + cents / 100 * swing
    x = what.play(slot, np.asarray(440.0 * 2.0 ** ((track - 69.0) / 12.0)), force)
    return np.asarray(x / max(level(x, slot.rate), 1e-9))
