"""Questions on chords and their functions. Chords are sets of places on the line of fifths."""

from __future__ import annotations

from akb.bank.templates.frame import Draft, Draw, Template
from akb.bank.templates.music_notes import SINGLE, THEORY, ascii_name, listed, name, option, place_of, spread, tone

SEVENTHS = {
    "major seventh": (0, 4, 1, 5),
    "dominant seventh": (0, 4, 1, -2),
    "minor seventh": (0, -3, 1, -2),
    "half-diminished seventh": (0, -3, -6, -2),
    "diminished seventh": (0, -3, -6, -9),
}
POSITIONS = ("root position", "first inversion", "second inversion", "third inversion")
BASS = ("root", "third", "fifth", "seventh")
# Triads of a major key: place of the root from the tonic, and kind.
TRIADS = {
    "tonic": (0, "major"),
    "supertonic": (2, "minor"),
    "mediant": (4, "minor"),
    "subdominant": (-1, "major"),
    "dominant": (1, "major"),
    "submediant": (3, "minor"),
}
# Pairs of triads of one kind that only one major key has.
TELLING = (("subdominant", "dominant"), ("supertonic", "mediant"))
MIXED = (("subdominant", "mediant"), ("dominant", "supertonic"))
CADENCES = (
    ("Authentic", (("dominant", "tonic"),)),
    ("Plagal", (("subdominant", "tonic"),)),
    ("Half", (("tonic", "dominant"), ("supertonic", "dominant"), ("subdominant", "dominant"))),
    ("Deceptive", (("dominant", "submediant"),)),
)


def seventh(draw: Draw) -> tuple[str, int, list[str]] | None:
    """A seventh chord: its kind, the place of its root and its notes."""
    kind, root = draw.one(list(SEVENTHS)), draw.random.randint(-4, 7)
    places = [root + step for step in SEVENTHS[kind]]
    if any(place not in SINGLE for place in places):
        return None
    return kind, root, [name(place) for place in places]


def triad(tonic: int, function: str) -> str:
    """The name of a triad of a major key."""
    step, kind = TRIADS[function]
    return f"{name(tonic + step)} {kind}"


def seventh_root(draw: Draw) -> Draft | None:
    chord = seventh(draw)
    if chord is None:
        return None
    kind, root, notes = chord
    shown = [*notes[4 - draw.rank :], *notes[: 4 - draw.rank]]
    return Draft(
        f"Which note is the root of the seventh chord {listed(shown)} when it is arranged in stacked thirds?",
        tuple(option(place_of(note)) for note in notes),
        f"seventh_root(notes={ascii_name(' '.join(shown))!r})",
        f"Only as {', '.join(notes)} do they go up in thirds, which makes a {kind} chord on {name(root)}.",
        slot=f"{name(root)} {kind}",
    )


def seventh_inversion(draw: Draw) -> Draft | None:
    chord = seventh(draw)
    if chord is None:
        return None
    kind, root, notes = chord
    bass = notes[draw.rank]
    options = [POSITIONS[draw.rank], *(position for position in POSITIONS if position != POSITIONS[draw.rank])]
    return Draft(
        f"In which position is the {kind} chord on {name(root)} when its lowest note is {bass}?",
        tuple(option.capitalize() for option in options),
        f"seventh_inversion(root={ascii_name(name(root))!r}, kind={kind!r}, bass={ascii_name(bass)!r})",
        f"{bass} is the {BASS[draw.rank]} of {', '.join(notes)}, and with it in the bass the chord is in "
        f"{POSITIONS[draw.rank]}.",
    )


def seventh_kind(draw: Draw) -> Draft | None:
    chord = seventh(draw)
    if chord is None:
        return None
    kind, _, notes = chord
    kinds = list(SEVENTHS)
    values = spread(draw, kinds.index(kind), range(len(kinds)))
    if values is None:
        return None
    return Draft(
        f"Which kind of seventh chord is formed by {listed(notes)}, with {notes[0]} as the root?",
        tuple(kinds[value].capitalize() for value in values),
        f"seventh_kind(notes={ascii_name(' '.join(notes))!r})",
        f"The thirds that are stacked from {notes[0]} in {', '.join(notes)} make a {kind} chord.",
    )


def shared_key(draw: Draw) -> Draft | None:
    tonic, pair = draw.random.randint(-5, 5), draw.one((*TELLING, *MIXED))
    values = spread(draw, tonic, [tonic - 1, tonic + 1, tonic - 2, tonic + 2], [tonic - 3, tonic + 3])
    if values is None:
        return None
    functions = draw.some(pair, 2)
    first, second = (triad(tonic, function) for function in functions)
    return Draft(
        f"Which major key has both {first} and {second} among its diatonic triads?",
        tuple(f"{name(value)} major" for value in values),
        f"shared_key(first={ascii_name(first)!r}, second={ascii_name(second)!r})",
        f"In {name(tonic)} major they are the {functions[0]} and {functions[1]} triads; no other major key has both.",
        slot=f"{name(tonic)} {pair}",
    )


