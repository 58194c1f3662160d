"""Proofs for questions on sampling, filters and spectra that have a rule, but not always a number, as their answer.

Each check derives the truth from its arguments by another way than the templates draw their keys.

>>> same_samples(["35 kHz", "25 kHz"], rate_hz=40000, tone_hz=5000)
[True, False]
"""

import cmath
import math
import re
from collections.abc import Callable, Sequence

from akb.bank.checks.technical import judge, read

_FREQUENCY = {"Hz": 1.0, "kHz": 1e3}


def match(pattern: str, option: str) -> re.Match[str]:
    """An option read by a pattern; ValueError if it does not fit."""
    found = re.fullmatch(pattern, option)
    if found is None:
        raise ValueError(f"cannot be read: {option!r}")
    return found


def one_of(names: Sequence[str], option: str) -> str:
    """The option, which must be one of the names."""
    if option not in names:
        raise ValueError(f"none of {list(names)}: {option!r}")
    return option


def _extreme(options: Sequence[str], values: Sequence[float], margin: float) -> list[bool]:
    """Which option has the greatest value; ValueError unless it leads by the margin."""
    first, second = sorted(values, reverse=True)[:2]
    if first - second < margin:
        raise ValueError(f"too close to call: {list(options)}")
    return [value == first for value in values]


def same_samples(options: Sequence[str], *, rate_hz: float, tone_hz: float) -> list[bool]:
    """Whether a cosine gives the same samples as another one, compared sample by sample."""

    def samples(frequency: float) -> list[float]:
        return [math.cos(2 * math.pi * frequency * k / rate_hz) for k in range(200)]

    wanted = samples(tone_hz)
    return [
        max(abs(a - b) for a, b in zip(wanted, samples(read(option, _FREQUENCY)[0]), strict=True)) < 1e-6
        for option in options
    ]


def alias_sweep(options: Sequence[str], *, rate_hz: float, start_hz: float, end_hz: float) -> list[bool]:
    """How a sweep moves once sampled, its angle per sample being folded into half a turn."""

    def folded(frequency: float) -> float:
        return math.acos(math.cos(2 * math.pi * frequency / rate_hz)) * rate_hz / (2 * math.pi)

    truth = folded(start_hz), folded(end_hz)
    right = []
    for option in options:
        way, *ends = match(r"It (rises|falls) from (\d+) to (\d+) kHz", option).groups()
        start, end = (1e3 * float(value) for value in ends)
        if (way == "rises") != (end > start):
            raise ValueError(f"contradicts itself: {option!r}")
        right.append(abs(start - truth[0]) < 1 and abs(end - truth[1]) < 1)
    return right


def tones_kept(options: Sequence[str], *, rate_hz: float, tones_hz: Sequence[float]) -> list[bool]:
    """Which tones keep their frequency when sampled without a filter: those below half the rate."""
    kept = {tone for tone in tones_hz if 2 * tone < rate_hz}
    right = []
    for option in options:
        named = re.fullmatch(r"The (\S+ kHz) tone alone", option)
        if named is None:
            told = set(tones_hz) if one_of(("Both tones", "Neither tone"), option) == "Both tones" else set()
        else:
            told = {read(named[1], _FREQUENCY)[0]}
        if not told <= set(tones_hz):
            raise ValueError(f"a tone that is not in the question: {option!r}")
        right.append(told == kept)
    return right


def lowest_rate(options: Sequence[str], *, band_hz: float) -> list[bool]:
    """The lowest of the options that exceeds twice the highest frequency."""
    rates = [read(option, _FREQUENCY)[0] for option in options]
    enough = [rate for rate in rates if rate / 2 > band_hz]
    if not enough:
        raise ValueError("no rate is high enough")
    return [rate == min(enough) for rate in rates]


def word_length(options: Sequence[str], *, range_db: float) -> list[bool]:
    """The fewest bits whose number of steps covers a ratio of amplitudes."""
    ratio = 10 ** (range_db / 20)
    bits = [read(option, {"bits": 1.0})[0] for option in options]
    return [2 ** (count - 1) < ratio <= 2**count for count in bits]


def requantised_noise(options: Sequence[str], *, old_bits: int, new_bits: int) -> list[bool]:
    """Change of rounding noise, whose power is a twelfth of the squared step."""
    old, new = ((2.0**-bits) ** 2 / 12 for bits in (old_bits, new_bits))
    return [_signed_change(option) == round(10 * math.log10(new / old)) for option in options]


def _signed_change(option: str) -> int:
    way, amount = match(r"It (rises|falls) by about (\d+) dB", option).groups()
    return int(amount) if way == "rises" else -int(amount)


def slope_order(
    options: Sequence[str], *, cutoff_hz: float, near_hz: float, far_hz: float, drop_db: float
) -> list[bool]:
    """The order of a Butterworth low-pass, from its exact response at two frequencies."""
    orders = ("First order", "Second order", "Third order", "Fourth order")

    def loss(order: int, frequency: float) -> float:
        return 10 * math.log10(1 + (frequency / cutoff_hz) ** (2 * order))

    drops = {name: loss(order, far_hz) - loss(order, near_hz) for order, name in enumerate(orders, 1)}
    return [abs(drops[one_of(orders, option)] - drop_db) < 1 for option in options]


