"""Proofs for the templates on scales, chords, keys and notation: from letters and semitones, as in `music`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from akb.bank.checks.music import (
    CLEFS,
    FIFTHS,
    LETTERS,
    MAJOR_SEMITONES,
    MAJOR_STEPS,
    MODES,
    TRIADS,
    Note,
    _interval_semitones,
    _known,
    _major_scale,
    _note,
    _signature,
    _triad_name,
)

# Steps of scales that are not modes of the major scale.
OTHER_SCALES = {"harmonic minor": (2, 1, 2, 2, 1, 3, 1), "ascending melodic minor": (2, 1, 2, 2, 2, 2, 1)}
# Semitones of third, fifth and seventh above the root.
SEVENTHS = {
    "major seventh": (4, 7, 11),
    "dominant seventh": (4, 7, 10),
    "minor seventh": (3, 7, 10),
    "half-diminished seventh": (3, 6, 10),
    "diminished seventh": (3, 6, 9),
}
POSITIONS = ("root position", "first inversion", "second inversion", "third inversion")
DEGREES = {"tonic": 1, "supertonic": 2, "mediant": 3, "subdominant": 4, "dominant": 5, "submediant": 6}
CADENCES = {"authentic": ((5, 1),), "plagal": ((4, 1),), "half": ((1, 5), (2, 5), (4, 5)), "deceptive": ((5, 6),)}
SIGNS = {"a double flat": -2, "a flat": -1, "a natural": 0, "a sharp": 1, "a double sharp": 2}


def _bare(text: str) -> Note:
    note = _note(text)
    if note.octave is not None:
        raise ValueError(f"no octave is wanted: {text!r}")
    return note


def _scale(tonic: str, steps: Sequence[int]) -> list[Note]:
    """The seven notes of a scale, one of each letter."""
    first = _bare(tonic)
    notes, semitones = [], 0
    for place in range(7):
        octaves, step = divmod(first.step + place, 7)
        natural = MAJOR_SEMITONES[step] + 12 * octaves
        height = MAJOR_SEMITONES[first.step] + first.accidental + semitones
        notes.append(Note(step, height - natural, None))
        semitones += steps[place]
    return notes


def _steps(scale: str) -> Sequence[int]:
    """Semitone steps of a scale."""
    if scale in OTHER_SCALES:
        return OTHER_SCALES[scale]
    mode = {"major": "ionian", "natural minor": "aeolian"}.get(scale, scale)
    start = _known(MODES, mode)
    return MAJOR_STEPS[start:] + MAJOR_STEPS[:start]


def _key(text: str, mode: str = "major") -> str:
    """The tonic of a key that has to have this mode."""
    tonic, _, found = text.partition(" ")
    if found != mode:
        raise ValueError(f"not a {mode} key: {text!r}")
    return tonic


def _chord(text: str) -> tuple[Note, str]:
    """Root and kind of a triad such as 'C# minor'."""
    root, _, kind = text.partition(" ")
    if kind not in TRIADS:
        raise ValueError(f"not a triad: {text!r}")
    return _bare(root), kind


def _diatonic(tonic: str) -> list[tuple[Note, str]]:
    """The seven triads of a major key."""
    scale = _major_scale(tonic)
    return [(scale[i], _triad_name(scale[i], scale[(i + 2) % 7], scale[(i + 4) % 7])) for i in range(7)]


def _above(low: Note, high: Note) -> tuple[int, int]:
    """Letter steps and semitones from one note up to the next of that name."""
    return (high.step - low.step) % 7, (high.pitch_class - low.pitch_class) % 12


def mode_of_scale(options: Sequence[str], *, tonic: str, signature: int) -> list[bool]:
    """Which modes run from this tonic over the notes of a signature (flats are negative)."""
    sharp = set(FIFTHS[: max(signature, 0)])
    flat = set(FIFTHS[::-1][: max(-signature, 0)])
    written = {letter: (letter in sharp) - (letter in flat) for letter in LETTERS}
    first = _bare(tonic)
    if written[LETTERS[first.step]] != first.accidental:
        raise ValueError(f"{tonic} is not in the signature")
    return [
        all(note.accidental == written[LETTERS[note.step]] for note in _scale(tonic, _steps(option.lower())))
        for option in options
    ]


def inverted_interval(options: Sequence[str], *, interval: str) -> list[bool]:
    """Which options are what an interval becomes when its lower note moves up an octave."""
    number, semitones = _interval_semitones(interval)
    return [_interval_semitones(option) == (7 - number, 12 - semitones) for option in options]


def stacked_intervals(options: Sequence[str], *, first: str, second: str) -> list[bool]:
    """Which options are the sum of two intervals."""
    (a, x), (b, y) = _interval_semitones(first), _interval_semitones(second)
    return [_interval_semitones(option) == (a + b, x + y) for option in options]


def scale_degree(options: Sequence[str], *, tonic: str, degree: int) -> list[bool]:
    """Which notes are that degree (1 to 7) of a major key."""
    truth = _scale(tonic, MAJOR_STEPS)[degree - 1]
    return [_bare(option) == truth for option in options]


def transposed_motif(options: Sequence[str], *, motif: str, start: str) -> list[bool]:
    """Which lists of notes begin on `start` and have the intervals of the motif."""

    def shape(text: str) -> list[tuple[int, int]]:
        notes = [_bare(note) for note in text.split(",")]
        return [_above(notes[0], note) for note in notes]

    firsts = [_bare(option.split(",")[0]) for option in options]
    return [
        first == _bare(start) and shape(option) == shape(motif) for first, option in zip(firsts, options, strict=True)
    ]


def changed_note(options: Sequence[str], *, tonic: str, base: str, becomes: str) -> list[bool]:
    """Which notes of one scale are not in the other on the same tonic; it has to be one alone."""
    old, new = _scale(tonic, _steps(base)), _scale(tonic, _steps(becomes.lower()))
    changed = [note for note in old if note not in new]
    notes = [_bare(option) for option in options]
    if len(changed) != 1 or any(note not in old for note in notes):
        raise ValueError("one note of the scale has to change")
    return [note == changed[0] for note in notes]


def _in_thirds(notes: Sequence[Note], root: Note) -> bool:
    """Whether the notes are root, third, fifth and seventh by their letters."""
    return {(note.step - root.step) % 7 for note in notes} == {0, 2, 4, 6}


def seventh_root(options: Sequence[str], *, notes: str) -> list[bool]:
    """Which notes are the one from which the four stack up in thirds."""
    chord = [_bare(text) for text in notes.split()]
    return [(root := _bare(option)) in chord and _in_thirds(chord, root) for option in options]


def seventh_kind(options: Sequence[str], *, notes: str) -> list[bool]:
    """Which kinds of seventh chord the notes make; the first is the root."""
    root, *rest = (_bare(text) for text in notes.split())
    truth = tuple(_above(root, note)[1] for note in rest)
    if [_above(root, note)[0] for note in rest] != [2, 4, 6]:
        raise ValueError("the notes are not spelled as stacked thirds from the root")
    if unknown := [option for option in options if option.lower() not in SEVENTHS]:
        raise ValueError(f"not a seventh chord: {unknown}")
    return [SEVENTHS[option.lower()] == truth for option in options]


def seventh_inversion(options: Sequence[str], *, root: str, kind: str, bass: str) -> list[bool]:
    """Which positions a seventh chord has with this note in the bass."""
    steps, semitones = _above(_bare(root), _bare(bass))
    member = (0, *SEVENTHS[kind]).index(semitones)
    if steps != 2 * member:
        raise ValueError(f"{bass} is not in the chord")
    return [POSITIONS.index(option.lower()) == member for option in options]


def shared_key(options: Sequence[str], *, first: str, second: str) -> list[bool]:
    """Which major keys have both triads."""
    return [{_chord(first), _chord(second)} <= set(_diatonic(_key(option))) for option in options]


def pivot_key(options: Sequence[str], *, tonic: str, before: str, after: str) -> list[bool]:
    """Which other major keys have on one degree the triad that `tonic` major has on another."""
    chord = _diatonic(tonic)[DEGREES[before] - 1]
    keys = [_key(option) for option in options]
    return [key != tonic and _diatonic(key)[DEGREES[after] - 1] == chord for key in keys]


def common_tones(options: Sequence[str], *, chord: str, count: int) -> list[bool]:
    """Which triads have so many sounding notes in common with a triad."""

    def sounds(text: str) -> set[int]:
        root, kind = _chord(text)
        return {(root.pitch_class + up) % 12 for up in (0, *TRIADS[kind])}

    return [len(sounds(option) & sounds(chord)) == count for option in options]


def cadence(options: Sequence[str], *, tonic: str, first: str, last: str) -> list[bool]:
    """Which cadences the two chords make in a major key."""
    chords = _diatonic(tonic)
    degrees = (chords.index(_chord(first)) + 1, chords.index(_chord(last)) + 1)
    if unknown := [option for option in options if option.lower() not in CADENCES]:
        raise ValueError(f"not a cadence: {unknown}")
    return [degrees in CADENCES[option.lower()] for option in options]


def secondary_dominant(options: Sequence[str], *, tonic: str, degree: str) -> list[bool]:
    """Which seventh chords ('A7') stand a perfect fifth above a degree of a major key."""
    target = _scale(tonic, MAJOR_STEPS)[DEGREES[degree] - 1]
    if bad := [option for option in options if not option.endswith("7")]:
        raise ValueError(f"not a seventh chord: {bad}")
    return [_above(target, _bare(option.removesuffix("7"))) == (4, 7) for option in options]


def last_accidental(options: Sequence[str], *, tonic: str, mode: str) -> list[bool]:
    """Which notes are the last one altered in a key, in the order of sharps or of flats."""
    scale = _scale(tonic, _steps("natural minor" if mode == "minor" else mode))
    order = FIFTHS if _signature(tonic, mode) > 0 else FIFTHS[::-1]
    truth = max((note for note in scale if note.accidental), key=lambda note: order.index(LETTERS[note.step]))
    return [_bare(option) == truth for option in options]


def staff_place(options: Sequence[str], *, clef: str, place: int) -> list[bool]:
    """Which natural notes stand on a place of a staff: 0 is the bottom line, 1 the space above it."""
    name, line = CLEFS[clef]
    position = _note(name).staff_position + place - 2 * (line - 1)
    notes = [_note(option) for option in options]
    return [note.accidental == 0 and note.staff_position == position for note in notes]


def wrong_clef(options: Sequence[str], *, note: str, written: str, read: str) -> list[bool]:
    """Which notes are played when a note written in one clef is read in another."""
    name, line = CLEFS[written]
    place = _note(note).staff_position - _note(name).staff_position + 2 * (line - 1)
    return staff_place(options, clef=read, place=place)


def accidental_needed(options: Sequence[str], *, tonic: str, mode: str, letter: str, shift: int) -> list[bool]:
    """Which signs make a letter so many semitones higher than the key has it."""
    scale = _scale(tonic, _steps("natural minor" if mode == "minor" else mode))
    present = next(note.accidental for note in scale if LETTERS[note.step] == letter)
    return [_known(SIGNS, option.lower()) == present + shift for option in options]


def bars_played(options: Sequence[str], *, bars: int, back_to: int, fine: int) -> list[bool]:
    """Which options count the bars of a piece that goes back to a bar once and stops after the bar with Fine."""
    played = bar = 0
    returned = False
    while not (returned and bar == fine):
        bar += 1
        played += 1
        if bar == bars:
            if returned:
                raise ValueError("Fine is never reached")
            bar, returned = back_to - 1, True
    return [int(option) == played for option in options]


CHECKS: dict[str, Callable[..., list[bool]]] = {
    check.__name__: check
    for check in (
        mode_of_scale,
        inverted_interval,
        stacked_intervals,
        scale_degree,
        transposed_motif,
        changed_note,
        seventh_root,
        seventh_kind,
        seventh_inversion,
        shared_key,
        pivot_key,
        common_tones,
        cadence,
        secondary_dominant,
        last_accidental,
        staff_place,
        wrong_clef,
        accidental_needed,
        bars_played,
    )
}
