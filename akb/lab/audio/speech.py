"""Templates on speech: vowels, intonation, rate, voice, and how it comes to the ear. What is said makes no sense."""

from __future__ import annotations

from random import Random
from typing import Any

from akb.lab.audio.frame import Row, Template, alike_but_one, always, apart, event, four, in_turn, one_of, place, steps
from akb.lab.audio.sounds import COMPARED

WORDS = {"IY": "see", "AE": "cat", "AA": "father", "UW": "food", "ER": "bird"}
F0S = steps(90, 230, 10)
LOWER = F0S[:10]  # the resonances of vowels are well sampled by these
TRACTS = (1.0, 1.05, 1.1, 1.15, 1.2)
ONSETS = ("B", "D", "G", "M", "N", "L", "W", "Y")
PHRASES = (
    "DH AH0 K AE1 T | S AE1 T | D AW1 N", "W IY1 | W IH1 L | G OW1 | N AW1", "M AY1 | D AO1 G | R AE1 N",
    "Y UW1 | M EY1 D | IH1 T", "SH IY1 | N OW1 Z | M AY1 | N EY1 M", "DH EH1 R | W AH1 Z | R EY1 N",
    "HH IY1 | S AO1 | DH AH0 M UW1 N", "AH0 B L UW1 | D AO1 R", "L UH1 K | AE1 T | M IY1",
    "DH AH0 B OY1 | W EH1 N T | AW1 T",
)  # fmt: skip
FAULTS: dict[str, tuple[str, tuple[Row, ...]]] = {
    "clipping": ("clipping", tuple({"kind": "clipping", "under_peak_db": db} for db in (24, 27, 30))),
    "hum": ("mains hum", tuple({"kind": "hum", "f": f, "level_db": -26} for f in (50, 60))),
    "dropouts": ("dropouts", tuple({"kind": "dropouts", "at": at, "seconds": 0.14}
                                   for at in ((0.4, 0.8), (0.5, 0.9), (0.4, 0.9)))),
    "echo": ("an echo", tuple({"kind": "echo", "delay": d, "fall_db": 5, "repeats": 2} for d in (0.4, 0.5, 0.6))),
    "hiss": ("hiss", tuple({"kind": "hiss", "level_db": db} for db in (-36, -34))),
}  # fmt: skip
PATHS: dict[str, tuple[Row, ...]] = {
    "phone": ({"kind": "band_pass", "low": 300, "high": 3400}, {"kind": "band_pass", "low": 350, "high": 3200}),
    "wall": tuple({"kind": "low_pass", "cutoff": f} for f in (350, 400, 450)),
    "hall": tuple({"kind": "reverb", "rt60": rt60, "direct_db": -3} for rt60 in (3.0, 3.5, 4.0)),
    "close": (),
}
SPEAKERS = ((90, 1.0), (140, 1.0), (210, 1.2), (330, 1.4))


def _said(random: Random, **more: Any) -> Row:
    usual: dict[str, Any] = {"phones": random.choice(PHRASES), "f0": random.choice(F0S), "tract": random.choice(TRACTS)}
    return event("speech", **{**usual, **more})


def _vowel(random: Random, vowel: str) -> Row:
    usual: Row = {"f0": random.choice(LOWER), "tract": random.choice(TRACTS), "length": random.choice((0.8, 1.0, 1.2))}
    return {"events": [event("vowel", vowel=vowel, **usual)]}


def _pairs(random: Random) -> list[tuple[str, str]]:
    one, other = random.sample(tuple(WORDS), 2)
    return [(one, other), (other, one), (one, one), (other, other)]


def _pair(random: Random, pair: tuple[str, str]) -> Row:
    usual: Row = {"f0": random.choice(LOWER), "tract": random.choice(TRACTS), "length": random.choice((0.5, 0.6, 0.7))}
    return in_turn([event("vowel", vowel=vowel, **usual) for vowel in pair], random.choice((0.1, 0.2)))


def _odd_vowel(random: Random, which: int) -> Row:
    one, other = random.sample(("IY", "AA", "UW", "AE"), 2)
    usual: Row = {"f0": random.choice(LOWER), "tract": random.choice(TRACTS), "length": 0.45}
    return alike_but_one(which, event("vowel", vowel=one, **usual), event("vowel", vowel=other, **usual), 0.15)


