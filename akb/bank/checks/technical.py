"""Proofs for the numeric questions of the categories technical and audio-quality.

Each check derives the true value from its formula and then says, for each option text, whether that text
states the value. It never sees which option is marked as the key, so a wrong key cannot prove itself right.

An option is right when the true value, rounded to the digits that the option prints, is the printed number:
"about 0.8 s" states 0.805 s, and "0.800 s" would not. A unit of another kind, or a text without a number, is
an error in the question and raises ``ValueError``; it does not merely count as wrong.

>>> alias_frequency(["14.1 kHz", "7.95 kHz", "22.05 kHz", "15 kHz"], rate_hz=44100, tone_hz=30000)
[True, False, False, False]
"""

import math
import re
from collections.abc import Callable, Sequence

_QUANTITY = re.compile(r"(?:about )?([-+\u2212]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))? ?(\D.*|)")

# Factor to the base unit of each kind of quantity. The keys are the spellings that options may use.
_FREQUENCY = {"Hz": 1.0, "kHz": 1e3}
_BIT_RATE = {"bit/s": 1.0, "kbit/s": 1e3, "Mbit/s": 1e6}
_BYTES = {"byte": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_TIME = {"s": 1.0, "ms": 1e-3}
_LEVEL = {"dB": 1.0}
_FULL_SCALE = {"dBFS": 1.0}
_PERCENT = {"%": 0.01}
_PLAIN = {"": 1.0}


def read(option: str, units: dict[str, float]) -> tuple[float, float]:
    """The value of an option in base units, and half a step of the last digit that it prints.

    Raises ValueError if the text is no number followed by one of ``units``.
    """
    match = _QUANTITY.fullmatch(option.strip())
    if match is None or match[4] not in units:
        raise ValueError(f"no quantity in {sorted(units)}: {option!r}")
    sign, whole, fraction, unit = match[1], match[2].replace(",", ""), match[3] or "", match[4]
    number = float(f"{whole}.{fraction or '0'}") * (-1.0 if sign in ("-", "\u2212") else 1.0)
    return number * units[unit], 0.5 * 10.0 ** -len(fraction) * units[unit]


def states(option: str, truth: float, units: dict[str, float]) -> bool:
    """Tell whether one option states ``truth`` (in base units) to the precision that it prints."""
    value, half_step = read(option, units)
    # The small surplus lets a value that lies on the rounding boundary pass in either direction.
    return abs(value - truth) <= half_step * (1 + 1e-9)


def judge(options: Sequence[str], truth: float, units: dict[str, float]) -> list[bool]:
    """Judge all options of a question against its single true value."""
    return [states(option, truth, units) for option in options]


def alias_frequency(options: Sequence[str], *, rate_hz: float, tone_hz: float) -> list[bool]:
    """Where a sine lands when sampled without a filter: its distance to the nearest multiple of the rate."""
    return judge(options, abs(tone_hz - rate_hz * round(tone_hz / rate_hz)), _FREQUENCY)


def pcm_bit_rate(options: Sequence[str], *, rate_hz: float, bits: int, channels: int) -> list[bool]:
    """Bits per second of plain PCM, kilo meaning a thousand."""
    return judge(options, rate_hz * bits * channels, _BIT_RATE)


def pcm_size(options: Sequence[str], *, rate_hz: float, bits: int, channels: int, seconds: float) -> list[bool]:
    """Bytes of sample data, without any header, mega meaning a million."""
    return judge(options, rate_hz * bits / 8 * channels * seconds, _BYTES)


def compression_ratio(
    options: Sequence[str], *, rate_hz: float, bits: int, channels: int, coded_kbit_s: float
) -> list[bool]:
    """PCM bit rate over coded bit rate, stated as "n to 1"."""
    return judge(options, rate_hz * bits * channels / (coded_kbit_s * 1e3), {"to 1": 1.0})


def incoherent_sum(options: Sequence[str], *, level_db: float, sources: int) -> list[bool]:
    """Level of several equal, uncorrelated sources: their powers add."""
    return judge(options, level_db + 10 * math.log10(sources), _LEVEL)


def point_source_level(options: Sequence[str], *, level_db: float, near_m: float, far_m: float) -> list[bool]:
    """Level further out in a free field, where the pressure of a point source falls as 1/r."""
    return judge(options, level_db - 20 * math.log10(far_m / near_m), _LEVEL)


def linear_phase_delay(options: Sequence[str], *, taps: int) -> list[bool]:
    """Group delay of a symmetric FIR filter: half its order, whatever the frequency."""
    return judge(options, (taps - 1) / 2, {"samples": 1.0})


def quality_factor(options: Sequence[str], *, centre_hz: float, bandwidth_hz: float) -> list[bool]:
    """Q of a resonance: centre frequency over the bandwidth between its -3 dB points."""
    return judge(options, centre_hz / bandwidth_hz, _PLAIN)


def bin_spacing(options: Sequence[str], *, rate_hz: float, length: int) -> list[bool]:
    """Distance between neighbouring DFT bins: the sampling rate over the transform length."""
    return judge(options, rate_hz / length, _FREQUENCY)


def spectral_centroid(
    options: Sequence[str], *, frequencies_hz: Sequence[float], magnitudes: Sequence[float]
) -> list[bool]:
    """Mean frequency weighted by magnitude (not by power)."""
    weighted = sum(f * m for f, m in zip(frequencies_hz, magnitudes, strict=True))
    return judge(options, weighted / sum(magnitudes), _FREQUENCY)


def first_order_pattern(options: Sequence[str], *, omni_share: float, angle_deg: float) -> list[bool]:
    """Decibels lost off axis by a microphone that mixes a pressure and a gradient part, unity on axis."""
    gain = omni_share + (1 - omni_share) * math.cos(math.radians(angle_deg))
    return judge(options, -20 * math.log10(abs(gain)), _LEVEL)


def erb_width(options: Sequence[str], *, centre_hz: float) -> list[bool]:
    """Equivalent rectangular bandwidth of the auditory filter after Glasberg and Moore (1990)."""
    return judge(options, 24.7 * (4.37 * centre_hz / 1000 + 1), _FREQUENCY)


def sones_from_phons(options: Sequence[str], *, phons: float) -> list[bool]:
    """Loudness by Stevens's rule: one sone at 40 phons, doubled by every 10 more (from 40 phons up)."""
    return judge(options, 2 ** ((phons - 40) / 10), {"sones": 1.0})


def word_error_rate(
    options: Sequence[str], *, words: int, substitutions: int, deletions: int, insertions: int
) -> list[bool]:
    """Errors of all three kinds over the number of reference words."""
    return judge(options, (substitutions + deletions + insertions) / words, _PERCENT)


def frame_count(options: Sequence[str], *, samples: int, window: int, hop: int) -> list[bool]:
    """Number of whole windows that fit without padding."""
    return judge(options, 1 + (samples - window) // hop, {"frames": 1.0})


def signal_to_noise(options: Sequence[str], *, signal_rms: float, noise_rms: float) -> list[bool]:
    """Signal-to-noise ratio of two RMS amplitudes (voltages, pressures), hence 20 log10."""
    return judge(options, 20 * math.log10(signal_rms / noise_rms), _LEVEL)


def third_order_product(options: Sequence[str], *, low_hz: float, high_hz: float) -> list[bool]:
    """Whether an option is one of the four third-order intermodulation products of two tones."""
    products = (2 * low_hz - high_hz, 2 * high_hz - low_hz, 2 * low_hz + high_hz, 2 * high_hz + low_hz)
    return [any(states(option, abs(product), _FREQUENCY) for product in products) for option in options]


def sabine_time(options: Sequence[str], *, volume_m3: float, absorption_m2: float) -> list[bool]:
    """Reverberation time after Sabine in metric units, with the constant 0.161 s/m."""
    return judge(options, 0.161 * volume_m3 / absorption_m2, _TIME)


def axial_mode(options: Sequence[str], *, length_m: float, speed_m_s: float) -> list[bool]:
    """Lowest resonance between two rigid walls: half a wavelength fits between them."""
    return judge(options, speed_m_s / (2 * length_m), _FREQUENCY)


def crest_factor(options: Sequence[str], *, peak: float, rms: float) -> list[bool]:
    """Peak over RMS amplitude in decibels."""
    return judge(options, 20 * math.log10(peak / rms), _LEVEL)


def compressor_output(options: Sequence[str], *, input_db: float, threshold_db: float, ratio: float) -> list[bool]:
    """Static curve of a hard-knee compressor without make-up gain; below the threshold nothing changes."""
    excess = max(0.0, input_db - threshold_db)
    return judge(options, input_db - excess + excess / ratio, _FULL_SCALE)


def guessing_tail(options: Sequence[str], *, trials: int, correct: int) -> list[bool]:
    """Chance of at least ``correct`` hits in fair two-way trials by guessing alone."""
    ways = sum(math.comb(trials, hits) for hits in range(correct, trials + 1))
    return judge(options, ways / 2**trials, _PERCENT)


CHECKS: dict[str, Callable[..., list[bool]]] = {
    check.__name__: check
    for check in (
        alias_frequency,
        pcm_bit_rate,
        pcm_size,
        compression_ratio,
        incoherent_sum,
        point_source_level,
        linear_phase_delay,
        quality_factor,
        bin_spacing,
        spectral_centroid,
        first_order_pattern,
        erb_width,
        sones_from_phons,
        word_error_rate,
        frame_count,
        signal_to_noise,
        third_order_product,
        sabine_time,
        axial_mode,
        crest_factor,
        compressor_output,
        guessing_tail,
    )
}