def pivot_chord(draw: Draw) -> Draft | None:
    kind, start = draw.one(("major", "minor")), draw.random.randint(-4, 4)
    before, after = draw.some([word for word, (_, triad_kind) in TRIADS.items() if triad_kind == kind], 2)
    chord = start + TRIADS[before][0]
    key = chord - TRIADS[after][0]
    likely = [chord - step for step, triad_kind in TRIADS.values() if triad_kind == kind]
    near = [key + step for step in (-4, -3, -2, -1, 1, 2, 3, 4) if key + step != start]
    values = spread(draw, key, [value for value in likely if value != start], near)
    if values is None or max(values) > 6 or min(values) < -6 or len({tone(value) for value in values}) < 4:
        return None
    return Draft(
        f"The {before} triad of {name(start)} major is also the {after} triad of which other major key?",
        tuple(f"{name(value)} major" for value in values),
        f"pivot_key(tonic={ascii_name(name(start))!r}, before={before!r}, after={after!r})",
        f"The chord is {name(chord)} {kind}, which is the {after} triad of {name(key)} major.",
    )


def two_common_tones(draw: Draw) -> Draft | None:
    kind, root = draw.one(("major", "minor")), draw.random.randint(-4, 5)
    shared, other = ((0, 3, 4), "minor") if kind == "major" else ((0, -3, -4), "major")
    key = root + draw.one(shared)
    near = range(-4, 8) if kind == "major" else range(-7, 5)
    values = spread(draw, key, [root + step for step in near if step not in shared])
    if values is None or max(values) > 8 or min(values) < -6:
        return None
    options = tuple(f"{name(value)} {other}" for value in values)
    return Draft(
        f"Which of these triads has exactly two notes in common with the {name(root)} {kind} triad?",
        options,
        f"common_tones(chord={ascii_name(f'{name(root)} {kind}')!r}, count=2)",
        f"{options[0]} keeps two notes of {name(root)} {kind}; each of the others keeps one at most.",
        slot=f"{name(root)} {kind}, {options[0]}",
    )


def cadence(draw: Draw) -> Draft | None:
    tonic = draw.random.randint(-5, 5)
    key, pairs = CADENCES[draw.rank]
    last = draw.one(pairs)
    first, second = (triad(tonic, function) for function in last)
    return Draft(
        f"Which cadence ends a phrase in {name(tonic)} major whose last two chords are {first} and then {second}?",
        (key, *(word for word, _ in CADENCES if word != key)),
        f"cadence(tonic={ascii_name(name(tonic))!r}, first={ascii_name(first)!r}, last={ascii_name(second)!r})",
        f"In {name(tonic)} major these chords are the {last[0]} and the {last[1]}.",
    )


def secondary_dominant(draw: Draw) -> Draft | None:
    tonic = draw.random.randint(-5, 5)
    degree = draw.one(("supertonic", "mediant", "subdominant", "dominant", "submediant"))
    target = tonic + TRIADS[degree][0]
    key = target + 1
    values = spread(draw, key, [target, target - 1, tonic + 1, key + 1, key + 2], [key + 3, key - 3, key - 2])
    if values is None or max(values) > 10 or min(values) < -6:
        return None
    return Draft(
        f"In the key of {name(tonic)} major, which seventh chord is the secondary dominant of the {degree}?",
        tuple(f"{name(value)}7" for value in values),
        f"secondary_dominant(tonic={ascii_name(name(tonic))!r}, degree={degree!r})",
        f"The {degree} is {name(target)}, and the dominant seventh chord a fifth above it is {name(key)}7.",
    )


TEMPLATES: tuple[Template, ...] = (
    Template("harmony-chords/seventh-root", "music", 3, seventh_root, THEORY),
    Template("harmony-chords/seventh-inversion", "music", 3, seventh_inversion, THEORY),
    Template("harmony-chords/seventh-kind", "music", 3, seventh_kind, THEORY),
    Template("harmony-chords/shared-key", "music", 4, shared_key, THEORY),
    Template("harmony-chords/pivot-chord", "music", 3, pivot_chord, THEORY),
    Template("harmony-chords/two-common-tones", "music", 3, two_common_tones, THEORY),
    Template("harmony-chords/cadence", "music", 3, cadence, THEORY),
    Template("harmony-chords/secondary-dominant", "music", 3, secondary_dominant, THEORY),
)