def _contours(random: Random, pair: tuple[str, str]) -> Row:
    usual: Row = {"f0": random.choice(F0S), "tract": random.choice(TRACTS)}
    return in_turn([_said(random, contour=contour, **usual) for contour in pair], random.choice((0.5, 0.6)))


def _glide(random: Random, how: str) -> Row:
    low, ratio = random.choice(steps(100, 170, 10)), random.choice((1.4, 1.5, 1.6))
    usual: Row = {"vowel": random.choice(("AA", "IY", "UW", "AE")), "length": random.choice((0.6, 0.7, 0.8))}
    track = {"up": (0, 1, 2), "down": (2, 1, 0), "up-down": (0, 1, 0), "down-up": (1, 0, 1)}[how]
    f = [round(low * ratio**step, 1) for step in track]
    return in_turn([event("vowel", f0=a, f0_end=b, **usual) for a, b in ((f[0], f[1]), (f[1], f[2]))], 0.0)


def _syllables(random: Random, vowel: str, stresses: list[int]) -> list[str]:
    return [f"{random.choice(ONSETS)} {vowel}{stress}" for stress in stresses]


def _emphasis(random: Random, which: int) -> Row:
    words = " | ".join(_syllables(random, random.choice(("AA", "IY", "EH", "AO")), [1] * 5))
    row = _said(random, phones=words, emphasis=which, span=4, speed=random.choice((0.8, 0.9)), pause=0.06)
    return {"events": [row]}


def _stress(random: Random, which: int) -> Row:
    stresses = [int(number == which) for number in range(5)]
    word = " ".join(_syllables(random, random.choice(("AA", "IY", "EH", "AO")), stresses))
    return {"events": [_said(random, phones=word, span=5, speed=random.choice((0.7, 0.8)))]}


def _compared(random: Random, how: tuple[int, int]) -> Row:
    phones, tract = random.choice(PHRASES), random.choice(TRACTS)
    f0, speed = random.choice((120, 130, 140, 150, 160)), random.choice((0.9, 1.0))
    other = {"f0": round(f0 * 1.45 ** how[1], 1), "speed": round(speed * 1.6 ** how[0], 3)}
    rows: list[Row] = [{"f0": f0, "speed": speed}, other]
    return in_turn([event("speech", phones=phones, tract=tract, **row) for row in rows], 0.5)


def _pause(random: Random, which: int) -> Row:
    usual: Row = {"f0": random.choice(F0S), "tract": random.choice(TRACTS), "contour": "monotone"}
    words = _syllables(random, random.choice(("AA", "IY", "OW", "EY")), [1] * 5)
    gaps = [0.05] * 4
    gaps[which] = random.choice((0.7, 0.8, 0.9))
    return in_turn([event("speech", phones=word, **usual) for word in words], gaps)


def _how_many(random: Random, count: int) -> Row:
    word = " ".join(_syllables(random, random.choice(("AA", "IY", "UW", "OW")), [0] * count))
    slow = {2: 0.4, 3: 0.42, 4: 0.5, 5: 0.6, 6: 0.68}[count]  # the more there are, the faster: lengths tell little
    row = _said(random, phones=word, speed=round(slow + random.choice((0.0, 0.04, 0.08)), 2))
    return {"events": [row], "duration": 4.0}


def _speaker(random: Random, what: tuple[bool, bool]) -> Row:
    f0 = random.choice((200, 210, 220, 230) if what[0] else (90, 95, 100, 105))
    tract = random.choice((1.4, 1.45) if what[1] else (0.95, 1.0))
    rows = [event("vowel", vowel=vowel, f0=f0, tract=tract, length=0.5) for vowel in random.sample(("AA", "IY", "UW",
            "AE", "EH"), 3)]  # fmt: skip
    return in_turn(rows, 0.1)


