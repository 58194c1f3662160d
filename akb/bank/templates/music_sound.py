"""Questions on strings, pipes and beats, and on transposing instruments."""

from __future__ import annotations

from akb.bank.templates.frame import Draft, Draw, Template, number
from akb.bank.templates.music_notes import THEORY, ascii_name, name, plain_pitch, spread
from akb.tasks.items import Source

# Open strings of the violin family and the guitar, as MIDI numbers.
STRINGS = (36, 40, 43, 45, 48, 50, 55, 57, 59, 62, 64, 69)
# The part of a string that vibrates, in words and figures, and the semitones by which it sounds higher.
STOPPED = (
    *(("half", "1/2", 12), ("two thirds", "2/3", 7), ("three quarters", "3/4", 5), ("four fifths", "4/5", 4)),
    *(("five sixths", "5/6", 3), ("three fifths", "3/5", 9), ("one third", "1/3", 19), ("one quarter", "1/4", 24)),
)
# Where a string is touched, the semitones of the harmonic above the open string, and of the note pressed there.
TOUCHED = (
    *(("half", "1/2", 12, 12), ("one third", "1/3", 19, 7), ("one quarter", "1/4", 24, 5), ("one fifth", "1/5", 28, 4)),
    *(("two fifths", "2/5", 28, 9), ("one sixth", "1/6", 31, 3)),
)
HARMONICS = (12, 19, 24, 28, 31)
# Instruments whose parts carry a key signature, the note that their written C sounds, and how far their part lies
# from the sounding key on the line of fifths.
TRANSPOSING = (
    *(("trumpet in D", "D", -2), ("alto flute in G", "G", -1), ("English horn in F", "F", 1)),
    *(("clarinet in B♭", "B♭", 2), ("tenor saxophone in B♭", "B♭", 2), ("clarinet in A", "A", -3)),
    *(("alto saxophone in E♭", "E♭", 3), ("clarinet in E♭", "E♭", 3)),
)
LOWEST = (50, 60, 80, 90, 100, 110, 120, 140, 150, 160, 180, 200, 220, 240, 300, 400)
STRING_LAW = (Source(kind="formula", ref="frequency of an ideal string is inversely proportional to its length"),)
PIPE_LAW = (Source(kind="formula", ref="resonances of ideal cylindrical pipes: odd multiples if closed, all if open"),)
BEAT_LAW = (Source(kind="formula", ref="beat rate = difference of the two frequencies"),)


def part_key(draw: Draw) -> Draft | None:
    player, sounds, offset = draw.one(TRANSPOSING)
    concert, mode = draw.random.randint(-2, 2), draw.one(("major", "minor"))
    other = draw.one([size for size in (1, 2, 3) if size != abs(offset)])
    offsets = sorted((offset, -offset, other, -other))
    if offsets.index(offset) != draw.rank:
        return None
    shift = 0 if mode == "major" else 3
    keys = [f"{name(concert + shift + step)} {mode}" for step in [offset, *(o for o in offsets if o != offset)]]
    tonic = f"{name(concert + shift)} {mode}"
    return Draft(
        f"In which key is the part for {player} written when the music is to sound in {tonic}?",
        tuple(keys),
        f"part_key(concert={ascii_name(tonic)!r}, sounds={ascii_name(sounds)!r})",
        f"A written C on this instrument sounds as {sounds}, so {keys[0]} in the part sounds as {tonic}.",
        slot=f"{sounds} {tonic}",
    )


def stopped_string(draw: Draw) -> Draft | None:
    words, part, rise = draw.one(STOPPED)
    string = draw.one(STRINGS)
    values = spread(draw, rise, [semitones for _, _, semitones in STOPPED], [rise - 2, rise + 2, 8, 10, 14, 17, 2])
    if values is None:
        return None
    options = tuple(plain_pitch(string + value) for value in values)
    return Draft(
        f"To the nearest semitone, which note sounds when a string tuned to {plain_pitch(string)} is stopped "
        f"so that {words} of its length vibrates?",
        options,
        f"stopped_string(string={plain_pitch(string)!r}, part={part!r})",
        f"With {part} of the length the frequency is multiplied by the inverse of {part}, about {rise} semitones up.",
    )


def touched_harmonic(draw: Draw) -> Draft | None:
    words, part, rise, pressed = draw.one(TOUCHED)
    string = draw.one(STRINGS)
    values = spread(draw, rise, [pressed, *HARMONICS], [rise - 12, rise + 5, rise + 7, rise + 12, rise + 3, rise - 5])
    if values is None or min(values) <= 0:
        return None
    harmonic = part.partition("/")[2]
    return Draft(
        f"To the nearest semitone, which pitch sounds as a natural harmonic when an open string tuned to "
        f"{plain_pitch(string)} is touched lightly at {words} of its length?",
        tuple(plain_pitch(string + value) for value in values),
        f"touched_harmonic(string={plain_pitch(string)!r}, part={part!r})",
        f"Only modes with a node there go on; the lowest is harmonic {harmonic}, about {rise} semitones up.",
        slot=f"{string} {harmonic}",
    )


def pipe_resonance(draw: Draw) -> Draft | None:
    lowest, closed = draw.one(LOWEST), draw.one((True, False))
    key = draw.one((6, 10, 14) if closed else (4, 6, 8))  # in halves of the lowest frequency
    wrong = (4, 8, 12, 16) if closed else (3, 5, 7, 9, 11)
    extra = (3, 5, 7, 9) if closed else ()
    values = spread(draw, key, wrong, extra)
    if values is None:
        return None
    ends = "closed at one end" if closed else "open at both ends"
    rule = "only odd" if closed else "all whole"
    return Draft(
        f"An ideal cylindrical pipe {ends} has its lowest resonance at {lowest} Hz; "
        "which of these frequencies is also a resonance of it?",
        tuple(f"{number(lowest * value // 2)} Hz" for value in values),
        f"pipe_resonance(lowest_hz={lowest}, closed={closed})",
        f"A pipe {ends} resonates at {rule} multiples of its lowest frequency, and {key // 2} times {lowest} is one.",
    )


def tuned_by_beats(draw: Draw) -> Draft | None:
    fork, beats = draw.random.randint(200, 520), draw.random.randint(2, 6)
    tightened, slower = draw.one((True, False)), draw.one((True, False))
    side = -1 if tightened == slower else 1
    key = fork + side * beats
    more = [fork + step * beats for step in (-3, -2, 2, 3)]
    values = spread(draw, key, [fork - side * beats], more)
    if values is None:
        return None
    action, effect = "tightened" if tightened else "loosened", "slow down" if slower else "get faster"
    return Draft(
        f"A string and a {fork} Hz tuning fork give {beats} beats a second, which {effect} as the string is slightly "
        f"{action}; what was the string's frequency before?",
        tuple(f"{value} Hz" for value in values),
        f"string_by_beats(fork_hz={fork}, beats={beats}, tightened={tightened}, slower={slower})",
        f"The string is {beats} Hz away, and it must have been {'below' if side < 0 else 'above'} the fork for the "
        f"beats to {effect} when it is {action}.",
    )


TEMPLATES: tuple[Template, ...] = (
    Template("instruments/part-key", "music", 5, part_key, THEORY),
    Template("music-acoustics/stopped-string", "music", 4, stopped_string, STRING_LAW),
    Template("music-acoustics/touched-harmonic", "music", 3, touched_harmonic, STRING_LAW),
    Template("music-acoustics/pipe-resonance", "music", 3, pipe_resonance, PIPE_LAW),
    Template("music-acoustics/tuned-by-beats", "music", 3, tuned_by_beats, BEAT_LAW),
)
