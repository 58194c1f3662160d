"""Questions on pitches, intervals, scales and modes."""

from __future__ import annotations

from akb.bank.templates.frame import Draft, Draw, Template
from akb.bank.templates.music_notes import (
    INTERVALS,
    SINGLE,
    STEPS,
    THEORY,
    article,
    ascii_name,
    midi_of,
    name,
    option,
    pitch,
    place_of,
    signature,
    spread,
    tone,
)
from akb.tasks.items import Source

# Sets of intervals from which the name has to be told, narrow to wide.
NAMED = (
    ("minor second", "major second", "minor third", "major third"),
    ("minor second", "major second", "minor seventh", "major seventh"),
    ("minor third", "major third", "minor sixth", "major sixth"),
    ("minor sixth", "major sixth", "minor seventh", "major seventh"),
    ("minor third", "major third", "perfect fourth", "augmented fourth"),
    ("major third", "perfect fourth", "augmented fourth", "perfect fifth"),
    ("perfect fourth", "diminished fifth", "perfect fifth", "minor sixth"),
    ("diminished fifth", "perfect fifth", "minor sixth", "major sixth"),
)
COMMON = (
    *("minor second", "major second", "minor third", "major third", "perfect fourth", "augmented fourth"),
    *("perfect fifth", "minor sixth", "major sixth", "minor seventh", "major seventh"),
)
BY_SIZE = {size: word for word, size in INTERVALS.items()}
# Modes from bright to dark: the tonic's steps on the line of fifths from the signature.
MODES = {"Lydian": -1, "Ionian": 0, "Mixolydian": 1, "Dorian": 2, "Aeolian": 3, "Phrygian": 4, "Locrian": 5}
# Degrees of the major scale on the line of fifths, with their letter steps.
DEGREES = {"supertonic": 2, "mediant": 4, "subdominant": -1, "dominant": 1, "submediant": 3, "leading tone": 5}
MAJOR = (0, 2, 4, -1, 1, 3, 5)
MINOR = (0, 2, -3, -1, 1, -4, -2)
# A scale, another on the same tonic, and the one degree that tells them apart.
CHANGES = (
    *(("major", "Lydian mode", 4), ("major", "Mixolydian mode", 7), ("major", "ascending melodic minor scale", 3)),
    *(("natural minor", "Phrygian mode", 2), ("natural minor", "Dorian mode", 6)),
    ("natural minor", "harmonic minor scale", 7),
)
MIDI = (Source(kind="standard", ref="MIDI note numbers; middle C = 60, here named C4"),)


def interval_name(draw: Draw) -> Draft | None:
    place, octave, names = draw.random.randint(-4, 8), draw.one((3, 4)), draw.one(NAMED)
    key = names[draw.rank]
    fifths, semitones = INTERVALS[key]
    if place + fifths not in SINGLE or (place, octave, key) == (4, 4, "minor sixth"):
        return None  # the one in the bank
    low = pitch(place, midi_of(place, octave))
    high = pitch(place + fifths, midi_of(place, octave) + semitones)
    return Draft(
        f"Which interval lies between {low} and the {high} above it?",
        tuple(word.capitalize() for word in (key, *(word for word in names if word != key))),
        f"interval_between(lower={ascii_name(low)!r}, upper={ascii_name(high)!r})",
        f"From {low} to {high} are {semitones} semitones, and the letters make it {article(key)}.",
    )


def note_above(draw: Draw) -> Draft | None:
    place, octave, interval = draw.random.randint(-4, 8), draw.one((3, 4)), draw.one(COMMON)
    fifths, semitones = INTERVALS[interval]
    key, midi = place + fifths, midi_of(place, octave) + semitones
    steps = ((7, 1), (-7, -1), (-5, 1), (5, -1), (2, 2), (-2, -2), (-3, 3), (3, -3), (4, 4), (-4, -4))
    found = {midi + up: key + along for along, up in draw.some(steps, 10) if key + along in range(-7, 12)}
    values = spread(draw, midi, [midi - 1, midi + 1, midi - 2, midi + 2], found)
    if interval == "augmented fourth" and place == -1:
        return None  # the one in the bank
    if values is None or key not in range(-7, 12) or not set(values[1:]) <= set(found):
        return None
    start = pitch(place, midi_of(place, octave))
    options = tuple(pitch(key if value == midi else found[value], value) for value in values)
    return Draft(
        f"Which note is {article(interval)} above {start}?",
        options,
        f"note_above(start={ascii_name(start)!r}, interval={interval!r})",
        f"{semitones} semitones above {start}, with the letters of {article(interval)}, lies {options[0]}.",
    )