def _hertz(random: Random, f0: int) -> Row:
    tract = random.choice(TRACTS)
    if random.random() < 0.5:
        vowel, length = random.choice(("AA", "IY", "UW", "AE")), random.choice((0.8, 1.0, 1.2))
        return {"events": [event("vowel", vowel=vowel, f0=f0, tract=tract, length=length)]}
    return {"events": [_said(random, f0=f0, tract=tract, contour="monotone")]}


def _person(random: Random, what: str) -> Row:
    rows: dict[str, Row] = {
        "laugh": {"count": random.choice((5, 6, 7)), "gap": random.choice((0.2, 0.22)),
                  "f0": random.choice((160, 200, 240))},
        "cough": {"count": random.choice((1, 2, 3, 4)), "gap": random.choice((0.45, 0.5, 0.6, 0.7))},
        "baby": {"count": random.choice((2, 3)), "gap": random.choice((1.0, 1.1)),
                 "f0": random.choice((400, 440, 480))},
    }  # fmt: skip
    if what in rows:
        return {"events": [event(what, **rows[what])]}
    if what == "whisper":
        return {"events": [_said(random, whispered=True)]}
    notes = [random.choice((57, 59, 60, 62, 64)) for _ in range(4)]
    return {"events": [event("melody", instrument="sung", notes=notes, tempo=random.choice((90, 100)))]}


def _turns(random: Random, count: int) -> Row:
    """Five turns in which so many speakers take part, nobody twice in a row if there are more than one."""
    voices = random.sample(SPEAKERS, count)
    order: list[tuple[int, float]] = []
    while len(set(order)) < count:
        order = [random.choice(voices)]
        while len(order) < 5:
            order.append(random.choice([voice for voice in voices if voice != order[-1]] or voices))
    contour = random.choice(("statement", "monotone"))
    phones = random.sample(PHRASES[3:], 5)
    rows = [event("speech", phones=text, f0=f0, tract=tract, contour=contour, speed=1.2)
            for text, (f0, tract) in zip(phones, order, strict=True)]  # fmt: skip
    return in_turn(rows, 0.15)


def _path(random: Random, path: str) -> Row:
    row = _said(random, effects=[random.choice(PATHS[path])] if PATHS[path] else [])
    return {"events": [row], "duration": 5.0}


def _fault(random: Random, fault: str) -> Row:
    """Clipping goes before the level is set, for it would make the clip softer than those with other faults."""
    effect, phones = random.choice(FAULTS[fault][1]), " | ".join(random.sample(PHRASES, 2))
    if fault == "clipping":
        return {"events": [_said(random, phones=phones, level_db=-22, effects=[effect])]}
    return {"events": [_said(random, phones=phones, level_db=-22)], "effects": [effect]}


