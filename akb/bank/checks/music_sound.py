"""Proofs for the templates on note values, strings, pipes, beats and transposing instruments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from akb.bank.checks.music import NOTE_VALUES, _note

DOTS = {"": Fraction(1), "dotted": Fraction(3, 2), "double-dotted": Fraction(7, 4)}
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4}
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth"),
)
TOUCH_MODES = 12  # modes of a string that are looked at


def _length(text: str) -> Fraction:
    """Length of a note such as 'Dotted quarter note', in whole notes."""
    words = text.lower().strip().removesuffix("s").removesuffix(" note")
    dots, _, value = words.rpartition(" ")
    if dots not in DOTS or value not in NOTE_VALUES:
        raise ValueError(f"not a note value: {text!r}")
    return NOTE_VALUES[value] * DOTS[dots]


def _hz(text: str) -> int:
    value, _, unit = text.partition(" ")
    if unit != "Hz":
        raise ValueError(f"not a frequency: {text!r}")
    return int(value.replace(",", ""))


def one_beat(options: Sequence[str], *, metre: str, beats: int) -> list[bool]:
    """Which notes last one of the equal beats of a bar."""
    return [_length(option) * beats == Fraction(metre) for option in options]


def fills_bar(options: Sequence[str], *, metre: str) -> list[bool]:
    """Which options ('One half note and two eighth notes') are as long as a bar."""

    def total(text: str) -> Fraction:
        parts = [part.partition(" ") for part in text.lower().split(" and ")]
        return sum((COUNTS[count] * _length(note) for count, _, note in parts), Fraction(0))

    return [total(option) == Fraction(metre) for option in options]


def attacks_in_cycle(options: Sequence[str], *, first: int, second: int) -> list[bool]:
    """Which options count the different moments at which one of two even series begins a note."""
    moments = {Fraction(n, first) for n in range(first)} | {Fraction(n, second) for n in range(second)}
    return [int(option) == len(moments) for option in options]


def same_speed(options: Sequence[str], *, unit: str, rate: int, other: str) -> list[bool]:
    """Which options are how many `other` notes last as long as `rate` notes of `unit`."""
    return [int(option) * _length(other) == rate * _length(unit) for option in options]


def note_in_beat(options: Sequence[str], *, metre: str, beats: int, unit: str, beat: int, last: bool) -> list[bool]:
    """Which options ('The ninth') say which note of a bar of equal notes is the first or the last within a beat."""
    length = Fraction(metre) / beats
    starts = [n * _length(unit) for n in range(int(Fraction(metre) / _length(unit)))]
    within = [n + 1 for n, start in enumerate(starts) if length * (beat - 1) <= start < length * beat]
    truth = within[-1] if last else within[0]
    return [ORDINALS.index(option.lower().removeprefix("the ")) + 1 == truth for option in options]


def tied_notes(options: Sequence[str], *, notes: str) -> list[bool]:
    """Which single notes are as long as these together."""
    total = sum((_length(note) for note in notes.split(",")), Fraction(0))
    return [_length(option) == total for option in options]


def part_key(options: Sequence[str], *, concert: str, sounds: str) -> list[bool]:
    """Which written keys sound in the concert key on an instrument whose written C sounds as `sounds`."""
    shift = _note(sounds)
    tonic, _, mode = concert.partition(" ")
    heard = _note(tonic)
    verdicts = []
    for option in options:
        name, _, kind = option.partition(" ")
        written = _note(name)
        if kind not in ("major", "minor"):
            raise ValueError(f"not a key: {option!r}")
        step = (written.step + shift.step) % 7
        pitch_class = (written.pitch_class + shift.pitch_class) % 12
        verdicts.append((step, pitch_class, kind) == (heard.step, heard.pitch_class, mode))
    return verdicts


def _nearest(string: str, ratio: Fraction) -> int:
    """MIDI number nearest to so many times the frequency of a pitch."""
    return round(_note(string).midi + 12 * math.log2(ratio))


def stopped_string(options: Sequence[str], *, string: str, part: str) -> list[bool]:
    """Which pitches come nearest to a string of which only a part vibrates."""
    return [_note(option).midi == _nearest(string, 1 / Fraction(part)) for option in options]


def touched_harmonic(options: Sequence[str], *, string: str, part: str) -> list[bool]:
    """Which pitches come nearest to the lowest mode of a string that has a node where it is touched."""
    modes = [n for n in range(1, TOUCH_MODES) if abs(math.sin(n * math.pi * Fraction(part))) < 1e-9]
    return [_note(option).midi == _nearest(string, Fraction(modes[0])) for option in options]


def pipe_resonance(options: Sequence[str], *, lowest_hz: int, closed: bool) -> list[bool]:
    """Which frequencies are resonances of an ideal pipe above its lowest one.

    The pipe is so long that its lowest mode fits: a quarter of a wave if it is closed, half a wave if it is open.
    A mode fits if the pressure at the open far end is zero.
    """
    quarters = 1 if closed else 2
    verdicts = []
    for option in options:
        phase = quarters * math.pi / 2 * _hz(option) / lowest_hz
        pressure = math.cos(phase) if closed else math.sin(phase)
        verdicts.append(_hz(option) != lowest_hz and abs(pressure) < 1e-9)
    return verdicts


def string_by_beats(options: Sequence[str], *, fork_hz: int, beats: int, tightened: bool, slower: bool) -> list[bool]:
    """Which frequencies of a string fit the beats with a fork and how they change with its tension."""
    verdicts = []
    for option in options:
        string = _hz(option)
        changed = string + (0.1 if tightened else -0.1)
        becomes_slower = abs(changed - fork_hz) < abs(string - fork_hz)
        verdicts.append(abs(string - fork_hz) == beats and becomes_slower == slower)
    return verdicts


CHECKS: dict[str, Callable[..., list[bool]]] = {
    check.__name__: check
    for check in (
        one_beat,
        fills_bar,
        attacks_in_cycle,
        same_speed,
        note_in_beat,
        tied_notes,
        part_key,
        stopped_string,
        touched_harmonic,
        pipe_resonance,
        string_by_beats,
    )
}
