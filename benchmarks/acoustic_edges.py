"""Signals at the edges of what sounds can be, for acoustic.py: slow crescendos, low tones, tones without their lowest
partials, clipping at any level, and what looks like a fault and is none."""

from __future__ import annotations

import numpy as np
from acoustic_signals import (
    Drawn,
    Random,
    Wave,
    coloured,
    draw_inharmonic,
    faded,
    harmonic,
    level_course,
    seconds,
)

from akb.cascades.acoustic import Measures


def draw_low(r: Random, rate: int) -> Drawn:
    hz = float(40 * 2 ** r.uniform(0, 1.32))
    return Drawn(harmonic(np.full(round(1.5 * rate), hz), rate, r, r.uniform(0.5, 2)), rate, hz)


def draw_high_partials(r: Random, rate: int) -> Drawn:
    """The harmonics of a voice or a string between 300 and 3,400 Hz, all of them or the odd ones."""
    hz, t = float(60 * 2 ** r.uniform(0, 1.9)), seconds(1.5, rate)
    numbers = range(3, 58, 2) if r.integers(4) == 0 else range(2, 58)
    wave = sum(np.sin(2 * np.pi * hz * n * t + r.uniform(0, 6.28)) / n for n in numbers if 300 <= hz * n <= 3400)
    return Drawn(faded(0.3 * np.asarray(wave) / np.abs(wave).max(), rate), rate, hz)


def draw_series(r: Random, rate: int) -> Drawn:
    makers = {"inharmonic": draw_bell, "harmonic": draw_low if r.integers(2) else draw_high_partials}
    kind = str(r.choice(list(makers)))
    return Drawn(makers[kind](r, rate).wave, rate, kind)


def draw_bell(r: Random, rate: int) -> Drawn:
    while True:
        drawn = draw_inharmonic(r, rate)
        if drawn.truth == "inharmonic":
            return drawn


def harmony_told(m: Measures) -> str | None:
    if m.partials is None or not (m.partials.inharmonic or m.partials.pitches):
        return None
    return "inharmonic" if m.partials.inharmonic else "harmonic" if len(m.partials.pitches) == 1 else "chord"


def draw_noisy_low(r: Random, rate: int) -> Drawn:
    noise = bool(r.integers(2))
    wave = coloured(1.5, rate, float(r.uniform(-6, 3)), r) if noise else draw_low(r, rate).wave
    return Drawn(wave, rate, "noise" if noise else "tone")


def draw_wide_course(r: Random, rate: int) -> Drawn:
    kind = str(r.choice(["steady", "rising", "falling", "swelling", "dipping"]))
    return Drawn(level_course(r, rate, kind, r.uniform(6, 40), r.uniform(2, 10)), rate, kind)


def draw_crescendo(r: Random, rate: int) -> Drawn:
    size, sign = float(r.uniform(6, 40)), int(r.choice([-1, 1]))
    wave = level_course(r, rate, "rising" if sign > 0 else "falling", size, r.uniform(2, 10))
    return Drawn(wave, rate, 0.75 * sign * size)  # from the first to the last quarter


def draw_unbroken(r: Random, rate: int) -> Drawn:
    return Drawn(draw_crescendo(r, rate).wave, rate, 0.0)


def silence_told(m: Measures) -> float | None:
    """Seconds of the clip that are told as silence or background."""
    return None if m.events is None else m.seconds - sum(end - start for start, end in m.events.stretches)


def quantised(wave: Wave, bits: int) -> Wave:
    return np.asarray(np.round(wave * 2 ** (bits - 1)) / 2 ** (bits - 1))


def draw_clipping_anywhere(r: Random, rate: int) -> Drawn:
    """A tone from 40 Hz on, soft or loud, as it is or at 16 bits or (loud ones) at 8; its top 2 to 10 dB cut off or
    not."""
    clipped, bits = bool(r.integers(2)), int(r.choice([0, 16, 8]))
    wave = harmonic(np.full(rate, 40 * 2 ** r.uniform(0, 4.6)), rate, r, r.uniform(0.7, 4))
    wave *= 10 ** (r.uniform(-9 if bits == 8 else -40, -1) / 20) / np.abs(wave).max()
    if clipped:
        most = np.abs(wave).max() * 10 ** (-r.uniform(2, 10) / 20)
        wave = np.clip(wave, -most, most)
    return Drawn(quantised(wave, bits) if bits else wave, rate, "clipped" if clipped else "whole")


def draw_faultless(r: Random, rate: int) -> Drawn:
    """What looks like a fault and is none: tones at round frequencies at few bits or with aliases, trains of beeps with
    zeros between them (even and uneven ones), and tones so soft that the steps of 16 bits are large."""
    t, hz = seconds(3, rate), float(r.choice([80, 100, 110, 120, 150, 220, 300, 440, 500, 880]))
    kind = str(r.choice(["few bits", "aliases", "beeps", "chirps", "uneven beeps", "soft"]))
    tone = np.sin(2 * np.pi * hz * t)
    if kind == "few bits":
        return Drawn(quantised(r.uniform(0.2, 0.9) * tone, 8), rate, "none")
    if kind == "aliases":
        return Drawn(0.3 * (2 * (hz * t % 1) - 1), rate, "none")
    if kind == "soft":
        return Drawn(quantised(r.uniform(0.002, 0.02) * tone, 16), rate, "none")
    mean, spread = (0.025, 0.0) if kind == "chirps" else (r.uniform(0.15, 0.4), 0.0 if kind == "beeps" else 0.5)
    pause, at = round(r.uniform(0.25, 0.4) * mean * rate), 0
    while at < len(t):
        at += round(mean * (1 + spread * r.uniform(-1, 1)) * rate)
        tone[at : at + pause] = 0
        at += pause
    return Drawn(0.3 * tone, rate, "none")


def faults_told(m: Measures) -> str:
    found = {"clipped": m.faults.flat > 1e-3, "offset": abs(m.faults.offset) > 0.02, "hum": m.faults.hum,
             "dropouts": m.faults.dropouts}  # fmt: skip
    return " ".join(name for name, there in found.items() if there) or "none"
