"""Templates on levels and decibels."""

from __future__ import annotations

import math
from collections.abc import Callable

from akb.bank.templates.frame import Draft, Draw, Template
from akb.tasks.items import Source

ROOM = "levels-decibels"
COUNTS = {2: 3, 4: 6, 5: 7, 8: 9, 10: 10, 20: 13, 40: 16, 50: 17, 100: 20}  # sources: gain in dB
FACTORS = {2: 6, 4: 12, 5: 14, 8: 18, 10: 20, 20: 26, 100: 40}  # amplitudes or distances: change in dB
UNITS = (  # quantity, unit, reference, its text, decibels of a decade, name of the level, levels
    ("RMS sound pressure", "Pa", 20e-6, "20 micropascals", 20, "dB SPL", (40, 60, 80, 100, 120)),
    ("RMS voltage", "V", 1.0, "1 V", 20, "dBV", (-60, -40, -20, 20, 40)),
    ("RMS voltage", "V", 0.775, "0.775 V", 20, "dBu", (-60, -40, -20, 20, 40)),
    ("power", "W", 1e-3, "1 mW", 10, "dBm", (10, 20, 30, 40, 50)),
    ("sound power", "W", 1e-12, "1 pW", 10, "dB", (90, 100, 110, 120, 130)),
)


