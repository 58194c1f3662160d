"""How well the acoustic captioner measures: its errors on signals of known properties, over signal-to-noise ratios.

    python benchmarks/acoustic.py [--count 40] [--only pitch] [--seed 0] [--json]

Every signal is made here from drawn properties, white noise is added, and the measure is compared with what was drawn.
The signals share no code with the estimators. "Untold": the estimator says that it cannot tell. "Gross": an answer
outside the limit in the column beside it. Median and 95th percentile are over all answers, gross ones included.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import acoustic_edges as edges
import acoustic_signals as made
import numpy as np
from acoustic_signals import NEVER

from akb.cascades.acoustic import Measures, measure

RATES = (16_000, 22_050, 44_100)


@dataclass(frozen=True)
class Case:
    """A property: how its signals are drawn and how it is measured.

    Attributes:
        unit: of the error; "right" where the property is a kind, and the error is 0 or 1.
        limit: an error above it is gross.
    """

    name: str
    unit: str
    limit: float
    draw: Callable[[made.Random, int], made.Drawn]
    read: Callable[[Measures], float | str | None]
    error: Callable[[float, float], float] = lambda found, truth: abs(found - truth)
    snrs: tuple[float, ...] = (NEVER, 20.0, 10.0)


def cents(found: float, truth: float) -> float:
    return float(abs(1200 * np.log2(found / truth)))


def percent(found: float, truth: float) -> float:
    return 100 * abs(found / truth - 1)


def formant_told(which: int) -> Callable[[Measures], float | None]:
    def read(m: Measures) -> float | None:
        if m.speech is None or not m.speech.vowels:
            return None
        longest = max(m.speech.vowels, key=lambda v: v.end - v.start)
        return longest.f1 if which == 0 else longest.f2

    return read


def event_told(name: str) -> Callable[[Measures], float | None]:
    def read(m: Measures) -> float | None:
        if m.events is None or not m.events.events:
            return None
        loudest = max(m.events.events, key=lambda event: event.peak)
        value = loudest.start if name == "onset" else getattr(m.events, name)
        return None if value is None else float(value)

    return read


def told(part: str, name: str) -> Callable[[Measures], Any]:
    def read(m: Measures) -> Any:
        whole = getattr(m, part)
        return None if whole is None else getattr(whole, name)

    return read


LIMITS_ONLY = (NEVER, 20.0)
CASES = (
    Case(
        "pitch of a harmonic tone", "cents", 50, made.draw_steady, told("pitch", "hz"), cents, (NEVER, 20.0, 10.0, 0.0)
    ),
    Case("pitch of a sine", "cents", 50, made.draw_pure, told("pitch", "hz"), cents, (NEVER, 20.0, 10.0, 0.0)),
    Case("course of the pitch", "right", 0, made.draw_course, told("pitch", "course")),
    Case("rate of a vibrato", "Hz", 0.5, made.draw_vibrato, lambda m: m.pitch.rate or None if m.pitch else None),
    Case("notes of a melody (all of them)", "right", 0, made.draw_melody, made.melody_told),
    Case("simultaneous pitches (all of them)", "right", 0, made.draw_chord, made.chord_told),
    Case(
        "harmonic or not",
        "right",
        0,
        made.draw_inharmonic,
        lambda m: (
            None
            if not m.partials
            else "inharmonic"
            if m.partials.inharmonic
            else "harmonic"
            if m.partials.pitches
            else None
        ),
    ),
    Case("odd harmonics only", "right", 0, made.draw_odd, made.odd_told),
    Case("harmonics-to-noise ratio", "dB", 3, made.draw_harmonicity, told("partials", "harmonicity"), snrs=(NEVER,)),
    Case("number of events", "events", 0, made.draw_count, lambda m: float(len(m.events.events)) if m.events else None),
    Case("time of an onset", "s", 0.05, made.draw_onset, event_told("onset")),
    Case("attack time", "s", 0.05, made.draw_attack, event_told("attack"), snrs=(NEVER, 30.0)),
    Case("decay time of noise", "%", 20, made.draw_decay, event_told("decay"), percent, (NEVER, 40.0, 20.0)),
    Case("decay time in a room", "%", 20, made.draw_reverberation, event_told("decay"), percent, (NEVER, 40.0, 20.0)),
    Case("tempo", "%", 4, made.draw_tempo, told("rhythm", "tempo"), percent),
    Case("regularity", "right", 0, made.draw_rhythm, made.rhythm_told),
    Case(
        "metre (1: no accent)",
        "beats",
        0,
        made.draw_metre,
        lambda m: None if not m.rhythm or not m.rhythm.tempo else float(m.rhythm.metre or 1),
    ),
    Case("loudness of a sine", "dB", 1, made.draw_loudness, told("level", "loudness"), snrs=LIMITS_ONLY),
    Case("course of the level", "right", 0, made.draw_level_course, made.course_told),
    Case("rate of a pulsation", "%", 5, made.draw_pulse, told("level", "pulse_hz"), percent),
    Case(
        "no pulsation in noise",
        "right",
        0,
        made.draw_no_pulse,
        lambda m: "pulse" if m.level.pulse_hz else "none",
        snrs=(NEVER,),
    ),
    Case("slope of noise", "dB/octave", 1, made.draw_slope, told("spectrum", "slope"), snrs=(NEVER,)),
    Case("upper limit of noise", "%", 10, made.draw_cut, told("spectrum", "cut_high"), percent, snrs=(NEVER, 20.0)),
    Case(
        "centroid of noise in a band",
        "%",
        10,
        made.draw_centroid,
        told("spectrum", "centroid"),
        percent,
        snrs=(NEVER, 20.0),
    ),
    Case("noise or tone", "right", 0, made.draw_noisy, made.noisy_told),
    Case("first formant", "%", 15, made.draw_vowel(0), formant_told(0), percent),
    Case("second formant", "%", 15, made.draw_vowel(1), formant_told(1), percent),
    Case("speech-like or not", "right", 0, made.draw_speech, made.speech_told),
    Case(
        "number of syllables", "bursts", 2, made.draw_syllables, lambda m: float(m.speech.bursts) if m.speech else None
    ),
    Case("order of two parts", "right", 0, made.draw_parts, lambda m: " ".join(p.kind for p in m.parts)),
    Case(
        "clipping",
        "right",
        0,
        made.draw_clipping,
        lambda m: "clipped" if m.faults.flat > 1e-3 else "whole",
        snrs=(NEVER,),
    ),
    Case("hum (0: none)", "right", 0, made.draw_hum, lambda m: str(m.faults.hum or 0)),
    Case("dropouts", "dropouts", 0, made.draw_dropouts, lambda m: float(m.faults.dropouts), snrs=(NEVER,)),
    # new ones come last: a case's number is in its seed
    Case("pitch of a low tone (40 to 100 Hz)", "cents", 50, edges.draw_low, told("pitch", "hz"), cents),
    Case(
        "pitch of a tone without its lowest partials", "cents", 50, edges.draw_high_partials, told("pitch", "hz"), cents
    ),
    Case("harmonic or not, low or without lowest partials", "right", 0, edges.draw_series, edges.harmony_told),
    Case("course of the level, 6 to 40 dB in 2 to 10 s", "right", 0, edges.draw_wide_course, made.course_told),
    Case("size of a crescendo, 6 to 40 dB", "dB", 3, edges.draw_crescendo, lambda m: m.level.change, snrs=(NEVER,)),
    Case("silence in a crescendo", "s", 0.2, edges.draw_unbroken, edges.silence_told, snrs=(NEVER,)),
    Case("noise or low tone", "right", 0, edges.draw_noisy_low, made.noisy_told),
    Case(
        "clipping, from 40 Hz on, soft, 8 and 16 bits",
        "right",
        0,
        edges.draw_clipping_anywhere,
        lambda m: "clipped" if m.faults.flat > 1e-3 else "whole",
        snrs=(NEVER,),
    ),
    Case("no fault in a faultless clip", "right", 0, edges.draw_faultless, edges.faults_told, snrs=(NEVER,)),
)


# -- the table -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Errors of one property at one signal-to-noise ratio (dB; 99: no noise). Shares are from 0 to 1.

    Attributes:
        median, worst: of the error, worst the 95th percentile; for a kind, None.
        gross: share of the answers that are beyond the limit (for a kind: wrong).
    """

    name: str
    snr: float
    count: int
    unit: str
    median: float | None
    worst: float | None
    untold: float
    gross: float
    limit: float


