"""Templates on sounds: sources, events, pitch and loudness, quality, rooms."""

from __future__ import annotations

from itertools import permutations
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
    made,
    one_of,
    place,
    steps,
)  # fmt: skip

SCALES = steps(0.8, 1.2, 0.05)
ANIMALS: dict[str, dict[str, Any]] = {
    "dog": {"count": (2, 3, 4), "gap": (0.4, 0.5, 0.6), "scale": SCALES},
    "cat": {"count": (1, 2), "gap": (1.1, 1.2, 1.3), "scale": SCALES},
    "bird": {"count": (5, 7, 9), "gap": (0.2, 0.25, 0.3), "scale": SCALES},
    "cricket": {"count": (4, 5, 6), "gap": (0.35, 0.4, 0.5), "scale": SCALES},
    "frog": {"count": (2, 3, 4), "gap": (0.6, 0.7, 0.8), "scale": SCALES},
    "owl": {"count": (2, 3), "gap": (0.8, 0.9, 1.0), "scale": SCALES},
    "cow": {"count": (1, 2), "gap": (1.8, 2.0), "scale": SCALES},
    "sheep": {"count": (1, 2), "gap": (1.1, 1.2, 1.4), "scale": SCALES},
    "duck": {"count": (3, 4, 5), "gap": (0.3, 0.35, 0.45), "scale": SCALES},
    "rooster": {"count": (1, 2), "gap": (1.8, 2.0), "scale": SCALES},
    "cuckoo": {"count": (2, 3), "gap": (1.0, 1.1, 1.2), "scale": SCALES, "semitones": (3, 4)},
    "wolf": {"count": (1,), "scale": steps(0.7, 1.3, 0.05)},
    "bee": {"f": steps(180, 280, 10), "length": (1.6, 2.0, 2.4)},
}
SIGNALS: dict[str, dict[str, Any]] = {
    "siren": {"cycle": (1.2, 1.5, 2.0), "low": (450, 500, 550, 600), "high": (1200, 1300, 1400), "length": (3.0,)},
    "two_tone": {"each": (0.4, 0.5, 0.6), "first": (560, 585, 610), "second": (420, 440), "length": (2.4, 3.0)},
    "phone": {"count": (1, 2, 3), "gap": steps(1.5, 2.0, 0.1), "length": (None,)},
    "horn": {"count": (1, 2, 3), "gap": steps(0.7, 1.1, 0.1)},
    "whistle": {"f": steps(2500, 3300, 100), "length": (0.6, 0.8, 1.0)},
    "train_whistle": {"length": steps(1.4, 2.6, 0.1)},
    "hand_bell": {"count": (2, 3, 4), "gap": (0.5, 0.6, 0.7), "f": (1600, 1800, 2000)},
    "sonar": {"count": (1, 2, 3), "gap": steps(1.2, 1.8, 0.1)},
    "buzzer": {"f": steps(100, 150, 10), "length": (0.7, 0.9, 1.1)},
    "beeps": {"count": (3, 4, 5), "gap": (0.3, 0.4, 0.5), "f": (800, 1000, 1200)},
}
ACTIONS: dict[str, dict[str, Any]] = {
    "knocks": {"count": (3, 4, 5, 6), "gap": steps(0.25, 0.45, 0.05)},
    "hammer": {"count": (3, 4, 5, 6), "gap": steps(0.45, 0.7, 0.05)},
    "footsteps": {"count": (5, 6, 7, 8), "gap": steps(0.4, 0.6, 0.05), "floor": ("hard", "gravel")},
    "clock": {"count": (5, 6, 7, 8), "gap": steps(0.4, 0.65, 0.05)},
    "drips": {"count": (3, 4, 5, 6), "gap": steps(0.45, 0.8, 0.05)},
    "ball": {"first_gap": steps(0.45, 0.65, 0.05), "restitution": (0.7, 0.75, 0.8), "count": (8, 9, 10)},
    "claps": {"count": (3, 4, 5, 6), "gap": steps(0.3, 0.55, 0.05)},
    "hooves": {"count": (3, 4, 5, 6), "gap": steps(0.45, 0.6, 0.05), "gait": ("trot", "gallop")},
    "glass": {"length": steps(0.7, 1.6, 0.05)},
    "heart": {"count": (3, 4, 5), "gap": steps(0.65, 0.95, 0.05)},
}
BEHIND: dict[str, dict[str, Any]] = {
    "rain": {"density": (300, 450, 600, 800)}, "waves": {"cycle": (2.0, 2.5, 3.0)}, "stream": {}, "wind": {},
    "fire": {"crackles": (10, 14, 18)}, "helicopter": {"rate": (10, 12, 14)}, "engine": {"rate": (25, 30, 35)},
    "bee": {"f": (200, 230, 260)}, "drill": {"f": (380, 420, 460)},
}  # fmt: skip
LABELS = {
    "dog": "a barking dog", "cat": "a meowing cat", "bird": "a chirping bird", "cricket": "a chirping cricket",
    "frog": "a croaking frog", "owl": "a hooting owl", "cow": "a mooing cow", "sheep": "a bleating sheep",
    "duck": "a quacking duck", "rooster": "a crowing rooster", "cuckoo": "a cuckoo", "wolf": "a howling wolf",
    "bee": "a buzzing bee", "siren": "a siren", "two_tone": "a two-tone emergency horn",
    "phone": "an old telephone ringing", "horn": "a car horn", "whistle": "a referee's whistle",
    "train_whistle": "a train whistle", "hand_bell": "a small bell", "sonar": "a sonar ping", "buzzer": "a buzzer",
    "beeps": "electronic beeps", "knocks": "knocks on a wooden door", "hammer": "a hammer on metal",
    "footsteps": "footsteps", "clock": "a ticking clock", "drips": "dripping water", "ball": "a bouncing ball",
    "claps": "hand claps", "hooves": "a horse's hooves", "glass": "breaking glass", "heart": "a heartbeat",
    "rain": "rain", "waves": "waves on a beach", "stream": "a flowing stream", "wind": "wind",
    "fire": "a crackling fire", "helicopter": "a helicopter", "engine": "an engine", "drill": "an electric drill",
}  # fmt: skip
NEAR_ANIMALS = (("bird", "cricket"), ("owl", "cuckoo"), ("owl", "wolf"), ("cat", "sheep"), ("cat", "wolf"))
NEAR_SIGNALS = (
    ("sonar", "beeps"), ("sonar", "hand_bell"), ("horn", "train_whistle"), ("horn", "two_tone"), ("horn", "buzzer"),
    ("phone", "hand_bell"), ("train_whistle", "two_tone"), ("train_whistle", "whistle"), ("siren", "two_tone"),
)  # fmt: skip
NEAR_ACTIONS = (
    ("knocks", "footsteps"), ("knocks", "ball"), ("knocks", "hooves"), ("knocks", "heart"), ("footsteps", "hooves"),
    ("footsteps", "ball"), ("footsteps", "heart"), ("ball", "hooves"), ("hammer", "glass"), ("claps", "footsteps"),
)  # fmt: skip
BRIEF = ("dog", "cat", "horn", "whistle", "hand_bell", "claps", "glass", "duck")
STRUCK = ("knocks", "hammer", "claps", "drips", "hand_bell", "beeps")
LOUD = (-30, -28, -26)


