"""Questions on signatures, clefs, accidentals and repeats."""

from __future__ import annotations

from akb.bank.templates.frame import Draft, Draw, Template
from akb.bank.templates.music_notes import LINE, STEPS, THEORY, ascii_name, name, signature, spread
from akb.tasks.items import Source

# The note on the bottom line, in letter steps above C0.
BOTTOM = {"treble": 30, "alto": 24, "tenor": 22, "bass": 18}
PLACES = {
    "on the first ledger line below": -2,
    "on the bottom line of": 0,
    "in the lowest space of": 1,
    "on the second line from the bottom of": 2,
    "in the second space from the bottom of": 3,
    "on the middle line of": 4,
    "in the second space from the top of": 5,
    "on the second line from the top of": 6,
    "in the highest space of": 7,
    "on the top line of": 8,
    "on the first ledger line above": 10,
}
SIGNS = {-2: "A double flat", -1: "A flat", 0: "A natural", 1: "A sharp", 2: "A double sharp"}
CLEFS = (Source(kind="formula", ref="clefs: G4 on line 2, C4 on line 3 or 4, F3 on line 4, counted from the bottom"),)
SIGNATURES = (Source(kind="formula", ref="circle of fifths"),)
REPEATS = (Source(kind="general", ref="D.C. and D.S. al Fine: back to the beginning or the sign, and on to Fine"),)


def drawn_key(draw: Draw) -> tuple[int, str]:
    """Sharps of a signature (flats are negative), and one of its two keys."""
    sharps, mode = draw.one([n for n in range(-7, 8) if n]), draw.one(("major", "minor"))
    return sharps, f"{name(sharps + (3 if mode == 'minor' else 0))} {mode}"


def call(function: str, key: str, more: str = "") -> str:
    """A check of a key."""
    tonic, _, mode = key.partition(" ")
    return f"{function}(tonic={ascii_name(tonic)!r}, mode={mode!r}{more})"


def key_signature(draw: Draw) -> Draft | None:
    sharps, key = drawn_key(draw)
    likely = [-sharps, sharps - 1, sharps + 1, sharps - 3, sharps + 3]
    values = spread(draw, sharps, likely, [sharps - 2, sharps + 2, sharps - 4, sharps + 4])
    if values is None or 0 in values or max(map(abs, values)) > 7 or key == "B major":  # asked in the bank
        return None
    return Draft(
        f"Which key signature belongs to the key of {key}?",
        tuple(signature(value).capitalize() for value in values),
        call("key_signature", key),
        f"{key} is the key with {signature(sharps)} on the circle of fifths.",
    )


def last_accidental(draw: Draw) -> Draft | None:
    sharps, key = drawn_key(draw)
    sign, count = ("♯", sharps) if sharps > 0 else ("♭", -sharps)
    order = LINE if sharps > 0 else LINE[::-1]
    values = spread(draw, count, [count - 1, count + 1, count + 2, count - 2], range(1, 8))
    if values is None or max(values) > 7 or min(values) < 1:
        return None
    word = "sharp" if sharps > 0 else "flat"
    options = tuple(order[value - 1] + sign for value in values)
    return Draft(
        f"Which note carries the last {word}, in the usual order, of the key signature of {key}?",
        options,
        call("last_accidental", key),
        f"{key} has {signature(sharps)}, added in the order {', '.join(n + sign for n in order[:count])}.",
    )


def spelled(step: int) -> str:
    """A natural note, from letter steps above C0."""
    return f"{STEPS[step % 7]}{step // 7}"


def clef_place(draw: Draw) -> Draft | None:
    clef, place = draw.one(list(BOTTOM)), draw.one(list(PLACES))
    if (clef, PLACES[place]) == ("alto", 4):
        return None
    key = BOTTOM[clef] + PLACES[place]
    likely = [bottom + PLACES[place] for bottom in BOTTOM.values()]
    values = spread(draw, key, likely, [key - 2, key + 2, key - 1, key + 1, key - 7, key + 7])
    if values is None:
        return None
    return Draft(
        f"With middle C named C4, which pitch is written {place} a staff with {'an' if clef == 'alto' else 'a'} "
        f"{clef} clef?",
        tuple(spelled(value) for value in values),
        f"staff_place(clef={clef!r}, place={PLACES[place]})",
        f"The bottom line is {spelled(BOTTOM[clef])} in the {clef} clef, and from there the letters are counted.",
    )