def row(case: Case, snr: float, count: int, seed: int) -> Row:
    """Draw signals and measure them; the same seed gives the same signals at every ratio."""
    errors = []
    for number in range(count):
        random = np.random.default_rng([seed, number, CASES.index(case)])
        drawn = case.draw(random, RATES[number % len(RATES)])
        found = case.read(measure(made.with_noise(drawn.wave, snr, random), drawn.rate))
        if found is None:
            continue
        if isinstance(found, str) or isinstance(drawn.truth, str):
            errors.append(float(found != drawn.truth))
        else:
            errors.append(case.error(found, drawn.truth))
    told, kind = np.array(errors), case.unit == "right"
    middle, worst = (None, None) if kind or not errors else (float(np.median(told)), float(np.percentile(told, 95)))
    gross = float((told > case.limit).mean()) if errors else 0.0
    return Row(case.name, snr, count, case.unit, middle, worst, 1 - len(errors) / count, gross, case.limit)


def rows(count: int, seed: int, only: str) -> Iterator[Row]:
    for case in CASES:
        if only in case.name:
            for snr in case.snrs:
                yield row(case, snr, count, seed)


def line(found: Row) -> str:
    snr = "none" if found.snr >= NEVER else f"{found.snr:.0f} dB"
    errors = "| |" if found.median is None else f"{found.median:.2g} {found.unit} | {found.worst:.2g} |"
    limit = "wrong" if found.unit == "right" else f"> {found.limit:g}"
    return (f"| {found.name} | {snr} | {found.count} | {errors.lstrip('| ') or '| |'} {100 * found.untold:.0f} % "
            f"| {100 * found.gross:.0f} % | {limit} |")  # fmt: skip


def speed() -> float:
    """Times real time on this core, for 30 s of speech-like sound at 44.1 kHz."""
    random = np.random.default_rng(0)
    wave = np.resize(made.babble(random, 44_100, 40), 30 * 44_100)
    measure(wave[:44_100], 44_100)
    began = time.process_time()
    measure(wave, 44_100)
    return 30 / (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40, help="signals for each property and ratio")
    parser.add_argument("--only", default="", help="properties whose name holds this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.json:
        print("| property | noise | n | median error | 95th percentile | untold | gross | gross is |")
        print("|---|--:|--:|--:|--:|--:|--:|---|")
    for found in rows(args.count, args.seed, args.only):
        print(json.dumps(asdict(found)) if args.json else line(found), flush=True)
    if not args.only:
        times = speed()
        print(
            json.dumps({"times_real_time": times})
            if args.json
            else f"\nSpeed: {times:.0f} times real time on one core."
        )


if __name__ == "__main__":
    main()