def _alone(table: dict[str, dict[str, Any]]) -> Any:
    def scene(random: Random, source: str) -> Row:
        return {"events": [made(source, table, random, level_db=random.choice(LOUD))]}

    return scene


def _orders(random: Random) -> list[tuple[str, ...]]:
    return random.sample(list(permutations(random.sample(BRIEF, 3))), 4)


def _brief(source: str, random: Random) -> Row:
    count = {"dog": 2, "cat": 1, "horn": 1, "hand_bell": 1, "claps": 3, "duck": 2}.get(source)
    more: dict[str, Any] = {} if count is None else {"count": count}
    table = {**ANIMALS, **SIGNALS, **ACTIONS}
    return made(source, table, random, **more)


def _order(random: Random, order: tuple[str, ...]) -> Row:
    return in_turn([_brief(source, random) for source in order], random.choice((0.3, 0.4, 0.5)))


def _count(random: Random, count: int) -> Row:
    """All counts take as long, so that the length does not tell them."""
    source, span = random.choice((*STRUCK, "dog")), random.choice((1.6, 1.8, 2.0, 2.2, 2.4))
    return {"events": [event(source, count=count, gap=round(span / (count - 1), 2))], "duration": 4.0}


def _pace(random: Random, how: str) -> Row:
    first, ratio = random.choice((0.16, 0.18, 0.2)), random.choice((1.25, 1.3, 1.35))
    gaps = [round(first * ratio**number, 2) for number in range(6)]
    if how == "faster":
        gaps.reverse()
    elif how == "even":
        gaps = [random.choice((0.3, 0.35, 0.4, 0.45))] * 6
    elif how == "uneven":
        short, long = random.choice((0.16, 0.2)), random.choice((0.6, 0.7))
        gaps = [short] * 3 + [long] * 3
        while gaps in (sorted(gaps), sorted(gaps, reverse=True)):
            random.shuffle(gaps)
    source = random.choice(("knocks", "claps", "hammer", "drips"))
    at, events = 0.2, []
    for gap in [*gaps, 0.0]:
        events.append(event(source, round(at, 2), count=1))
        at += gap
    return {"events": events}