def mode_in_signature(draw: Draw) -> Draft | None:
    sharps, mode = draw.random.randint(-5, 5), draw.one(list(MODES))
    tonic = name(sharps + MODES[mode])
    order = list(MODES)
    place = order.index(mode)
    values = spread(draw, place, [place - 1, place + 1, place - 2, place + 2], range(7))
    if values is None or not set(values) <= set(range(7)):
        return None
    return Draft(
        f"Which mode is heard when a scale runs from {tonic} up to {tonic} with a key signature of "
        f"{signature(sharps)}?",
        tuple(order[value] for value in values),
        f"mode_of_scale(tonic={ascii_name(tonic)!r}, signature={sharps})",
        f"The signature is that of {name(sharps)} major, whose notes from {tonic} on make the {mode} mode.",
    )


def midi_note(draw: Draw) -> Draft | None:
    white = [7 * octave + step for octave in range(2, 7) for step in range(7) if (octave, step) != (3, 4)]
    key = draw.one(white)
    values = spread(draw, key, [key - 7, key + 7, key - 1, key + 1], [key - 2, key + 2, key - 3, key + 3])
    if values is None:
        return None
    options = tuple(f"{STEPS[value % 7]}{value // 7}" for value in values)
    midi = midi_of(place_of(options[0][0]), key // 7)
    return Draft(
        f"With middle C (C4) as MIDI note 60, which pitch is MIDI note {midi}?",
        options,
        f"midi_pitch(number={midi})",
        f"{midi} lies {abs(midi - 60)} semitones {'above' if midi > 60 else 'below'} middle C, at {options[0]}.",
    )


def neighbours(size: tuple[int, int]) -> list[int]:
    """Indices into the interval table of those that do not span as many semitones and are at most four off."""
    sizes = list(INTERVALS.values())
    return [i for i, (_, semitones) in enumerate(sizes) if 0 < abs(semitones - size[1]) <= 4]


def choose_interval(draw: Draw, key: tuple[int, int], likely: list[str]) -> tuple[str, ...] | None:
    """The key's name and three others, none of which sounds like another."""
    names = list(INTERVALS)
    place = names.index(BY_SIZE[key])
    usual = [i for i in neighbours(key) if names[i] in COMMON]
    close = [names.index(word) for word in likely if abs(INTERVALS[word][1] - key[1]) > 0]
    values = spread(draw, place, close, usual if len(usual) > 2 else neighbours(key))
    if values is None or len({INTERVALS[names[i]][1] for i in values}) < 4:
        return None
    return tuple(names[i].capitalize() for i in values)


def inverted(draw: Draw) -> Draft | None:
    place, interval = draw.random.randint(-4, 6), draw.one(COMMON)
    fifths, semitones = INTERVALS[interval]
    key = (-fifths, 12 - semitones)
    quality, _, size = BY_SIZE[key].partition(" ")
    likely = [word for word in COMMON if word.endswith(f" {size}") or word.startswith(f"{quality} ")]
    options = choose_interval(draw, key, [word for word in likely if abs(INTERVALS[word][1] - key[1]) <= 4])
    if options is None or place + fifths not in range(-6, 11):
        return None
    low, high = name(place), name(place + fifths)
    return Draft(
        f"If {low} up to {high} is {article(interval)}, which interval is it from that {high} up to the next {low}?",
        options,
        f"inverted_interval(interval={interval!r})",
        f"The two make an octave: their numbers add up to nine and their semitones to 12, {semitones} + {key[1]}.",
        slot=f"{interval} {low}",
    )


def stacked(draw: Draw) -> Draft | None:
    first, second = sorted(draw.some((*COMMON, *COMMON), 2), key=lambda word: INTERVALS[word][1], reverse=True)
    (a, x), (b, y) = INTERVALS[first], INTERVALS[second]
    key = (a + b, x + y)
    if key not in BY_SIZE or BY_SIZE[key] not in (*COMMON, "perfect octave", "diminished fifth"):
        return None
    options = choose_interval(draw, key, [])
    if options is None:
        return None
    pair = f"{article(first)} and {article(second)}" if first != second else f"two {first}s"
    return Draft(
        f"Which interval do {pair} add up to when one is stacked on top of the other?",
        options,
        f"stacked_intervals(first={first!r}, second={second!r})",
        f"{x} and {y} semitones make {x + y}, and the letters make it {article(BY_SIZE[key])}.",
    )


def scale_degree(draw: Draw) -> Draft | None:
    tonic, degree = draw.random.randint(-6, 6), draw.one(list(DEGREES))
    order = list(DEGREES)
    number = order.index(degree) + 1
    other = MAJOR[(number + draw.one((-1, 1))) % 7]
    key = tonic + DEGREES[degree]
    along = draw.one((7, -7))
    places = [key, key + along, tonic + other, tonic + other + draw.one((7, -7))]
    heights = [(tone(place) - tone(tonic)) % 12 for place in places]
    near = all(abs(height - heights[0]) <= 4 for height in heights)
    if len(set(heights)) < 4 or not near or sorted(heights).index(heights[0]) != draw.rank:
        return None
    if any(place not in range(-6, 11) for place in places):
        return None
    return Draft(
        f"Which note is the {order[number - 1]} of the key of {name(tonic)} major?",
        tuple(option(place) for place in places),
        f"scale_degree(tonic={ascii_name(name(tonic))!r}, degree={number + 1})",
        f"The {degree} is degree {number + 1} of the scale, {heights[0]} semitones above {name(tonic)}.",
    )


def transposed_motif(draw: Draw) -> Draft | None:
    tonic, start = draw.random.randint(-2, 2), draw.random.randint(-4, 5)
    notes = [tonic + degree for degree in draw.some(MAJOR, 3)]
    shift = start - notes[0]
    if not shift:
        return None
    second, third = notes[1] + shift, notes[2] + shift
    # A sharp more is a semitone up: the key's notes are the higher or the lower of the two as the rank says.
    seconds = (second, second + (7 if draw.rank & 1 else -7))
    thirds = (third, third + (7 if draw.rank & 2 else -7))
    triples = [(start, a, b) for a in seconds for b in thirds]
    if any(place not in range(-6, 11) or len({tone(p) for p in t}) < 3 for t in triples for place in t):
        return None
    motif = ", ".join(name(place) for place in notes)
    options = tuple(", ".join(name(place) for place in triple) for triple in triples)
    return Draft(
        f"The motif {motif} is transposed exactly, note for note, so that it begins on {name(start)}; "
        "which notes result?",
        options,
        f"transposed_motif(motif={ascii_name(motif)!r}, start={ascii_name(name(start))!r})",
        f"Every interval of {motif} is kept by {options[0]}.",
    )


def changed_note(draw: Draw) -> Draft | None:
    base, becomes, degree = draw.one(CHANGES)
    tonic = draw.random.randint(-4, 4) + (0 if base == "major" else 3)
    likely = [number for scale, _, number in CHANGES if scale == base]
    values = spread(draw, degree, likely, range(2, 8))
    if values is None:
        return None
    scale = [tonic + step for step in (MAJOR if base == "major" else MINOR)]
    root = name(tonic)
    return Draft(
        f"Which note of the {root} {base} scale has to be altered to turn it into the {becomes} on {root}?",
        tuple(option(scale[value - 1]) for value in values),
        f"changed_note(tonic={ascii_name(root)!r}, base={base!r}, becomes={becomes.rpartition(' ')[0]!r})",
        f"The two scales differ in degree {degree} alone, which is {name(scale[degree - 1])} in {root} {base}.",
    )


TEMPLATES: tuple[Template, ...] = (
    Template("pitch-intervals-scales/interval-name", "music", 4, interval_name, THEORY),
    Template("pitch-intervals-scales/note-above", "music", 4, note_above, THEORY),
    Template("pitch-intervals-scales/mode-in-signature", "music", 4, mode_in_signature, THEORY),
    Template("pitch-intervals-scales/midi-note", "music", 3, midi_note, MIDI),
    Template("pitch-intervals-scales/inversion", "music", 3, inverted, THEORY),
    Template("pitch-intervals-scales/stacked-intervals", "music", 3, stacked, THEORY),
    Template("pitch-intervals-scales/scale-degree", "music", 4, scale_degree, THEORY),
    Template("pitch-intervals-scales/transposed-motif", "music", 4, transposed_motif, THEORY),
    Template("pitch-intervals-scales/changed-note", "music", 4, changed_note, THEORY),
)
