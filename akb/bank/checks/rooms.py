"""Proofs for questions on rooms, on noise and on recordings played at a wrong speed.

>>> decay_time(["1.0 s", "2.0 s"], reverberation_s=3.0, level_db=80, noise_db=60)
[True, False]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from akb.bank.checks.signals import match
from akb.bank.checks.technical import judge, read

_TIMES = {
    "as long as before": Fraction(1),
    "half as long": Fraction(1, 2),
    "a third as long": Fraction(1, 3),
    "two thirds as long": Fraction(2, 3),
    "a quarter as long": Fraction(1, 4),
    "three quarters as long": Fraction(3, 4),
    "a sixth as long": Fraction(1, 6),
    "an eighth as long": Fraction(1, 8),
    "a ninth as long": Fraction(1, 9),
    "one and a half times as long": Fraction(3, 2),
    "twice as long": Fraction(2),
    "three times as long": Fraction(3),
    "four times as long": Fraction(4),
    "six times as long": Fraction(6),
    "eight times as long": Fraction(8),
    "nine times as long": Fraction(9),
}
_SLICES = 4000


def leader(options: Sequence[str], values: Sequence[float], extreme: str, margin: float) -> list[bool]:
    """Which option has the most, or the least, of a positive quantity; ValueError unless it leads by this factor."""
    if extreme not in ("most", "least"):
        raise ValueError(f"neither most nor least: {extreme!r}")
    ordered = sorted(values, reverse=extreme == "most")
    if max(ordered[0] / ordered[1], ordered[1] / ordered[0]) < margin:
        raise ValueError(f"too close to call: {list(options)}")
    return [value == ordered[0] for value in values]


def _sabine(volume_m3: float, absorption_m2: float) -> float:
    return 0.161 * volume_m3 / absorption_m2


def reverberation_change(
    options: Sequence[str], *, volume: float = 1, absorption: float = 1, dimensions: float = 1
) -> list[bool]:
    """How Sabine's time changes with these factors, tried on a hall of 30 m by 20 m by 10 m with 500 square metres."""
    before = _sabine(30 * 20 * 10, 500)
    long, wide, high = 30 * dimensions, 20 * dimensions, 10 * dimensions
    surface = (long * wide + wide * high + high * long) / (30 * 20 + 20 * 10 + 10 * 30)
    after = _sabine(long * wide * high * volume, 500 * surface * absorption)
    ratios = [_TIMES.get(match(r"It is (.+)", option)[1]) for option in options]
    if None in ratios:
        raise ValueError(f"cannot be read: {list(options)}")
    return [ratio is not None and abs(float(ratio) - after / before) < 1e-6 for ratio in ratios]


def decay_time(options: Sequence[str], *, reverberation_s: float, level_db: float, noise_db: float) -> list[bool]:
    """When a sound that loses 60 dB in the reverberation time has sunk to the noise."""
    loss_per_second = 60 / reverberation_s
    return judge(options, (level_db - noise_db) / loss_per_second, {"s": 1.0})


def direct_to_reverberant(options: Sequence[str], *, critical_m: float, listener_m: float) -> list[bool]:
    """Level of the direct sound over a reverberant field that is even, and equal to it at the critical distance."""
    right = []
    for option in options:
        decibels, side = match(r"It is (\d+) dB (weaker|stronger)", option).groups()
        stated = float(decibels) * (1 if side == "stronger" else -1)
        off = 10 ** (stated / 10) * (listener_m / critical_m) ** 2  # ratio of powers
        if 1.15 < max(off, 1 / off) < 1.4:
            raise ValueError(f"too close to call: {option!r}")
        right.append(max(off, 1 / off) <= 1.15)
    return right


def noise_band(options: Sequence[str], *, colour: str, extreme: str) -> list[bool]:
    """Which band of a noise has the most or least power: its power density is summed over narrow slices."""
    exponent = {"white": 0, "pink": -1}[colour]
    powers = []
    for option in options:
        low, high = (float(edge.replace(",", "")) for edge in match(r"From ([\d,]+) to ([\d,]+) Hz", option).groups())
        step = (high - low) / _SLICES
        powers.append(sum((low + (i + 0.5) * step) ** exponent * step for i in range(_SLICES)))
    return leader(options, powers, extreme, 1.2)


def speed_change(options: Sequence[str], *, recorded: float, played: float) -> list[bool]:
    """By how many semitones a recording is off that is played at another speed, within a quarter of a semitone."""
    right = []
    for option in options:
        semitones, side = match(r"About ([\d.]+) semitones? (higher|lower)", option).groups()
        stated = 2 ** (float(semitones) * (1 if side == "higher" else -1) / 12)
        off = max(stated * recorded / played, played / recorded / stated)
        if 2 ** (0.25 / 12) < off < 2 ** (0.6 / 12):
            raise ValueError(f"too close to call: {option!r}")
        right.append(off <= 2 ** (0.25 / 12))
    return right


def storm_distance(options: Sequence[str], *, gap_s: float, later_gap_s: float) -> list[bool]:
    """How much nearer or farther a storm is, from the delays of its thunder at 343 m/s, within a quarter kilometre."""
    right = []
    for option in options:
        kilometres, side = match(r"About (\d+) km (nearer|farther away)", option).groups()
        stated = 1000 * float(kilometres) * (1 if side == "nearer" else -1)
        off = abs(343 * gap_s - 343 * later_gap_s - stated)
        if 250 < off < 600:
            raise ValueError(f"too close to call: {option!r}")
        right.append(off <= 250)
    return right


def group_at_distance(options: Sequence[str], *, extreme: str) -> list[bool]:
    """Which group of equal, uncorrelated sources is loudest or softest: each source adds its power over a sphere."""
    intensities = []
    for option in options:
        count, distance = match(r"(\d+) \D+ at (\d+ m)", option).groups()
        radius = read(distance, {"m": 1.0})[0]
        intensities.append(sum(1 / (4 * 3.14159 * radius**2) for _ in range(int(count))))
    return leader(options, intensities, extreme, 1.35)


# Slowest and fastest speed of sound at about 20 degrees, in m/s; sea or fresh water, steel as a rod or in bulk.
_SPEEDS = {
    "carbon dioxide": (262, 272),
    "air": (340, 346),
    "helium": (995, 1020),
    "water": (1480, 1525),
    "steel": (5000, 6000),
}


def path_time(options: Sequence[str], *, extreme: str) -> list[bool]:
    """Which path takes sound the most or the least time; ValueError if it hangs on the kind of water or steel."""
    if extreme not in ("most", "least"):
        raise ValueError(f"neither most nor least: {extreme!r}")
    early, late = [], []
    for option in options:
        metres, medium = match(r"([\d,]+) m of (.+)", option).groups()
        slow, fast = _SPEEDS[medium]
        early.append(float(metres.replace(",", "")) / fast)
        late.append(float(metres.replace(",", "")) / slow)
    spans = list(zip(early, late, strict=True))
    if extreme == "least":
        first = late.index(min(late))
        clear = all(soon > 1.2 * late[first] for i, (soon, _) in enumerate(spans) if i != first)
    else:
        first = early.index(max(early))
        clear = all(1.2 * tardy < early[first] for i, (_, tardy) in enumerate(spans) if i != first)
    if not clear:
        raise ValueError(f"too close to call: {list(options)}")
    return [i == first for i in range(len(options))]


CHECKS: dict[str, Callable[..., list[bool]]] = {
    check.__name__: check
    for check in (
        reverberation_change,
        decay_time,
        direct_to_reverberant,
        noise_band,
        speed_change,
        storm_distance,
        group_at_distance,
        path_time,
    )
}