TOLD, ASKED = "statement", "question"
CONTOURS = ((TOLD, TOLD), (ASKED, ASKED), (ASKED, TOLD), (TOLD, ASKED))
PERSON = {
    "laugh": "a person laughing", "cough": "a person coughing", "baby": "a crying baby",
    "whisper": "a person whispering", "sung": "a person singing",
}  # fmt: skip
TEMPLATES = (
    Template("vowels/vowel", "speech", "knowledge", (
        "Which word has the vowel that is held?", "The vowel is that of which word?",
        "In which word does this vowel stand?", "A vowel is held. Which word contains it?"),
        apart(tuple(WORDS)), WORDS.__getitem__, _vowel),
    Template("vowels/pair", "speech", "knowledge", (
        "Two vowels are spoken. In which words do they stand?", "Which words have the two vowels, in their order?",
        "Match the two vowels with the words that contain them.", "From which words could the two vowels be taken?"),
        _pairs, lambda pair: f"{WORDS[pair[0]]}, then {WORDS[pair[1]]}", _pair),
    Template("vowels/another-vowel", "speech", "perception", (
        "Four vowels are spoken. Which is unlike the others?", "One of four vowels is another. Which?",
        "Where in the row of four stands the other vowel?", "Which of the four vowels differs?"),
        four, place, _odd_vowel),
    Template("intonation/sentences", "speech", "knowledge", (
        "By the speech melody, what are the two sentences?", "What does the voice do in turn?",
        "Which kinds of sentence are spoken, by their melody?", "What does the melody say of the two sentences?"),
        always(*CONTOURS), lambda pair: f"a {pair[0]}, then a {pair[1]}", _contours),
    Template("intonation/glide", "speech", "perception", (
        "What does the pitch of the voice do?", "How does the voice move?", "Which course does the voice's pitch take?",
        "Follow the voice. Where does it go?"), always("up", "down", "up-down", "down-up"), {
            "up": "it goes up throughout", "down": "it goes down throughout", "up-down": "it goes up and comes down",
            "down-up": "it goes down and comes up"}.__getitem__, _glide),
    Template("intonation/emphasis", "speech", "perception", (
        "Which of the five words is emphasised?", "On which word lies the emphasis?",
        "One of five words is given more weight. Which?", "Which of the words does the speaker stress most?"),
        four, place, _emphasis),
    Template("intonation/stress", "speech", "perception", (
        "A word of five syllables is spoken. Which syllable is stressed?", "Where does the stress of the word lie?",
        "Which of the syllables carries the stress?", "On which syllable is the word stressed?"), four, place, _stress),
    Template("rate/two-utterances", "speech", "perception", (
        "The same is said twice. How is the second time?", "How does the repetition differ?",
        "Compared with the first time, the second is spoken", "What does the voice change when it says it again?"),
        always(*COMPARED), lambda how: f"{('slower', 'faster')[how[0] > 0]} and {('lower', 'higher')[how[1] > 0]}",
        _compared),
    Template("rate/pause", "speech", "perception", (
        "Five words are spoken. After which is there a pause?", "After which of the words does the speaker stop?",
        "Where is the pause among the five words? After", "The row of words is broken by a silence. After which?"),
        four, lambda which: f"{place(which)} word", _pause),
    Template("rate/syllables", "speech", "perception", (
        "How many syllables are spoken?", "Count the syllables. How many are there?",
        "Of how many syllables is the word made?", "How many syllables has this made-up word?"),
        one_of((2, 3, 4, 5), (3, 4, 5, 6)), str, _how_many),
    Template("voice/speaker", "speech", "knowledge", (
        "Judge pitch and resonances. What speaks?", "By pitch and formants, what kind of voice is it?",
        "Which description fits voice and mouth?", "Pitch and vocal tract: which of these is heard?"),
        always((False, False), (False, True), (True, False), (True, True)),
        lambda what: f"{('low', 'high')[what[0]]} pitch, {('long', 'short')[what[1]]} vocal tract", _speaker),
    Template("voice/hertz", "speech", "knowledge", (
        "About what is the fundamental frequency of the voice?", "How many times a second do the vocal folds close?",
        "Which f0 would be measured, roughly?", "About where does the pitch of the voice lie?"),
        one_of((80, 130, 210, 340), (90, 150, 240, 380), (100, 160, 260, 420)), lambda f0: f"{f0} Hz", _hertz),
    Template("voice/person", "speech", "knowledge", (
        "What is heard?", "Who or what is it?", "Which of these does the clip hold?", "What is going on?"),
        apart(tuple(PERSON)), PERSON.__getitem__, _person),
    Template("surroundings/speakers", "speech", "perception", (
        "How many different speakers take part?", "How many voices are there in the talk?",
        "Five turns are spoken. By how many people?", "Count the speakers. How many are they?"),
        always(1, 2, 3, 4), {1: "one", 2: "two", 3: "three", 4: "four"}.__getitem__, _turns),
    Template("surroundings/path", "speech", "knowledge", (
        "How does the voice come to the listener?", "On which way was the voice changed?",
        "From where could one hear the speaker like this?", "Which of these fits what is heard?"),
        always("phone", "wall", "hall", "close"), {
            "phone": "over a telephone", "wall": "through a thick wall", "hall": "across a large stone hall",
            "close": "straight into a good microphone"}.__getitem__, _path),
    Template("surroundings/fault", "speech", "knowledge", (
        "What is wrong with the recording?", "Which fault does the recording have?", "What would an engineer mend?",
        "What disturbs the speech?"), apart(tuple(FAULTS)), lambda fault: FAULTS[fault][0], _fault),
)  # fmt: skip