def signed(value: float, digits: int = 0) -> str:
    """A number with a typographic minus sign."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def level_meaning(draw: Draw) -> Draft | None:
    """What a change in decibels means for amplitude and for power."""
    thing, amplitude, power = draw.one((("sound", "pressure", "intensity"), ("signal", "voltage", "power")))
    by_power, bigger = draw.rank % 2, draw.rank // 2
    steps = COUNTS if by_power else FACTORS
    ratio = draw.one(list(steps))
    near = [r for r in (*FACTORS, 16, 25, 50, 64, 200, 400, 1000) if (r > ratio if bigger else r < ratio)]
    near = sorted(near)[:4] if bigger else sorted(near)[-4:]
    if not near:
        return None
    other = draw.one(near)
    rises = draw.one((True, False))
    kinds = (power, amplitude) if by_power else (amplitude, power)
    sizes = [(ratio, kinds[0]), (other, kinds[0]), (ratio, kinds[1]), (other, kinds[1])]
    told = [f"{size:,} times the {kind}" if rises else f"1/{size:,} of the {kind}" for size, kind in sizes]
    change = steps[ratio] if rises else -steps[ratio]
    return Draft(
        question=f"The level of a {thing} {'rises' if rises else 'falls'} by about {steps[ratio]} dB; what does it "
        "then have, compared with before?",
        options=tuple(told),
        check=f"level_meaning(change_db={change})",
        rationale=f"{steps[ratio]} dB is a ratio of {ratio} in {kinds[0]}: {10 if by_power else 20} log10 {ratio}.",
    )


def source_group(draw: Draw) -> Draft | None:
    """Which group of equal sources adds up to a level."""
    total = draw.one(range(60, 100))
    wrong = draw.around(0, (-10, -7, -6, -4, -3, 3, 4, 6, 7, 10))
    if wrong is None:
        return None
    counts = draw.some(COUNTS, 4)
    levels = [total + round(off) - COUNTS[n] for off, n in zip([0, *wrong], counts, strict=True)]
    return Draft(
        question=f"Which group of equal, uncorrelated sources gives {total} dB in total if each alone gives the level "
        "stated at the listener?",
        options=tuple(f"{n} sources of {level} dB" for n, level in zip(counts, levels, strict=True)),
        check=f"group_level(total_db={total})",
        rationale=f"Powers add: {counts[0]} sources are 10 log10 {counts[0]} = {COUNTS[counts[0]]} dB above "
        f"{levels[0]} dB.",
    )


def distance(draw: Draw) -> Draft | None:
    """How far a point source is for its level to have dropped."""
    near, factor, level = draw.one((1, 2, 3, 4, 5)), draw.one((2, 4, 5, 8, 10, 20)), draw.one(range(80, 111))
    wrong = draw.around(factor * near, [f * near for f in (2, 3, 4, 5, 6, 8, 10, 16, 20, 25, 40, 50, 64, 100)])
    far = level - FACTORS[factor]
    if wrong is None:
        return None
    return Draft(
        question=f"A point source in a free field gives {level} dB SPL at {near} m; at what distance does it give "
        f"about {far} dB SPL?",
        options=tuple(f"{metres:.0f} m" for metres in [factor * near, *wrong]),
        check=f"distance_for_level(near_m={near}, near_db={level}, far_db={far})",
        rationale=f"Pressure falls as 1/r, so {level - far} dB less takes {factor} times the distance.",
    )


def quantity(draw: Draw) -> Draft | None:
    """What a level stands for; a decade is 20 dB of pressure or voltage, and 10 dB of power."""
    name, unit, reference, told, decade, suffix, levels = draw.one(UNITS)
    level = draw.one(levels)
    key = reference * 10 ** (level / decade)
    wrong = draw.around(0, (-3, -2, -1, 1, 2, 3))
    if wrong is None or key * 10 ** min(wrong) < 9e-5 or key * 10 ** max(wrong) > 9000:
        return None
    return Draft(
        question=f"Which {name} has a level of {signed(level)} {suffix}, with {told} as the reference?",
        options=tuple(f"{_short(key * 10**step)} {unit}" for step in [0, *wrong]),
        check=f"level_quantity(level_db={level}, reference={reference!r}, unit={unit!r})",
        rationale=f"Every {decade} dB are a factor of ten in {name}; {signed(level)} {suffix} is {_short(key)} {unit}.",
    )


def _short(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.6g}"


def chain(draw: Draw) -> Draft | None:
    """A gain in decibels and one as a factor."""
    level, gain = draw.one((-40, -30, -20, -16, -10, -6, 0)), draw.one((4, 8, 10, 14, 16, 20, 30))
    does, factor, change = draw.one(
        (("halves", 0.5, -6), ("doubles", 2, 6), ("quarters", 0.25, -12), ("quadruples", 4, 12))
    )
    key = level + gain + change
    sizes = (3, 6, 2, 4, 10, 12)
    pool = {level + gain - change, level + gain + change // 2, level - gain + change, level + gain + 2 * change}
    wrong = draw.around(key, pool | {key + size for size in sizes} | {key - size for size in sizes})
    if wrong is None:
        return None
    return Draft(
        question=f"A signal of {signed(level)} dBu is amplified by {gain} dB and then passes a stage that {does} its "
        "voltage; what is its level at the output?",
        options=tuple(f"about {signed(value)} dBu" for value in [key, *wrong]),
        check=f"chain_level(level_dbu={level}, gain_db={gain}, voltage_factor={factor})",
        rationale=f"The stage changes the level by about {signed(change)} dB: {signed(level)} + {gain} "
        f"{'+' if change > 0 else signed(-1)[0]} {abs(change)} = {signed(key)} dBu.",
    )


def stronger(draw: Draw) -> Draft | None:
    """Voltages that are stated as dBV, RMS, peak and peak to peak."""
    level = draw.one(range(-6, 19))
    places = [draw.rank, *(place for place in range(4) if place != draw.rank)]
    offs = [draw.one((1.8, 2.5, 3.0)), *(draw.one((-1.8, -2.5, -3.0, -4.0)) for _ in range(3))]
    told = []
    for place, off in zip(places, offs, strict=True):
        volts = 0.775 * 10 ** ((level + off) / 20)
        dbv = f"{signed(level + off - 2.2, 1)} dBV"
        peaks = f"{volts:.2f} V RMS", f"{volts * math.sqrt(2):.2f} V peak", f"{volts * math.sqrt(8):.2f} V peak to peak"
        told.append((dbv, *peaks)[place])
    return Draft(
        question=f"Which of these sines has a higher level than {signed(level)} dBu, given that 0 dBu is 0.775 V RMS "
        "and 0 dBV is 1 V RMS?",
        options=tuple(told),
        check=f"stronger_sine(reference_dbu={level})",
        rationale=f"{signed(level)} dBu is {signed(level - 2.2, 1)} dBV, {0.775 * 10 ** (level / 20):.2f} V RMS, 1.41 "
        f"times that at the peak and 2.83 times from peak to peak; {told[0]} is more.",
    )


def _made(pattern: str, count: int, make: Callable[[Draw], Draft | None], ref: str) -> Template:
    return Template(f"{ROOM}/{pattern}", "technical", count, make, (Source(kind="formula", ref=ref),))


TEMPLATES: tuple[Template, ...] = (
    _made("decibel-meaning", 4, level_meaning, "L = 20 log10 of amplitudes = 10 log10 of powers"),
    _made("source-group", 4, source_group, "L = L1 + 10 log10 n"),
    _made("distance-for-level", 3, distance, "L2 = L1 - 20 log10(r2 / r1)"),
    _made("quantity-of-level", 3, quantity, "L = 20 log10(p / p0) = 10 log10(P / P0)"),
    _made("gain-chain", 3, chain, "gains in decibels add"),
    _made("stronger-sine", 3, stronger, "a sine's peak is 1.41 times its RMS value; 0 dBV = 2.2 dBu"),
)