def _glide(random: Random, how: str) -> Row:
    low, ratio = random.choice((220, 260, 300, 350, 420, 500)), random.choice((1.5, 1.6, 1.8))
    wave, length = random.choice(("sine", "triangle", "saw")), random.choice((0.8, 1.0, 1.2))
    track = {"up": (0, 1, 2), "down": (2, 1, 0), "up-down": (0, 1, 0), "down-up": (1, 0, 1)}[how]
    f = [round(low * ratio**step, 2) for step in track]
    pair = [event("tone", wave=wave, f=a, f_end=b, length=length) for a, b in ((f[0], f[1]), (f[1], f[2]))]
    return in_turn(pair, 0.0)


def _loudest(random: Random, which: int) -> Row:
    source = random.choice(("tone", "noise", "knocks", "hand_bell"))
    table: dict[str, Row] = {
        "tone": {"wave": random.choice(("sine", "saw")), "f": random.choice((350, 500, 700, 900)), "length": 0.5},
        "noise": {"colour": random.choice(("white", "pink")), "length": 0.5},
        "knocks": {"count": random.choice((1, 2)), "gap": 0.2},
        "hand_bell": {"count": 1, "f": random.choice((1200, 1600, 2000)), "length": 0.6},
    }
    what, soft = table[source], random.choice((-38, -37, -36))
    loud = soft + random.choice((8, 9, 10))
    gaps = random.choice((0.3, 0.4))
    return alike_but_one(which, event(source, level_db=soft, **what), event(source, level_db=loud, **what), gaps)


def _compared(random: Random, how: tuple[int, int]) -> Row:
    f, step = random.choice((450, 500, 560, 630, 700, 800)), random.choice((5, 6, 7))
    wave, length = random.choice(("sine", "triangle", "saw")), random.choice((0.7, 0.9))
    first = event("tone", wave=wave, f=f, length=length, level_db=-32)
    other = {"f": round(f * 2 ** (how[0] * step / 12), 2), "level_db": -32 + how[1] * random.choice((9, 10))}
    return in_turn([first, event("tone", wave=wave, length=length, **other)], random.choice((0.3, 0.4)))


def _tone(random: Random, hertz: int) -> Row:
    bursts, length = random.choice((1, 2, 3, 4)), random.choice((0.4, 0.5, 0.6, 0.7))
    return in_turn([event("tone", f=hertz, length=length)] * bursts, random.choice((0.2, 0.3, 0.4)))


def _colour(random: Random, colour: str) -> Row:
    bursts, length = random.choice((1, 2, 3)), random.choice((0.6, 0.8, 1.0, 1.2))
    return in_turn([event("noise", colour=colour, length=length)] * bursts, random.choice((0.2, 0.3, 0.4)))


