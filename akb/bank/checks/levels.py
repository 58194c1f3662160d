"""Proofs for questions on levels, microphones and hearing.

>>> group_level(["10 sources of 60 dB", "2 sources of 60 dB"], total_db=70)
[True, False]
"""

import math
from collections.abc import Callable, Sequence

from akb.bank.checks.signals import match, one_of
from akb.bank.checks.technical import judge, read

_DECIBELS = {"pressure": 20, "voltage": 20, "intensity": 10, "power": 10}


def level_meaning(options: Sequence[str], *, change_db: float) -> list[bool]:
    """Whether a ratio of pressures, voltages, intensities or powers is this change of level, within 0.2 dB."""
    right = []
    for option in options:
        times, part, quantity = match(
            r"(?:([\d,]+) times|1/([\d,]+) of) the (pressure|voltage|intensity|power)", option
        ).groups()
        ratio = float(times.replace(",", "")) if times else 1 / float(part.replace(",", ""))
        right.append(abs(_DECIBELS[quantity] * math.log10(ratio) - change_db) < 0.2)
    return right


def group_level(options: Sequence[str], *, total_db: float) -> list[bool]:
    """Whether the powers of equal, uncorrelated sources add up to this level, within 0.3 dB."""
    right = []
    for option in options:
        count, level = map(int, match(r"(\d+) sources of (\d+) dB", option).groups())
        total = sum(10 ** (level / 10) for _ in range(count))
        off = abs(total / 10 ** (total_db / 10))
        if 10**0.03 < max(off, 1 / off) < 10**0.15:
            raise ValueError(f"too close to call: {option!r}")
        right.append(max(off, 1 / off) <= 10**0.03)
    return right


def distance_for_level(options: Sequence[str], *, near_m: float, near_db: float, far_db: float) -> list[bool]:
    """Where a point source in a free field has this level: its intensity falls with the area of the sphere."""
    right = []
    for option in options:
        area_ratio = (read(option, {"m": 1.0})[0] / near_m) ** 2
        right.append(abs(near_db - 10 * math.log10(area_ratio) - far_db) < 0.2)
    return right


def level_quantity(options: Sequence[str], *, level_db: float, reference: float, unit: str) -> list[bool]:
    """Whether a voltage or pressure (field quantities) or a power has this level over its reference."""
    factor = {"V": 20, "Pa": 20, "W": 10}[unit]
    return [abs(factor * math.log10(read(option, {unit: 1.0})[0] / reference) - level_db) < 0.1 for option in options]


def chain_level(options: Sequence[str], *, level_dbu: float, gain_db: float, voltage_factor: float) -> list[bool]:
    """The level after an amplifier and a stage that multiplies the voltage, worked out in volts."""
    volts = 0.775 * 10 ** (level_dbu / 20) * 10 ** (gain_db / 20) * voltage_factor
    return judge(options, 20 * math.log10(volts / 0.775), {"dBu": 1.0})


def stronger_sine(options: Sequence[str], *, reference_dbu: float) -> list[bool]:
    """Whether a sine has a higher RMS voltage than this level; ValueError if they are within 1 dB."""
    reference = math.sqrt(0.6) * 10 ** (reference_dbu / 20)  # 0 dBu: a milliwatt in 600 ohms
    right = []
    for option in options:
        text, unit = match(r"([-+\u2212]?[\d.]+) (dBV|V RMS|V peak|V peak to peak)", option).groups()
        value = float(text.replace("\u2212", "-"))
        crest = {"V RMS": 1.0, "V peak": math.sqrt(2), "V peak to peak": 2 * math.sqrt(2)}
        volts = 10 ** (value / 20) if unit == "dBV" else value / crest[unit]
        if abs(math.log10(volts / reference)) < 0.05:
            raise ValueError(f"too close to call: {option!r}")
        right.append(volts > reference)
    return right


def microphone_pattern(options: Sequence[str], *, angle_deg: float, loss_db: float) -> list[bool]:
    """Which ideal first-order microphone loses this much off axis, within 0.6 dB; omnidirectional share by name."""
    shares = {"Cardioid": 0.5, "Supercardioid": 0.366, "Hypercardioid": 0.25, "Figure of eight": 0.0}
    right = []
    for option in options:
        share = shares[one_of(tuple(shares), option)]
        gain = abs(share + (1 - share) * math.cos(math.radians(angle_deg)))
        right.append(abs(-20 * math.log10(gain + 1e-9) - loss_db) < 0.6)
    return right


def a_weighted(options: Sequence[str], *, reading_db: float) -> list[bool]:
    """Whether a tone reads this level, within 1 dB, on an A-weighted meter after IEC 61672-1's formula."""
    right = []
    for option in options:
        hz, level = (float(text.replace(",", "")) for text in match(r"([\d,]+) Hz at (\d+) dB", option).groups())
        off = abs(level + _a_weight(hz) - reading_db)
        if 1 <= off < 2.5:
            raise ValueError(f"too close to call: {option!r}")
        right.append(off < 1)
    return right


def _a_weight(hz: float) -> float:
    f2 = hz * hz
    top = 12194.217**2 * f2 * f2
    bottom = (f2 + 20.598997**2) * math.sqrt((f2 + 107.65265**2) * (f2 + 737.86223**2)) * (f2 + 12194.217**2)
    return 20 * math.log10(top / bottom) + 2.00


def aligning_delay(options: Sequence[str], *, left_m: float, right_m: float, speed_m_s: float) -> list[bool]:
    """Whether delaying one loudspeaker makes the sounds of both arrive together."""
    right = []
    for option in options:
        side, delay = match(r"Delay the (left|right) one by (\d+) ms", option).groups()
        arrival = {"left": left_m / speed_m_s, "right": right_m / speed_m_s}
        arrival[side] += float(delay) / 1e3
        right.append(abs(arrival["left"] - arrival["right"]) < 1e-4)
    return right


def first_arrival(
    options: Sequence[str], *, left: tuple[float, float], right: tuple[float, float], speed_m_s: float
) -> list[bool]:
    """Which loudspeaker is heard first, and by how much; each given as start (ms) and distance (m)."""
    times = [start + metres / speed_m_s * 1e3 for start, metres in (left, right)]
    lead = times[1] - times[0]
    if not 1 < abs(lead) < 25:
        raise ValueError(f"no clear precedence at {lead} ms")
    told = []
    for option in options:
        side, by = match(r"In the (left|right) one, which leads by (\d+) ms", option).groups()
        told.append(abs((float(by) if side == "left" else -float(by)) - lead) < 0.1)
    return told


CHECKS: dict[str, Callable[..., list[bool]]] = {
    check.__name__: check
    for check in (
        level_meaning,
        group_level,
        distance_for_level,
        level_quantity,
        chain_level,
        stronger_sine,
        microphone_pattern,
        a_weighted,
        aligning_delay,
        first_arrival,
    )
}
