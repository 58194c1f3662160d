"""Proofs for the computed music questions.

Each check derives the truth from letters and semitones, the circle of fifths, note values or frequency
ratios, and tells for every option text whether it is right. None of them is told which option the question
calls its key.

Notes are a letter, accidentals (``#`` or ``♯``, ``b`` or ``♭``) and, where the octave matters, a number:
C4 is middle C.
An option that cannot be read raises ``ValueError``: a proof that cannot read an option has not refuted it.

>>> interval_between(["Minor sixth", "Major sixth", "Augmented fifth"], lower="E4", upper="C5")
[True, False, False]
"""

import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

LETTERS = "CDEFGAB"
MAJOR_STEPS = (2, 2, 1, 2, 2, 2, 1)
MAJOR_SEMITONES = (0, 2, 4, 5, 7, 9, 11)
PERFECT_DEGREES = frozenset({0, 3, 4})
NUMBERS = ("unison", "second", "third", "fourth", "fifth", "sixth", "seventh", "octave")
FIFTHS = "FCGDAEB"
# Where each mode starts within the major scale, counted in scale steps from its tonic.
MODES = {"ionian": 0, "dorian": 1, "phrygian": 2, "lydian": 3, "mixolydian": 4, "aeolian": 5, "locrian": 6}
# Third and fifth above the root, in semitones.
TRIADS = {"major": (4, 7), "minor": (3, 7), "diminished": (3, 6), "augmented": (4, 8)}
NOTE_VALUES = {
    "whole": Fraction(1),
    "half": Fraction(1, 2),
    "quarter": Fraction(1, 4),
    "eighth": Fraction(1, 8),
    "sixteenth": Fraction(1, 16),
    "thirty-second": Fraction(1, 32),
}
# The note a clef names, and the staff line (1 at the bottom) that it names it on.
CLEFS = {"treble": ("G4", 2), "alto": ("C4", 3), "tenor": ("C4", 4), "bass": ("F3", 4)}
COUNTS = {word: n for n, word in enumerate(("no", "one", "two", "three", "four", "five", "six", "seven"))}
NOTE_PATTERN = re.compile(r"([A-G])(#*|b*)(-?\d+)?")


class Note(NamedTuple):
    """A spelled note: letter step 0..6 from C, accidentals in semitones, octave (None where left open)."""

    step: int
    accidental: int
    octave: int | None

    @property
    def pitch_class(self) -> int:
        return (MAJOR_SEMITONES[self.step] + self.accidental) % 12

    @property
    def staff_position(self) -> int:
        """Letter names above C0."""
        return 7 * _octave(self) + self.step

    @property
    def midi(self) -> int:
        """MIDI number, with C4 = 60."""
        return 12 * (_octave(self) + 1) + MAJOR_SEMITONES[self.step] + self.accidental


def _known(table: dict[str, int], word: str) -> int:
    if word not in table:
        raise ValueError(f"{word!r} is none of {', '.join(table)}")
    return table[word]


def _octave(note: Note) -> int:
    if note.octave is None:
        raise ValueError(f"an octave is needed: {note}")
    return note.octave


def _note(text: str) -> Note:
    match = NOTE_PATTERN.fullmatch(text.strip().removesuffix(" natural").replace("♯", "#").replace("♭", "b"))
    if match is None:
        raise ValueError(f"not a note: {text!r}")
    letter, accidentals, octave = match.groups()
    return Note(
        LETTERS.index(letter),
        accidentals.count("#") - accidentals.count("b"),
        None if octave is None else int(octave),
    )


