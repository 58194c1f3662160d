"""What the music templates share: notes as places on the line of fifths (C is 0, G 1, F -1), and options by rank."""

from __future__ import annotations

from collections.abc import Iterable

from akb.bank.templates.frame import OPTIONS, Draw
from akb.tasks.items import Source

LINE = "FCGDAEB"
STEPS = "CDEFGAB"
NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SINGLE = range(-8, 13)  # from F flat to B sharp: at most one accidental
PLAIN = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
# Steps on the line of fifths, and semitones.
INTERVALS = {
    "minor second": (-5, 1),
    "major second": (2, 2),
    "augmented second": (9, 3),
    "diminished third": (-10, 2),
    "minor third": (-3, 3),
    "major third": (4, 4),
    "augmented third": (11, 5),
    "diminished fourth": (-8, 4),
    "perfect fourth": (-1, 5),
    "augmented fourth": (6, 6),
    "diminished fifth": (-6, 6),
    "perfect fifth": (1, 7),
    "augmented fifth": (8, 8),
    "diminished sixth": (-11, 7),
    "minor sixth": (-4, 8),
    "major sixth": (3, 9),
    "augmented sixth": (10, 10),
    "diminished seventh": (-9, 9),
    "minor seventh": (-2, 10),
    "major seventh": (5, 11),
    "perfect octave": (0, 12),
}
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
THEORY = (Source(kind="formula", ref="line of fifths and letter names"),)


def name(place: int) -> str:
    """The note at a place on the line of fifths."""
    sharps = (place + 1) // 7
    return LINE[(place + 1) % 7] + ("♯" * sharps if sharps > 0 else "♭" * -sharps)


def option(place: int) -> str:
    """A note as an option; "natural" where it has no sign, since A to D are labels of options as well."""
    text = name(place)
    return text if len(text) > 1 else f"{text} natural"


def ascii_name(text: str) -> str:
    """The note as checks are given it."""
    return text.replace("♯", "#").replace("♭", "b")


def place_of(text: str) -> int:
    """The place of a note's name."""
    return LINE.index(text[0]) - 1 + 7 * (text.count("♯") - text.count("♭"))


def pitch(place: int, midi: int) -> str:
    """The note of that MIDI number under that name, with its octave (C4 is 60)."""
    sharps = (place + 1) // 7
    return f"{name(place)}{(midi - sharps) // 12 - 1}"


def plain_pitch(midi: int) -> str:
    """A pitch under its commonest name."""
    return f"{PLAIN[midi % 12]}{midi // 12 - 1}"


def midi_of(place: int, octave: int) -> int:
    """MIDI number of a named note."""
    sharps = (place + 1) // 7
    return 12 * (octave + 1) + NATURAL[LINE[(place + 1) % 7]] + sharps


def tone(place: int) -> int:
    """Semitones above C, from 0 to 11."""
    return 7 * place % 12


def article(word: str) -> str:
    """The word with a or an before it."""
    return f"{'an' if word[0] in 'aeio' else 'a'} {word}"


def spread(draw: Draw, key: int, likely: Iterable[int], other: Iterable[int] = ()) -> list[int] | None:
    """The key and three wrong values, so many of them below it as the rank says; likely ones are taken first."""
    first = set(likely) - {key}
    rest = set(other) - first - {key}
    below, above = list[int](), list[int]()
    for pool in (first, rest):
        mixed = draw.some(sorted(pool), len(pool))
        below += [value for value in mixed if value < key]
        above += [value for value in mixed if value > key]
    wanted = OPTIONS - 1 - draw.rank
    if len(below) < draw.rank or len(above) < wanted:
        return None
    return [key, *below[: draw.rank], *above[:wanted]]


def signature(sharps: int) -> str:
    """A key signature in words."""
    if not sharps:
        return "no sharps or flats"
    return f"{WORDS[abs(sharps)]} {'sharp' if sharps > 0 else 'flat'}{'s' * (abs(sharps) > 1)}"


def listed(words: list[str]) -> str:
    """Words with commas and a last 'and'."""
    return f"{', '.join(words[:-1])} and {words[-1]}"