def wrong_clef(draw: Draw) -> Draft | None:
    written, read = draw.some(BOTTOM, 2)
    place = draw.random.randint(0, 8)
    note, key = BOTTOM[written] + place, BOTTOM[read] + place
    likely = [2 * note - key, *(bottom + place for bottom in BOTTOM.values())]
    values = spread(draw, key, likely, [key - 1, key + 1, key - 7, key + 7, key - 2, key + 2])
    if values is None or note in values:
        return None
    return Draft(
        f"A player reads the {read} clef where the {written} clef is printed; which pitch is played in place of the "
        f"written {spelled(note)}?",
        tuple(spelled(value) for value in values),
        f"wrong_clef(note={spelled(note)!r}, written={written!r}, read={read!r})",
        f"Every place on the staff is {abs(key - note)} letter steps {'lower' if key < note else 'higher'} in the "
        f"{read} clef, so {spelled(note)} becomes {spelled(key)}.",
    )


def accidental_needed(draw: Draw) -> Draft | None:
    sharps, key = drawn_key(draw)
    letter, shift = draw.one(LINE), draw.one((-1, 1))
    order = LINE.index(letter)
    present = 1 if sharps > order else -1 if -sharps > 6 - order else 0
    values = spread(draw, present + shift, [present, present - shift], SIGNS)
    if values is None or not set(values) <= set(SIGNS):
        return None
    change, article = "higher" if shift > 0 else "lower", "an" if letter in "AEF" else "a"
    sounding = {1: f"{letter}♯", 0: f"{letter} natural", -1: f"{letter}♭"}[present]
    return Draft(
        f"Under the key signature of {key}, which sign is put before {article} {letter} to make it a semitone "
        f"{change} than the signature has it?",
        tuple(SIGNS[value] for value in values),
        call("accidental_needed", key, f", letter={letter!r}, shift={shift}"),
        f"In {key} the written {letter} is {sounding}, so a semitone {'more' if shift > 0 else 'less'} is "
        f"{SIGNS[present + shift].lower()}.",
        slot=f"{sharps} {letter} {change}",
    )


def bars_played(draw: Draw) -> Draft | None:
    bars, sign = 4 * draw.random.randint(4, 12), 4 * draw.random.randint(0, 5)
    fine = sign + 4 * draw.random.randint(1, 5)
    if fine >= bars:
        return None
    key = bars + fine - sign
    likely = [bars, bars + fine, 2 * bars, bars + bars - sign, 2 * bars - fine, fine]
    values = spread(draw, key, likely, [key - 4, key + 4, key + 8, key - 8])
    if values is None:
        return None
    mark = f"'D.S. al Fine', its sign opening bar {sign + 1}" if sign else "'D.C. al Fine'"
    return Draft(
        f"How many bars sound in all if a piece of {bars} bars ends with {mark}, and 'Fine' closes bar {fine}?",
        tuple(str(value) for value in values),
        f"bars_played(bars={bars}, back_to={sign + 1}, fine={fine})",
        f"All {bars} bars are played, then bars {sign + 1} to {fine} again: {bars} + {fine - sign} = {key}.",
    )


TEMPLATES: tuple[Template, ...] = (
    Template("notation-keys/key-signature", "music", 3, key_signature, SIGNATURES),
    Template("notation-keys/last-accidental", "music", 3, last_accidental, SIGNATURES),
    Template("notation-keys/alto-clef", "music", 3, clef_place, CLEFS),
    Template("notation-keys/wrong-clef", "music", 4, wrong_clef, CLEFS),
    Template("notation-keys/accidental-needed", "music", 4, accidental_needed, THEORY),
    Template("notation-keys/bars-played", "music", 4, bars_played, REPEATS),
)
