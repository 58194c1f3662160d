"""Proofs for questions on loudness, on listening tests, and on the rate, rhythm and pitch of speech.

>>> harmonic_spacing(["220 Hz", "110 Hz"], lower_hz=660, upper_hz=880)
[True, False]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import comb

from akb.bank.checks.rooms import leader
from akb.bank.checks.signals import match
from akb.bank.checks.technical import judge

_RATES = {
    "Both of her rates are higher": (True, True),
    "Both of her rates are lower": (False, False),
    "Only her speech rate is higher": (True, False),
    "Only her articulation rate is higher": (False, True),
}


def _signed(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def track_headroom(options: Sequence[str], *, target_lufs: float, ceiling_dbtp: float, limiting: bool) -> list[bool]:
    """Which track needs limiting, or none, when a gain brings it to the target: its peak moves by the same gain."""
    right = []
    for option in options:
        loudness, peak = match(r"([-\u2212]\d+) LUFS, true peak ([-\u2212]\d+) dBTP", option).groups()
        gain = target_lufs - _signed(loudness)
        over = _signed(peak) + gain - ceiling_dbtp
        if abs(over) < 0.5:
            raise ValueError(f"too close to call: {option!r}")
        right.append((over > 0) == limiting)
    return right


def compressor_setting(options: Sequence[str], *, level_dbfs: float, extreme: str) -> list[bool]:
    """Which setting lowers a steady tone most or least: input less output on the static curve."""
    reductions = []
    for option in options:
        threshold, ratio = match(r"Threshold ([-\u2212]\d+) dBFS, ratio (\d+):1", option).groups()
        over = level_dbfs - _signed(threshold)
        if over <= 0:
            raise ValueError(f"the tone does not reach the threshold: {option!r}")
        reductions.append(over - over / float(ratio))
    ordered = sorted(reductions, reverse=extreme == "most")
    if abs(ordered[0] - ordered[1]) < 1:
        raise ValueError(f"too close to call: {list(options)}")
    return leader(options, reductions, extreme, 1.0)


def abx_evidence(options: Sequence[str]) -> list[bool]:
    """Which result is least likely by guessing: the chance of as many hits or more, summed exactly."""
    chances = []
    for option in options:
        right, trials = map(int, match(r"(\d+) right in (\d+) trials", option).groups())
        chances.append(sum(comb(trials, hits) for hits in range(right, trials + 1)) / 2**trials)
    return leader(options, chances, "least", 2.0)


def rates_compared(options: Sequence[str], *, hers: Sequence[int], his: Sequence[int]) -> list[bool]:
    """Who has the higher speech rate (pauses counted) and articulation rate (left out): syllables, seconds, pauses."""
    (her_syllables, her_time, her_pauses), (his_syllables, his_time, his_pauses) = hers, his
    # Rates are compared by cross multiplication: a / b > c / d if a * d > c * b.
    whole = her_syllables * his_time, his_syllables * her_time
    spoken = her_syllables * (his_time - his_pauses), his_syllables * (her_time - her_pauses)
    for mine, theirs in (whole, spoken):
        if not abs(mine - theirs) / theirs > 0.07:
            raise ValueError("too close to call")
    truth = whole[0] > whole[1], spoken[0] > spoken[1]
    return [_RATES[option] == truth for option in options]


def pairwise_contrast(options: Sequence[str], *, extreme: str) -> list[bool]:
    """Which succession of durations has the highest or lowest normalised pairwise variability index (nPVI)."""
    indices = []
    for option in options:
        times = [Fraction(text) for text in option.split(", ")]
        pairs = list(pairwise(times))
        indices.append(float(100 * sum(abs(a - b) / ((a + b) / 2) for a, b in pairs) / len(pairs)))
    if 0 in indices:
        raise ValueError(f"no contrast at all: {list(options)}")
    ordered = sorted(indices, reverse=extreme == "most")
    if abs(ordered[0] - ordered[1]) < 10:
        raise ValueError(f"too close to call: {list(options)}")
    return leader(options, indices, extreme, 1.0)


def same_interval(options: Sequence[str], *, start_hz: int, end_hz: int) -> list[bool]:
    """Whether a glide has the same frequency ratio as this one."""
    right = []
    for option in options:
        first, last = match(r"From ([\d,]+) to ([\d,]+) Hz", option).groups()
        stated = Fraction(last.replace(",", "")) / Fraction(first.replace(",", ""))
        off = float(stated / Fraction(end_hz, start_hz))
        if stated != Fraction(end_hz, start_hz) and max(off, 1 / off) < 2 ** (0.5 / 12):
            raise ValueError(f"too close to call: {option!r}")
        right.append(stated == Fraction(end_hz, start_hz))
    return right


def harmonic_spacing(options: Sequence[str], *, lower_hz: int, upper_hz: int) -> list[bool]:
    """The fundamental of which these two are neighbouring harmonics."""
    found = [f for f in range(20, upper_hz) if lower_hz % f == 0 and lower_hz // f + 1 == upper_hz / f]
    if len(found) != 1:
        raise ValueError(f"not neighbouring harmonics: {lower_hz} and {upper_hz} Hz")
    return judge(options, found[0], {"Hz": 1.0})


CHECKS: dict[str, Callable[..., list[bool]]] = {
    check.__name__: check
    for check in (
        track_headroom,
        compressor_setting,
        abx_evidence,
        rates_compared,
        pairwise_contrast,
        same_interval,
        harmonic_spacing,
    )
}