def _filtered(random: Random, what: str) -> Row:
    effect: dict[str, Row] = {
        "high": {"kind": "low_pass", "cutoff": random.choice((700, 800, 900, 1000))},
        "low": {"kind": "high_pass", "cutoff": random.choice((2500, 2800, 3100))},
        "ends": {"kind": "band_pass", "low": random.choice((800, 900, 1000)), "high": random.choice((1700, 1900))},
    }
    usual: Row = {"colour": random.choice(("white", "pink")), "length": random.choice((0.8, 1.0, 1.1, 1.2, 1.4))}
    changed = [effect[what]] if what in effect else []
    return in_turn([event("noise", **usual), event("noise", effects=changed, **usual)], random.choice((0.2, 0.3, 0.4)))


def _in_room(random: Random, rt60: float) -> Row:
    source, count = random.choice(("claps", "knocks", "hammer", "beeps", "dog")), random.choice((1, 2, 3))
    row = event(source, count=count, gap=random.choice((0.7, 0.8, 0.9)), level_db=-30)
    room = {"kind": "reverb", "rt60": rt60, "direct_db": random.choice((0, -2))}
    return {"events": [row], "effects": [room] if rt60 else [], "duration": 5.5}


def _place(random: Random, where: str) -> Row:
    rooms = {"out": (0.0,), "living": (0.35, 0.4, 0.45, 0.5), "concert": (1.8, 2.0, 2.2), "cathedral": (6.0, 7.0, 8.0)}
    return _in_room(random, random.choice(rooms[where]))


def _rooms(random: Random, which: int) -> Row:
    source = random.choice(("claps", "knocks", "hammer", "drips"))
    dry, wet = random.choice((0.3, 0.35, 0.4)), random.choice((1.4, 1.6, 1.8))
    rows = [event(source, count=1, effects=[{"kind": "reverb", "rt60": rt60}]) for rt60 in (dry, wet)]
    return alike_but_one(which, rows[0], rows[1], random.choice((1.0, 1.1, 1.2)))


def _behind(random: Random) -> list[str]:
    """At most one of those that are like one another."""
    clear = random.sample(("rain", "waves", "stream", random.choice(("bee", "drill"))), 3)
    return [*clear, random.choice(("wind", "fire", "helicopter", "engine"))]


def _background(random: Random, behind: str) -> Row:
    front = random.choice(("dog", "knocks", "beeps", "hand_bell", "duck"))
    row = event(front, count=random.choice((2, 3, 4)), gap=random.choice((0.5, 0.6)), level_db=-24, start=0.8)
    params = {name: random.choice(values) for name, values in BEHIND[behind].items()}
    level = -24 - random.choice((6, 7, 8, 9, 10))
    return {"events": [row], "background": {"source": behind, "params": params, "level_db": level}, "duration": 4.0}


def _say(source: str) -> str:
    return LABELS[source]


