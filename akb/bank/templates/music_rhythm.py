"""Questions on note values, bars and beats. Lengths are in sixty-fourths of a whole note."""

from __future__ import annotations

from math import gcd

from akb.bank.templates.frame import Draft, Draw, Template
from akb.bank.templates.music_notes import WORDS, article, spread
from akb.tasks.items import Source

PLAIN_NOTES = {"whole note": 64, "half note": 32, "quarter note": 16, "eighth note": 8, "sixteenth note": 4}
DOTTED_NOTES = {"dotted half note": 48, "dotted quarter note": 24, "dotted eighth note": 12, "dotted sixteenth note": 6}
DOUBLE_DOTTED_NOTES = {"double-dotted half note": 56, "double-dotted quarter note": 28, "double-dotted eighth note": 14}
BEAT_NOTES = {**PLAIN_NOTES, **DOTTED_NOTES, "dotted whole note": 96}
ALL_NOTES = {**BEAT_NOTES, **DOUBLE_DOTTED_NOTES}
# Time signatures and in how many equal beats their bar is conducted.
CONDUCTED = (
    *(("2/4", 2), ("2/4", 1), ("3/4", 3), ("3/4", 1), ("4/4", 4), ("4/4", 2), ("2/2", 2), ("2/2", 1), ("3/2", 3)),
    *(("4/2", 4), ("3/8", 3), ("3/8", 1), ("4/8", 4), ("6/8", 6), ("6/8", 2), ("9/8", 9), ("9/8", 3), ("12/8", 4)),
    *(("12/8", 12), ("6/4", 6), ("6/4", 2), ("9/4", 3), ("6/16", 2), ("9/16", 3), ("12/16", 4), ("5/4", 5)),
    *(("5/8", 5), ("7/8", 7), ("3/16", 1), ("3/16", 3), ("6/16", 6), ("9/16", 9)),
)
BARS = ("2/4", "3/4", "4/4", "3/8", "6/8", "9/8", "12/8", "5/8", "7/8", "5/4", "3/2", "6/4")
COUNTED = (("2/4", 2), ("3/4", 3), ("4/4", 4), ("5/4", 5), ("2/2", 2), ("3/2", 3), ("4/2", 4), ("6/8", 2), ("9/8", 3))
ORDINALS = (
    *("zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
    *("eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth"),
)
SPEEDS = (
    *(("quarter", "dotted quarter", 2, 3), ("dotted quarter", "quarter", 3, 2), ("dotted quarter", "eighth", 3, 1)),
    *(("eighth", "dotted quarter", 1, 3), ("half", "quarter", 2, 1), ("quarter", "half", 1, 2)),
    *(("dotted half", "quarter", 3, 1), ("quarter", "dotted half", 1, 3), ("half", "dotted half", 2, 3)),
)
TERMS = (Source(kind="formula", ref="note values as fractions of a whole note"),)


def bar_length(metre: str) -> int:
    """Length of a bar of a time signature."""
    top, bottom = metre.split("/")
    return 64 * int(top) // int(bottom)


def by_length(table: dict[str, int], length: int) -> str:
    """The note of that length."""
    return next(name for name, value in table.items() if value == length)


def one_beat(draw: Draw) -> Draft | None:
    metre, beats = draw.one(CONDUCTED)
    key = bar_length(metre) // beats
    bottom = 64 // int(metre.partition("/")[2])
    lengths = {length for length in BEAT_NOTES.values() if key / 3 < length < key * 3}
    values = spread(draw, key, {bottom, key * 2, key // 2, key * 3 // 2} & lengths, lengths)
    if values is None:
        return None
    beat = "beat" if beats == 1 else "beats"
    answer = by_length(BEAT_NOTES, key)
    return Draft(
        f"Which note lasts one beat when {metre} is conducted with {WORDS[beats]} equal {beat} to the bar?",
        tuple(by_length(BEAT_NOTES, value).capitalize() for value in values),
        f"one_beat(metre={metre!r}, beats={beats})",
        f"A bar of {metre} divided by {beats} leaves {article(answer)} for each beat.",
    )


def combinations() -> dict[str, int]:
    """Pairs of note values, a few of each, and their whole length."""
    found = {}
    pool = [*PLAIN_NOTES.items(), ("dotted quarter note", 24), ("dotted eighth note", 12), ("dotted half note", 48)]
    for first, long in pool:
        for second, short in pool:
            for many in (1, 2, 3):
                for few in (1, 2, 3):
                    if long > short and many * long + few * short <= 128:
                        text = f"{WORDS[many]} {first}{'s' * (many > 1)} and {WORDS[few]} {second}{'s' * (few > 1)}"
                        found[text.capitalize()] = many * long + few * short
    return found


COMBINATIONS = combinations()


def fills_bar(draw: Draw) -> Draft | None:
    metre = draw.one(BARS)
    bar = bar_length(metre)
    near = {length for length in COMBINATIONS.values() if length % 8 == 0 and 0 < abs(length - bar) <= 24}
    values = spread(draw, bar, near)
    if values is None or bar not in COMBINATIONS.values():
        return None
    options = tuple(draw.one([text for text, length in COMBINATIONS.items() if length == value]) for value in values)
    return Draft(
        f"Which of these combinations of notes fills exactly one bar of {metre}?",
        options,
        f"fills_bar(metre={metre!r})",
        f"{options[0]} make {bar / 8:g} eighth notes together, the length of a bar of {metre}.",
        slot=f"{metre}: {options[0]}",
    )


def polyrhythm_attacks(draw: Draw) -> Draft | None:
    few, many = sorted(draw.some(range(2, 10), 2))
    key = few + many - gcd(few, many)
    likely = [few + many, many, few * many // gcd(few, many), few + many - 2, few * many]
    values = spread(draw, key, likely, [key - 1, key + 1, key + 2, key - 2, key + 3, key - 3])
    if values is None or min(values) < 2:
        return None
    return Draft(
        f"One player spaces {WORDS[few]} notes evenly over a bar while another spaces {WORDS[many]}, starting "
        "together; at how many different moments do notes begin?",
        tuple(str(value) for value in values),
        f"attacks_in_cycle(first={few}, second={many})",
        f"Of {few} + {many} notes {gcd(few, many)} of each begin together, so {key} moments are left.",
    )


def same_speed(draw: Draw) -> Draft | None:
    unit, other, up, down = draw.one(SPEEDS)
    rate = draw.one(range(40, 241, 4))
    if rate * up % down or not 30 <= rate * up // down <= 300:
        return None
    key = rate * up // down
    factors = ((down, up), (1, 1), (1, 2), (2, 1), (3, 2), (2, 3), (3, 1), (1, 3), (3, 4), (4, 3))
    wrong = [rate * a // b for a, b in factors if rate * a % b == 0 and 20 <= rate * a // b <= 480]
    values = spread(draw, key, wrong)
    if values is None:
        return None
    return Draft(
        f"At a tempo of {rate} {unit} notes a minute, how many {other} notes go by in a minute?",
        tuple(str(value) for value in values),
        f"same_speed(unit={unit!r}, rate={rate}, other={other!r})",
        f"The numbers of {unit} and {other} notes that go by are as {down} to {up}, so {rate} become {key}.",
    )


def note_in_beat(draw: Draw) -> Draft | None:
    metre, beats = draw.one((*COUNTED, ("12/8", 4)))
    unit = draw.one(("quarter note", "eighth note", "sixteenth note"))
    length, part = bar_length(metre) // beats, PLAIN_NOTES[unit]
    beat, last = draw.random.randint(2, beats), draw.one((True, False))
    each = length // part
    if length % part or not 2 <= each <= 6:
        return None
    key = each * beat if last else each * (beat - 1) + 1
    values = spread(draw, key, [key - 1, key + 1, key + 2, key - 2], [key + 3, key - 3])
    if values is None or min(values) < 2 or max(values) > min(each * beats, len(ORDINALS) - 1):
        return None
    end = "last" if last else "first"
    return Draft(
        f"In a bar of {metre} counted in {WORDS[beats]} and filled with {unit}s, "
        f"which {unit} is the {end} within the {ORDINALS[beat]} beat?",
        tuple(f"The {ORDINALS[value]}" for value in values),
        f"note_in_beat(metre={metre!r}, beats={beats}, unit={unit.removesuffix(' note')!r}, beat={beat}, last={last})",
        f"Each beat holds {each} {unit}s, so beat {beat} begins after {each * (beat - 1)} of them and its {end} is "
        f"number {key}.",
    )


def tied_notes(draw: Draw) -> Draft | None:
    pool = {**PLAIN_NOTES, **DOTTED_NOTES}
    parts = [draw.one(list(pool)) for _ in range(draw.one((2, 2, 3)))]
    key = sum(pool[part] for part in parts)
    if key not in ALL_NOTES.values() or key == 96:
        return None
    parts.sort(key=lambda part: -pool[part])
    lengths = {length for length in ALL_NOTES.values() if key / 3 < length < key * 3}
    values = spread(draw, key, {key * 3 // 2, key * 2 // 3, max(pool[part] for part in parts)} & lengths, lengths)
    if values is None:
        return None
    tie = " tied to ".join(article(part) for part in parts)
    return Draft(
        f"Which single note lasts exactly as long as {tie}?",
        tuple(by_length(ALL_NOTES, value).capitalize() for value in values),
        f"tied_notes(notes={', '.join(part.removesuffix(' note') for part in parts)!r})",
        f"Together they last {key / 4:g} sixteenth notes, as {article(by_length(ALL_NOTES, key))} does.",
    )


TEMPLATES: tuple[Template, ...] = (
    Template("rhythm-metre/one-beat", "music", 3, one_beat, TERMS),
    Template("rhythm-metre/fills-bar", "music", 4, fills_bar, TERMS),
    Template("rhythm-metre/polyrhythm-attacks", "music", 3, polyrhythm_attacks, TERMS),
    Template("rhythm-metre/same-speed", "music", 3, same_speed, TERMS),
    Template("rhythm-metre/note-in-beat", "music", 3, note_in_beat, TERMS),
    Template("rhythm-metre/tied-notes", "music", 3, tied_notes, TERMS),
)