def filtered_tone(options: Sequence[str], *, kind: str, hz: float, wanted: str) -> list[bool]:
    """Which tone a second-order filter passes most, or least, by its response on the imaginary axis."""

    def gain_db(frequency: float) -> float:
        s = 1j * frequency / hz
        top = {"low-pass": 1, "high-pass": s * s, "band-pass": s, "notch": s * s + 1}[kind]
        return 20 * math.log10(abs(top / (s * s + s + 1)) + 1e-6)

    sign = {"strongest": 1, "weakest": -1}[wanted]
    return _extreme(options, [sign * gain_db(read(option, _FREQUENCY)[0]) for option in options], 3.0)


def comb_extreme(options: Sequence[str], *, delay_ms: float, inverted: bool, wanted: str) -> list[bool]:
    """Where a signal plus its delayed copy cancels or doubles, by adding two phasors."""
    target = {"cancelled": 0.0, "doubled": 2.0}[wanted]
    right = []
    for option in options:
        turn = cmath.exp(-2j * math.pi * read(option, _FREQUENCY)[0] * delay_ms / 1e3)
        right.append(abs(abs(1 + (-turn if inverted else turn)) - target) < 1e-6)
    return right


def filter_type(options: Sequence[str], *, losses_db: dict[int, float]) -> list[bool]:
    """The type of filter that passes and stops these frequencies (Hz): below 3 dB passes, above 20 dB stops."""
    shapes = {"Low-pass": "110", "High-pass": "011", "Band-pass": "010", "Band-stop": "101"}
    shape = ""
    for _, loss in sorted(losses_db.items()):
        if 3 <= loss <= 20:
            raise ValueError(f"neither passed nor stopped: {loss} dB")
        shape += str(int(loss < 3))
    # Of three frequencies, a low-pass may stop the upper two, and a high-pass the lower two.
    shape = {"100": "110", "001": "011"}.get(shape, shape)
    return [shapes[one_of(tuple(shapes), option)] == shape for option in options]


def repetition_rate(options: Sequence[str], *, partials_hz: Sequence[int]) -> list[bool]:
    """The rate of the shortest period of a sum of partials: their greatest common divisor."""
    return judge(options, math.gcd(*partials_hz), _FREQUENCY)


def no_leakage(options: Sequence[str], *, rate_hz: int, length: int) -> list[bool]:
    """Whether a tone runs through whole cycles within the window."""
    return [(round(read(option, _FREQUENCY)[0]) * length) % rate_hz == 0 for option in options]


def bin_change(options: Sequence[str], *, old: tuple[int, int], new: tuple[int, int]) -> list[bool]:
    """How the bin spacing changes between two pairs of sampling rate and DFT length."""
    words = {"A quarter as wide": 1, "Half as wide": 2, "Twice as wide": 8, "Four times as wide": 16}  # in quarters
    quarters = 4 * new[0] * old[1] / (old[0] * new[1])
    return [words[one_of(tuple(words), option)] == quarters for option in options]


_WAVES: dict[str, Callable[[float], float]] = {
    "Sawtooth": lambda t: 2 * t - 1,
    "Square": lambda t: 1.0 if t < 0.5 else -1.0,
    "Triangle": lambda t: 1 - 4 * abs(t - 0.5),
    "Narrow pulses": lambda t: 1.0 if t < 0.001 else 0.0,
}


def waveform(options: Sequence[str], *, partials: dict[int, float]) -> list[bool]:
    """The wave with these amplitudes, relative to the lowest partial (the fundamental); by analysis of one period."""
    base = min(partials)
    right = []
    for option in options:
        wave = _WAVES[one_of(tuple(_WAVES), option)]
        found = [_harmonic(wave, n) for n in range(1, max(partials) // base + 1)]
        told = [partials.get(n * base, 0.0) for n in range(1, len(found) + 1)]
        right.append(all(abs(a / found[0] - b) < 0.02 for a, b in zip(found, told, strict=True)))
    return right


def _harmonic(wave: Callable[[float], float], number: int, points: int = 2000) -> float:
    """Amplitude of a harmonic of one period."""
    terms = (wave((k + 0.5) / points) * cmath.exp(-2j * math.pi * number * (k + 0.5) / points) for k in range(points))
    return abs(sum(terms)) / points


CHECKS: dict[str, Callable[..., list[bool]]] = {
    check.__name__: check
    for check in (
        same_samples,
        alias_sweep,
        tones_kept,
        lowest_rate,
        word_length,
        requantised_noise,
        slope_order,
        filtered_tone,
        comb_extreme,
        filter_type,
        repetition_rate,
        no_leakage,
        bin_change,
        waveform,
    )
}