def _quality(number: int, semitones: int) -> str:
    """Quality of an interval of ``number`` letter steps (0 for a unison) that spans ``semitones``."""
    degree = number % 7
    excess = semitones - MAJOR_SEMITONES[degree] - 12 * (number // 7)
    names = (
        {-1: "diminished", 0: "perfect", 1: "augmented"}
        if degree in PERFECT_DEGREES
        else {-2: "diminished", -1: "minor", 0: "major", 1: "augmented"}
    )
    if excess not in names:
        raise ValueError(f"no simple name for {number} letter steps and {semitones} semitones")
    return names[excess]


def _interval_semitones(name: str) -> tuple[int, int]:
    """Letter steps and semitones of an interval up to an octave, such as 'minor sixth'."""
    quality, _, number_name = name.lower().partition(" ")
    number = NUMBERS.index(number_name)
    usual = MAJOR_SEMITONES[number % 7] + 12 * (number // 7)
    for semitones in range(usual - 2, usual + 2):
        try:
            found = _quality(number, semitones)
        except ValueError:
            continue
        if found == quality:
            return number, semitones
    raise ValueError(f"not an interval: {name!r}")


def _signature(tonic: str, mode: str) -> int:
    """Sharps (positive) or flats (negative) of a key, by its place on the circle of fifths."""
    note = _note(tonic)
    place = FIFTHS.index(LETTERS[note.step]) - 1 + 7 * note.accidental
    return place - {"major": 0, "minor": 3}[mode]


def _major_scale(tonic: str) -> list[Note]:
    """The seven spelled degrees of a major scale: the circle of fifths says which letters are altered."""
    count = _signature(tonic, "major")
    first = _note(tonic).step
    scale = []
    for offset in range(7):
        step = (first + offset) % 7
        order = FIFTHS.index(LETTERS[step])
        sharps = (count - order + 6) // 7
        scale.append(Note(step, sharps, None))
    return scale


def _triad_name(root: Note, third: Note, fifth: Note) -> str:
    if (third.step - root.step) % 7 != 2 or (fifth.step - root.step) % 7 != 4:
        raise ValueError("the notes are not spelled as stacked thirds from the root")
    sizes = ((third.pitch_class - root.pitch_class) % 12, (fifth.pitch_class - root.pitch_class) % 12)
    for name, shape in TRIADS.items():
        if shape == sizes:
            return name
    raise ValueError(f"no triad has a third and a fifth of {sizes} semitones")


def transposed_pitch(options: Sequence[str], *, written: str, written_c4_sounds: str) -> list[bool]:
    """Which options are the pitch heard from an instrument that sounds ``written_c4_sounds`` for a C4."""
    heard = _note(written).midi + _note(written_c4_sounds).midi - _note("C4").midi
    return [_note(option).midi == heard for option in options]


def note_count(options: Sequence[str], *, unit: str, container: str) -> list[bool]:
    """Which options are the number of ``unit`` notes in one ``container`` note (it may be 'dotted ...')."""
    length = NOTE_VALUES[container.removeprefix("dotted ")]
    if container.startswith("dotted "):
        length *= Fraction(3, 2)
    return [Fraction(option) == length / NOTE_VALUES[unit] for option in options]


def section_seconds(options: Sequence[str], *, bars: int, beats_per_bar: int, beats_per_minute: int) -> list[bool]:
    """Which options ('12 seconds') are the duration of that many bars at a steady tempo."""
    seconds = Fraction(60 * bars * beats_per_bar, beats_per_minute)
    return [Fraction(option.removesuffix(" seconds")) == seconds for option in options]


def compound_metre(options: Sequence[str], *, beats: int) -> list[bool]:
    """Which time signatures are compound (each beat in three) with this number of beats to the bar."""
    verdicts = []
    for option in options:
        match = re.fullmatch(r"(\d+)/(\d+)", option)
        if match is None:
            raise ValueError(f"not a time signature: {option!r}")
        top = int(match[1])
        verdicts.append(top > 3 and top % 3 == 0 and top // 3 == beats)
    return verdicts


def interval_between(options: Sequence[str], *, lower: str, upper: str) -> list[bool]:
    """Which options name the interval between two spelled notes at most an octave apart."""
    low, high = _note(lower), _note(upper)
    truth = (high.staff_position - low.staff_position, high.midi - low.midi)
    return [_interval_semitones(option) == truth for option in options]


def note_above(options: Sequence[str], *, start: str, interval: str) -> list[bool]:
    """Which options are, in spelling and octave, the note that lies an interval above ``start``."""
    low = _note(start)
    number, semitones = _interval_semitones(interval)
    truth = (low.staff_position + number, low.midi + semitones)
    return [(_note(option).staff_position, _note(option).midi) == truth for option in options]


def mode_altering_major(options: Sequence[str], *, degree: int, shift: int) -> list[bool]:
    """Which modes are the major scale on the same tonic with just one degree moved by ``shift`` semitones."""

    def changes(mode: str) -> dict[int, int]:
        start = _known(MODES, mode.lower())
        height, found = 0, {}
        for place in range(7):
            if height != MAJOR_SEMITONES[place]:
                found[place + 1] = height - MAJOR_SEMITONES[place]
            height += MAJOR_STEPS[(start + place) % 7]
        return found

    return [changes(option) == {degree: shift} for option in options]


def midi_pitch(options: Sequence[str], *, number: int) -> list[bool]:
    """Which options are the pitch of a MIDI note number, with C4 = 60."""
    return [_note(option).midi == number for option in options]


def triad_quality(options: Sequence[str], *, notes: str) -> list[bool]:
    """Which options name the quality of a root-position triad, given as three notes with spaces between."""
    root, third, fifth = (_note(text) for text in notes.split())
    truth = _triad_name(root, third, fifth)
    if unknown := [option for option in options if option.lower() not in TRIADS]:
        raise ValueError(f"not a triad: {unknown}")
    return [option.lower() == truth for option in options]


def dominant_seventh(options: Sequence[str], *, tonic: str) -> list[bool]:
    """Which options spell, from the root up, the seventh chord on the fifth degree of a major key."""
    scale = _major_scale(tonic)
    truth = [scale[degree % 7] for degree in (4, 6, 8, 10)]
    return [[_note(text) for text in option.split(",")] == truth for option in options]


def diatonic_triad(options: Sequence[str], *, tonic: str, degree: int) -> list[bool]:
    """Which options ('C♯ minor') name the triad on a degree (1 to 7) of a major key."""
    scale = _major_scale(tonic)
    root, third, fifth = (scale[(degree - 1 + skip) % 7] for skip in (0, 2, 4))
    truth = (root, _triad_name(root, third, fifth))
    verdicts = []
    for option in options:
        name, _, quality = option.partition(" ")
        if quality not in TRIADS:
            raise ValueError(f"not a triad: {option!r}")
        verdicts.append((_note(name), quality) == truth)
    return verdicts


def key_signature(options: Sequence[str], *, tonic: str, mode: str) -> list[bool]:
    """Which options ('Five sharps') are the signature of a major or minor key."""
    truth = _signature(tonic, mode)
    verdicts = []
    for option in options:
        count, _, kind = option.lower().partition(" ")
        sign = _known({"sharp": 1, "flat": -1}, kind.removesuffix("s"))
        verdicts.append(sign * _known(COUNTS, count) == truth)
    return verdicts


def relative_minor(options: Sequence[str], *, tonic: str) -> list[bool]:
    """Which minor keys ('C minor') have the signature of the given major key."""
    truth = _signature(tonic, "major")
    verdicts = []
    for option in options:
        name, _, mode = option.partition(" ")
        if mode != "minor":
            raise ValueError(f"not a minor key: {option!r}")
        verdicts.append(_signature(name, mode) == truth)
    return verdicts


def enharmonic_to(options: Sequence[str], *, note: str) -> list[bool]:
    """Which options are the same piano key as ``note``, octaves left aside."""
    return [_note(option).pitch_class == _note(note).pitch_class for option in options]


def staff_line(options: Sequence[str], *, clef: str, line: int) -> list[bool]:
    """Which natural notes stand on a line (1 at the bottom, 5 at the top) of a staff with this clef."""
    name, named_line = CLEFS[clef]
    position = _note(name).staff_position + 2 * (line - named_line)
    notes = [_note(option) for option in options]
    return [note.accidental == 0 and note.staff_position == position for note in notes]


def beat_rate(options: Sequence[str], *, first_hz: float, second_hz: float) -> list[bool]:
    """Which options are the number of beats per second between two nearly equal tones."""
    return [math.isclose(float(option), abs(second_hz - first_hz)) for option in options]


def harmonic_interval(options: Sequence[str], *, number: int) -> list[bool]:
    """Which options ('Two octaves and a major third') come closest to a harmonic above its fundamental.

    The truth is 12 log2(number) rounded to a semitone, so the options have to be tempered intervals.
    """
    truth = round(12 * math.log2(number))
    verdicts = []
    for option in options:
        octaves, _, rest = option.lower().partition(" and a ")
        count = _known(COUNTS, octaves.partition(" ")[0])
        verdicts.append(12 * count + _interval_semitones(rest)[1] == truth)
    return verdicts


def tempered_error(options: Sequence[str], *, numerator: int, denominator: int, semitones: int) -> list[bool]:
    """Which options ('About 2 cents narrower') say how a tempered interval departs from a pure ratio."""
    cents = 100 * semitones - 1200 * math.log2(numerator / denominator)
    pattern = re.compile(r"About (\d+) cents (narrower|wider)")
    verdicts = []
    for option in options:
        match = pattern.fullmatch(option)
        if match is None:
            raise ValueError(f"not a deviation in cents: {option!r}")
        stated = int(match[1]) * (1 if match[2] == "wider" else -1)
        verdicts.append(stated == round(cents))
    return verdicts


CHECKS: dict[str, Callable[..., list[bool]]] = {
    check.__name__: check
    for check in (
        transposed_pitch,
        note_count,
        section_seconds,
        compound_metre,
        interval_between,
        note_above,
        mode_altering_major,
        midi_pitch,
        triad_quality,
        dominant_seventh,
        diatonic_triad,
        key_signature,
        relative_minor,
        enharmonic_to,
        staff_line,
        beat_rate,
        harmonic_interval,
        tempered_error,
    )
}