COMPARED = ((1, 1), (1, -1), (-1, 1), (-1, -1))
TEMPLATES = (
    Template("sources/animal", "sound", "knowledge", (
        "Which animal is heard?", "Whose call is this?", "The call in the clip is like that of which animal?",
        "Which of these could have made the sound?"), apart(tuple(ANIMALS), NEAR_ANIMALS), _say, _alone(ANIMALS)),
    Template("sources/signal", "sound", "knowledge", (
        "What gives the warning or the call that is heard?", "Where does the signal come from?",
        "Which of these signals is played?", "What is it that sounds here?"),
        apart(tuple(SIGNALS), NEAR_SIGNALS), _say, _alone(SIGNALS)),
    Template("sources/action", "sound", "knowledge", (
        "What happens in the clip?", "What is being heard?", "Which everyday event sounds like this?",
        "What could have made these sounds?"), apart(tuple(ACTIONS), NEAR_ACTIONS), _say, _alone(ACTIONS)),
    Template("events/order", "sound", "knowledge", (
        "In which order are the three sounds heard?", "What comes first, what comes next and what comes last?",
        "Which list gives the sounds in the order in which they come?", "How do the three sounds follow one another?"),
        _orders, lambda order: ", then ".join(map(_say, order)), _order),
    Template("events/count", "sound", "perception", (
        "How many times does the sound come?", "Count the separate sounds. How many are there?",
        "How often is the sound heard in all?", "How many single sounds are in the clip?"),
        one_of((2, 3, 4, 5), (3, 4, 5, 6)), str, _count),
    Template("events/pace", "sound", "perception", (
        "How do the sounds follow one another in time?", "What becomes of the pace of the sounds?",
        "How does the time between one sound and the next go on?", "What can be said of the pace?"),
        always("faster", "slower", "even", "uneven"), {
            "faster": "faster and faster", "slower": "slower and slower", "even": "at even distances",
            "uneven": "at uneven distances"}.__getitem__, _pace),
    Template("pitch-loudness/glide", "sound", "perception", (
        "What does the pitch of the tone do?", "How does the tone move?", "Which course does the pitch take?",
        "Follow the pitch. What does it do?"), always("up", "down", "up-down", "down-up"), {
            "up": "it rises throughout", "down": "it falls throughout", "up-down": "it rises and then falls",
            "down-up": "it falls and then rises"}.__getitem__, _glide),
    Template("pitch-loudness/loudest", "sound", "perception", (
        "Four sounds are heard. Which is the loudest?", "Which of the four sounds is louder than the others?",
        "One of four sounds is stronger than the rest. Which?", "Of the four sounds, which has the highest level?"),
        four, place, _loudest),
    Template("pitch-loudness/two-tones", "sound", "perception", (
        "Two tones are heard. How does the second differ from the first?", "Set beside the first tone, the second is",
        "What changes from the first tone to the second?",
        "The second tone, compared with the first, is"),
        always(*COMPARED), lambda how: f"{('lower', 'higher')[how[0] > 0]} and {('softer', 'louder')[how[1] > 0]}",
        _compared),
    Template("pitch-loudness/frequency", "sound", "knowledge", (
        "About what is the frequency of the tone?", "Which frequency comes nearest to that of the tone?",
        "A frequency counter shows the tone's frequency. About what does it show?",
        "How high is the tone, as a frequency?"),
        one_of((125, 500, 2000, 6000), (100, 400, 1500, 5000), (80, 250, 1000, 4000), (160, 630, 2500, 7000)),
        lambda hertz: f"{hertz} Hz", _tone),
    Template("quality/colour", "sound", "knowledge", (
        "Which colour of noise is heard?", "What is noise with this spectrum called?",
        "By its spectrum, which kind of noise is this?", "Which noise is played?"),
        one_of(("white", "pink", "brown", "violet"), ("white", "pink", "brown", "blue")),
        lambda colour: f"{colour} noise", _colour),
    Template("quality/filtered", "sound", "perception", (
        "The same sound comes twice. What is missing the second time?", "What does the sound lose when it comes again?",
        "What was filtered out of the sound for its second half?", "Of the sound, what is gone the second time?"),
        always("high", "low", "ends", "nothing"), {
            "high": "its high frequencies", "low": "its low frequencies", "ends": "its lowest and highest frequencies",
            "nothing": "nothing at all"}.__getitem__, _filtered),
    Template("space/place", "sound", "knowledge", (
        "By the reverberation, where was this most likely made?", "Which place has such a reverberation?",
        "Where could one hear it like this?", "To which surroundings does the sound belong?"),
        always("out", "living", "concert", "cathedral"), {
            "out": "in an open field", "living": "in a furnished living room", "concert": "in a concert hall",
            "cathedral": "in a large cathedral"}.__getitem__, _place),
    Template("space/rt60", "sound", "knowledge", (
        "About how long is the reverberation time (RT60)?", "Which RT60 fits the room that is heard?",
        "Estimate the time in which the reverberation falls by 60 dB.", "What would a measurement of RT60 give here?"),
        one_of((0.3, 0.8, 2, 5), (0.4, 1, 2.5, 6), (0.25, 0.7, 1.8, 4.5)), lambda rt60: f"{rt60} s", _in_room),
    Template("space/most-reverberant", "sound", "perception", (
        "Which of the four sounds rings on the longest?", "Which of the four has the most reverberation?",
        "One of four sounds was made in a larger room than the others. Which?",
        "After which of the four sounds does the room ring on?"), four, place, _rooms),
    Template("space/background", "sound", "knowledge", (
        "What is heard in the background?", "What goes on behind the sounds in front?",
        "Which sound lies under the whole clip?", "What surrounds the nearer sounds?"), _behind, _say, _background),
)  # fmt: skip
