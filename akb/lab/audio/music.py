"""Templates on music: timbre, pitch, harmony, rhythm, expression."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any

from akb.lab.audio.frame import (
    Row,
    Template,
    alike_but_one,
    always,
    apart,
    event,
    four,
    in_turn,
    one_of,
    place,
)  # fmt: skip
from akb.lab.audio.sounds import COMPARED

FAMILIES = {
    "bowed strings": ("bowed",), "woodwind": ("flute", "clarinet"), "brass": ("brass",),
    "plucked strings": ("plucked",), "tuned percussion": ("marimba", "bell"), "voice": ("sung",),
}  # fmt: skip
UNLIKE = (
    ("flute", "brass"), ("bowed", "marimba"), ("organ", "plucked"), ("sung", "bell"), ("clarinet", "plucked"),
    ("brass", "marimba"), ("flute", "plucked"), ("organ", "marimba"),
)  # fmt: skip
DRUMS = {
    "kick": "a bass drum", "tom": "a tom-tom", "snare": "a snare drum", "hihat": "a hi-hat", "cymbal": "a cymbal",
    "click": "a metronome",
}  # fmt: skip
HIT = tuple(name for name in DRUMS if name != "cymbal")
BEATEN = (*((one,) for one in HIT), *combinations(HIT, 2))  # what a beat is played on: one of them, or two at once
INTERVALS = {
    1: "a minor second", 2: "a major second", 3: "a minor third", 4: "a major third", 5: "a perfect fourth",
    7: "a perfect fifth", 8: "a minor sixth", 9: "a major sixth", 10: "a minor seventh", 12: "an octave",
}  # fmt: skip
CHORDS = {
    "major": "a major triad", "minor": "a minor triad", "diminished": "a diminished triad",
    "augmented": "an augmented triad", "sus4": "a suspended fourth", "dominant7": "a dominant seventh",
}  # fmt: skip
MODES = {
    "major": "a major scale", "minor": "a natural minor scale", "whole tone": "a whole-tone scale",
    "chromatic": "a chromatic scale", "pentatonic": "a major pentatonic scale",
}  # fmt: skip
STEADY = ("organ", "flute", "clarinet", "brass")
ANY = (*STEADY, "bowed", "plucked", "piano", "marimba", "electric_piano")
ROOTS = tuple(range(55, 68))


def _tune(random: Random, count: int, low: int = 57, high: int = 69) -> list[int]:
    """Notes of C major, no two neighbours alike."""
    scale = [note for note in range(low, high + 1) if note % 12 in (0, 2, 4, 5, 7, 9, 11)]
    notes = [random.choice(scale)]
    while len(notes) < count:
        notes.append(random.choice([note for note in scale if note != notes[-1]]))
    return notes


def _family(random: Random, family: str) -> Row:
    notes = _tune(random, 4, 60, 72)
    return {"events": [event("melody", instrument=random.choice(FAMILIES[family]), notes=notes, tempo=100)]}


def _drums(random: Random) -> list[str]:
    return [random.choice(("kick", "tom")), "snare", random.choice(("hihat", "cymbal")), "click"]


def _drum(random: Random, drum: str) -> Row:
    pattern = "x" + "".join(random.choice("x.") for _ in range(5)) + "x"
    return {"events": [event("rhythm", drums={drum: pattern}, repeats=1, tempo=random.choice((140, 160, 180)))]}


def _other_instrument(random: Random, which: int) -> Row:
    pair = list(random.choice(UNLIKE))
    random.shuffle(pair)
    note = random.choice(ROOTS)
    rows = [event("note", instrument=name, note=note, length=0.6) for name in pair]
    return alike_but_one(which, rows[0], rows[1], 0.15)


def _contour(random: Random, how: str) -> Row:
    sizes = [random.choice((2, 3, 4)) for _ in range(4)]
    signs = {"up": (1, 1, 1, 1), "down": (-1, -1, -1, -1), "up-down": (1, 1, -1, -1), "down-up": (-1, -1, 1, 1)}[how]
    notes = [random.choice(ROOTS) + {"up": -4, "down": 4}.get(how, 0)]
    for sign, size in zip(signs, sizes, strict=True):
        notes.append(notes[-1] + sign * size)
    tempo = random.choice((110, 130, 150))
    return {"events": [event("melody", instrument=random.choice(ANY), notes=notes, tempo=tempo)]}


def _interval(random: Random, size: int) -> Row:
    root, way = random.choice(ROOTS), random.choice((1, -1))
    row = event("melody", instrument=random.choice(ANY), notes=[root, root + way * size], tempo=90)
    return in_turn([row, row], 0.4)


def _highest(random: Random, which: int) -> Row:
    base, instrument = random.choice(ROOTS), random.choice(ANY)
    notes = [base + random.choice((0, 1, 2)) for _ in range(4)]
    notes[which] = base + 2 + random.choice((3, 4, 5))
    return {"events": [event("melody", instrument=instrument, notes=notes, tempo=random.choice((90, 100, 110)))]}


def _changed_note(random: Random, which: int) -> Row:
    notes, instrument = _tune(random, 4), random.choice(ANY)
    other = list(notes)
    other[which] += random.choice((-5, -4, -3, 3, 4, 5))
    return in_turn([event("melody", instrument=instrument, notes=row, tempo=130) for row in (notes, other)], 0.5)


def _chord(random: Random, quality: str) -> Row:
    usual: Row = {"instrument": random.choice(ANY[:8]), "root": random.choice(ROOTS), "quality": quality}
    together = event("chord", length=1.2, **usual)
    return in_turn([event("chord", spread=0.3, length=1.6, **usual), together], random.choice((0.1, 0.2)))


def _mode(random: Random, mode: str) -> Row:
    seconds = random.choice((2.4, 2.6, 2.8, 3.0, 3.2))  # of the whole, whatever its number of notes
    notes = {"whole tone": 7, "chromatic": 13, "pentatonic": 6}.get(mode, 8)
    tempo = round(60 * notes / seconds)
    usual: Row = {"instrument": random.choice(ANY), "direction": random.choice(("up", "down")), "tempo": tempo}
    return {"events": [event("scale", root=random.choice(ROOTS), mode=mode, **usual)]}


def _spread(random: Random, how: str) -> Row:
    usual: dict[str, Any] = {"instrument": random.choice(ANY)}
    root, third, length = random.choice(ROOTS), random.choice((3, 4)), random.choice((1.2, 1.4))
    if how == "together":
        quality = {3: "minor", 4: "major"}[third]
        return {"events": [event("chord", root=root, quality=quality, length=length, **usual)]}
    notes = {"up": [0, third, 7], "down": [7, third, 0], "same": [third] * 3}[how]
    tempo = random.choice((110, 130))
    return {"events": [event("melody", notes=[root + note for note in notes], tempo=tempo, **usual)]}


def _metre(random: Random, beats: int) -> Row:
    pattern, drum = "X" + "x" * (beats - 1), random.choice(("click", "tom", "snare", "kick"))
    repeats = {2: 6, 3: 4, 4: 4, 5: 3}[beats]
    tempo = random.choice((180, 190, 200, 210, 220, 230, 240))
    return {"events": [event("rhythm", drums={drum: pattern}, repeats=repeats, tempo=tempo)]}


def _bpm(random: Random, tempo: int) -> Row:
    beats = min(16, round(tempo * random.choice((3.4, 3.6, 3.8, 4.0, 4.2, 4.4)) / 60))
    drums = random.choice(BEATEN)
    return {"events": [event("rhythm", drums=dict.fromkeys(drums, "x"), repeats=beats, tempo=tempo)]}


def _tempo_change(random: Random, how: str) -> Row:
    drum, slow = random.choice(("click", "snare", "tom", "kick")), random.choice((75, 80, 96, 100))
    row: dict[str, Any] = {"drums": {drum: "x"}, "repeats": random.choice((11, 12, 13))}
    if how == "jump":
        parts = [event("rhythm", drums={drum: "x"}, repeats=count, tempo=tempo)
                 for count, tempo in ((random.choice((4, 5)), slow), (random.choice((6, 8)), 2 * slow))]  # fmt: skip
        parts[1]["start"] = round(0.2 + parts[0]["params"]["repeats"] * 60 / slow, 4)
        return {"events": parts}
    fast = round(2.4 * slow)
    ends = {"faster": (slow, fast), "slower": (fast, slow), "steady": (round(1.4 * slow), None)}[how]
    return {"events": [event("rhythm", tempo=ends[0], tempo_end=ends[1], **row)]}


def _term(random: Random, term: str) -> Row:
    notes, tempo = _tune(random, 8), random.choice((150, 160, 170))
    swell = {"crescendo": 16, "diminuendo": -16}.get(term, 0)
    first, last = {"accelerando": (0.7, 1.8), "ritardando": (1.8, 0.7)}.get(term, (1.0, 1.0))
    row = event("melody", instrument=random.choice(ANY), notes=notes, tempo=round(tempo * first),
                tempo_end=round(tempo * last), swell_db=swell)  # fmt: skip
    return {"events": [row]}


def _ornament(random: Random, what: str) -> Row:
    note, length = random.choice(ROOTS), random.choice((1.6, 1.8, 2.0, 2.2))
    usual: dict[str, Any] = {"instrument": random.choice(STEADY), "note": note, "length": length}
    vibrato = random.choice((70, 80, 90)) if what == "vibrato" else 0
    more: dict[str, dict[str, Any]] = {
        "trill": {"trill": random.choice((1, 2)), "trill_rate": random.choice((6, 7))},
        "glissando": {"slide": random.choice((-12, -10, 10, 12))},
        "tremolo": {"effects": [{"kind": "tremolo", "rate": random.choice((5, 6)), "depth_db": 16}]},
    }
    return {"events": [event("note", vibrato_cents=vibrato, **usual, **more.get(what, {}))]}


def _compared(random: Random, how: tuple[int, int]) -> Row:
    notes, instrument, tempo = _tune(random, 5), random.choice(ANY), random.choice((130, 140, 150))
    level = -32 + how[1] * random.choice((8, 9))
    other = round(tempo * (1.6 if how[0] > 0 else 0.62))
    rows = [event("melody", instrument=instrument, notes=notes, tempo=t, level_db=db)
            for t, db in ((tempo, -32), (other, level))]  # fmt: skip
    return in_turn(rows, 0.4)


TEMPLATES = (
    Template("timbre/family", "music", "knowledge", (
        "Which family of instruments plays?", "To which group does the instrument belong?",
        "By its timbre, what plays the melody?", "What kind of instrument is heard?"),
        apart(tuple(FAMILIES), (("plucked strings", "tuned percussion"),)), str, _family),
    Template("timbre/drum", "music", "knowledge", (
        "Which percussion instrument is struck?", "What keeps the rhythm?", "Which of these is being played?",
        "What are the strokes played on?"), _drums, DRUMS.__getitem__, _drum),
    Template("timbre/another-instrument", "music", "perception", (
        "Four notes of one pitch are played. Which comes from another instrument?",
        "Which of the four notes has another timbre than the others?",
        "One of four notes sounds unlike the rest. Which one?",
        "Of the four notes, which is played on something else?"),
        four, place, _other_instrument),
    Template("pitch/contour", "music", "perception", (
        "What is the shape of the melody?", "How does the melody move?", "Which course does the tune take?",
        "Follow the notes. Where do they go?"), always("up", "down", "up-down", "down-up"), {
            "up": "upward", "down": "downward", "up-down": "upward, then downward",
            "down-up": "downward, then upward"}.__getitem__, _contour),
    Template("pitch/interval", "music", "knowledge", (
        "Which interval do the two notes form?", "What is the distance between the two notes called?",
        "Two notes are played, and played again. Which interval is it?", "Name the interval that is heard."),
        one_of((2, 4, 7, 12), (1, 5, 8, 12), (3, 5, 7, 12), (2, 5, 9, 12), (1, 4, 7, 10)),
        INTERVALS.__getitem__, _interval),
    Template("pitch/highest", "music", "perception", (
        "Which of the four notes is the highest?", "Four notes are played. Which has the highest pitch?",
        "One of four notes lies above the others. Which?", "Where in the row of four is the highest note?"),
        four, place, _highest),
    Template("pitch/changed-note", "music", "perception", (
        "A melody of four notes is played twice. Which note is another in the repeat?",
        "The tune comes again with one of its four notes changed. Which one?",
        "Compare the two melodies. At which of the four notes do they part?",
        "Which of the four notes is altered when the melody is repeated?"), four, place, _changed_note),
    Template("harmony/chord", "music", "knowledge", (
        "Which chord is played?", "What is this chord called?", "The notes of a chord come in turn and then together. "
        "Which chord is it?", "Name the kind of chord."),
        one_of(("major", "minor", "diminished", "augmented"), ("major", "minor", "sus4", "diminished"),
               ("major", "minor", "dominant7", "augmented")), CHORDS.__getitem__, _chord),
    Template("harmony/mode", "music", "knowledge", (
        "Which scale is played?", "What is this row of notes called?", "To which kind does the scale belong?",
        "Name the scale that is heard."), apart(tuple(MODES)), MODES.__getitem__, _mode),
    Template("harmony/spread", "music", "perception", (
        "Three notes are played. How?", "How do the three notes come?", "In which way are the three notes played?",
        "What is true of the three notes?"), always("together", "up", "down", "same"), {
            "together": "all at the same time", "up": "in turn, going up", "down": "in turn, going down",
            "same": "in turn, on the same pitch"}.__getitem__, _spread),
    Template("rhythm/metre", "music", "knowledge", (
        "Which time signature fits the accents?", "By its accents, in which metre is this?",
        "How would the metre be written?", "Which metre is beaten?"), always(2, 3, 4, 5), lambda n: f"{n}/4", _metre),
    Template("rhythm/bpm", "music", "knowledge", (
        "About which tempo is beaten?", "To what would a metronome have to be set?", "What is the tempo, roughly?",
        "How fast are the beats?"), one_of((60, 90, 140, 210), (50, 80, 120, 190), (70, 105, 160, 240)),
        lambda tempo: f"{tempo} beats per minute", _bpm),
    Template("rhythm/tempo-change", "music", "perception", (
        "What becomes of the tempo?", "How does the tempo go on?", "Does the tempo change, and how?",
        "What happens to the speed of the beats?"), always("faster", "slower", "steady", "jump"), {
            "faster": "it grows little by little", "slower": "it falls off little by little",
            "steady": "it stays as it is", "jump": "it doubles at one stroke"}.__getitem__, _tempo_change),
    Template("expression/term", "music", "knowledge", (
        "Which term would stand in the score?", "What does the player do, in Italian?",
        "Which musical term names what is heard?", "How would a musician call this?"),
        always("crescendo", "diminuendo", "accelerando", "ritardando"), str, _term),
    Template("expression/ornament", "music", "knowledge", (
        "Which ornament or way of playing is heard on the note?", "What is done to the long note?",
        "What is this way of playing called?", "Name what enlivens the note."),
        always("vibrato", "trill", "glissando", "tremolo"), str, _ornament),
    Template("expression/two-phrases", "music", "perception", (
        "The melody is played twice. How is the second time?", "What is changed when the melody comes again?",
        "Compared with the first time, the melody is then played",
        "How does the repeat differ from the first playing?"),
        always(*COMPARED), lambda how: f"{('slower', 'faster')[how[0] > 0]} and {('softer', 'louder')[how[1] > 0]}",
        _compared),
)  # fmt: skip
