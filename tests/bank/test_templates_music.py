"""The music templates: enough questions, keys that other libraries and closed forms find too, and even ranks."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from akb.bank import checks
from akb.bank.templates import music_harmony, music_notation, music_pitch, music_rhythm, music_sound
from akb.bank.templates.frame import Draft, Template
from akb.errors import AkbError

MODULES = (music_rhythm, music_sound, music_pitch, music_harmony, music_notation)
TEMPLATES = {template.name: template for module in MODULES for template in module.TEMPLATES}
ORDERED = {
    "instruments": 5,
    "rhythm-metre": 19,
    "pitch-intervals-scales": 33,
    "harmony-chords": 25,
    "notation-keys": 21,
    "music-acoustics": 13,
}


def drafts(name: str, count: int = 24) -> list[tuple[Draft, dict[str, Any]]]:
    """Questions of a template for three seeds, with the arguments of their checks."""
    template = next(t for t in TEMPLATES.values() if t.name.endswith(f"/{name}"))
    many = min(count, 6 * template.count)
    return [
        (draft, checks.parse_call(draft.check, name)[1]) for seed in (1, 2, 3) for draft in template.drafts(many, seed)
    ]


def test_the_templates_give_as_many_items_as_were_ordered() -> None:
    counts = Counter[str]()
    for template in TEMPLATES.values():
        assert template.category == "music"
        assert 3 <= template.count <= 8
        counts[template.subcategory] += template.count
    assert counts == ORDERED


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_has_six_sets_of_sound_questions(template: Template) -> None:
    made = template.drafts(6 * template.count, "capacity")
    assert len({draft.about for draft in made}) == 6 * template.count
    for draft in made:
        assert 8 <= len(draft.question.split()) <= 30, draft.question
        assert draft.question.endswith("?")
        assert len(draft.rationale) > 20
        assert draft.rationale.endswith(".")
        assert len(draft.options) == len(set(draft.options)) == 4


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_no_check_accepts_an_option_that_it_cannot_read(template: Template) -> None:
    draft = template.drafts(1, 1)[0]
    with pytest.raises(AkbError):
        checks.prove(draft.check, ["Nonsense 7x", *draft.options[1:]], "here")


@pytest.mark.parametrize(
    "name", ["polyrhythm-attacks", "same-speed", "pipe-resonance", "tuned-by-beats", "bars-played"]
)
def test_keys_stand_evenly_among_numbers(name: str) -> None:
    ranks = Counter[int]()
    for draft, _ in drafts(name, 12):
        values = [int(option.partition(" ")[0].replace(",", "")) for option in draft.options]
        ranks[sorted(values).index(values[0])] += 1
    assert max(ranks.values()) - min(ranks[r] for r in range(4)) <= 3


# -- rhythm and sound ------------------------------------------------------------------------------------------

QUARTERS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "sixteenth": 0.25}


def quarters(text: str) -> float:
    """Length of a note: each dot adds half of what was added before."""
    words = text.lower().replace(" note", "").split()
    plain = QUARTERS[words[-1].removesuffix("s")]
    return plain * {1: 1.0, 2: 1.5}[len(words)] if "double-dotted" not in words else plain * 1.75


def test_note_lengths() -> None:
    for draft, args in drafts("one-beat"):
        top, bottom = map(int, args["metre"].split("/"))
        assert quarters(draft.options[0]) * args["beats"] == pytest.approx(4 * top / bottom)
    for draft, _ in drafts("tied-notes"):
        tied = re.findall(r"(?:a|an) ((?:[a-z-]+ ){1,2}note)", draft.question)
        assert sum(map(quarters, tied)) == quarters(draft.options[0])
        assert all(quarters(option) != quarters(draft.options[0]) for option in draft.options[1:])
    for draft, args in drafts("same-speed"):
        seconds = args["rate"] * quarters(args["unit"])
        assert int(draft.options[0]) == seconds / quarters(args["other"])


def test_music21_fills_the_same_bars() -> None:
    music21 = pytest.importorskip("music21")
    counts = {"One": 1, "Two": 2, "Three": 3}
    for draft, args in drafts("fills-bar"):
        bar = music21.meter.TimeSignature(args["metre"]).barDuration.quarterLength
        lengths = []
        for option in draft.options:
            parts = [part.split(" ", 1) for part in option.split(" and ")]
            lengths.append(sum(counts[n.capitalize()] * quarters(note.replace("notes", "note")) for n, note in parts))
        assert [length == bar for length in lengths] == [True, False, False, False]


def test_attacks_and_beats_by_sampling() -> None:
    for draft, args in drafts("polyrhythm-attacks", 12):
        grid = np.zeros(5040, dtype=bool)
        for many in (args["first"], args["second"]):
            grid[np.arange(many) * 5040 // many] = True
        assert int(draft.options[0]) == grid.sum()
    for draft, args in drafts("note-in-beat", 12):
        top, bottom = map(int, args["metre"].split("/"))
        starts = np.arange(0, 4 * top / bottom, QUARTERS[args["unit"]])
        beats = np.floor(starts / (4 * top / bottom / args["beats"]) + 1e-9) + 1
        places = np.flatnonzero(beats == args["beat"]) + 1
        word = draft.options[0].removeprefix("The ")
        assert music_rhythm.ORDINALS.index(word) == (places[-1] if args["last"] else places[0])


def pitch_hz(music21: Any, text: str) -> float:
    return float(music21.pitch.Pitch(text.replace("♯", "#").replace("♭", "-")).frequency)


def test_strings_by_frequency() -> None:
    music21 = pytest.importorskip("music21")
    for name in ("stopped-string", "touched-harmonic"):
        for draft, args in drafts(name):
            part = Fraction(args["part"])
            factor = float(1 / part) if name == "stopped-string" else part.denominator
            target = pitch_hz(music21, args["string"]) * factor
            off = [abs(np.log2(pitch_hz(music21, option) / target)) * 12 for option in draft.options]
            assert off[0] < 0.5
            assert min(off[1:]) > 0.5


def test_pipes_and_beats_by_simulation() -> None:
    for draft, args in drafts("pipe-resonance"):
        ratios = [int(option[:-3].replace(",", "")) / args["lowest_hz"] for option in draft.options]
        fits = [ratio == int(ratio) and (not args["closed"] or ratio % 2 == 1) for ratio in ratios]
        assert fits == [True, False, False, False]
    rate = 4000
    time = np.arange(4 * rate) / rate
    for draft, args in drafts("tuned-by-beats", 6):

        def beats(string: float, fork: float) -> float:
            """Frequency of the envelope of the two tones, from its spectrum."""
            power = (np.sin(2 * np.pi * string * time) + np.sin(2 * np.pi * fork * time)) ** 2
            spectrum = np.abs(np.fft.rfft((power - power.mean()) * np.hanning(len(time)), 16 * len(time)))
            return float(np.argmax(spectrum[: 40 * 64])) / 64

        string, fork = int(draft.options[0][:-3]), args["fork_hz"]
        before, after = beats(string, fork), beats(string + (0.25 if args["tightened"] else -0.25), fork)
        assert before == pytest.approx(args["beats"], abs=0.05)
        assert (after < before) == args["slower"]


# -- pitch, harmony and notation, by music21 -------------------------------------------------------------------


def plain(option: str) -> str:
    """A note as music21 names it, of an option that may say "natural"."""
    return flat(option.removesuffix(" natural"))


def flat(text: str) -> str:
    """A note's name as music21 spells it."""
    return re.sub(r"(?<=[A-G])b", "-", text.replace("♯", "#").replace("♭", "b"))


def tonic_of(text: str) -> str:
    return flat(text.split()[0])


def test_music21_finds_the_same_intervals() -> None:
    music21 = pytest.importorskip("music21")
    between, named = music21.interval.Interval, music21.interval.Interval
    for draft, args in drafts("interval-name"):
        found = between(music21.note.Note(flat(args["lower"])), music21.note.Note(flat(args["upper"])))
        assert found.niceName.lower() == draft.options[0].lower()
    short = {"minor": "m", "major": "M", "perfect": "P", "augmented": "A", "diminished": "d"}
    numbers = ("unison", "second", "third", "fourth", "fifth", "sixth", "seventh", "octave")

    def interval(text: str) -> Any:
        quality, number = text.lower().split()
        return named(f"{short[quality]}{numbers.index(number) + 1}")

    for draft, args in drafts("note-above"):
        found = interval(args["interval"]).transposePitch(music21.pitch.Pitch(flat(args["start"])))
        assert [found.nameWithOctave == flat(option) for option in draft.options] == [True, False, False, False]
    for draft, args in drafts("inversion"):
        assert interval(args["interval"]).complement.niceName.lower() == draft.options[0].lower()
    for draft, args in drafts("stacked-intervals"):
        total = music21.interval.add([interval(args["first"]), interval(args["second"])])
        assert total.niceName.lower() == draft.options[0].lower()
    for draft, args in drafts("midi-note"):
        assert music21.pitch.Pitch(draft.options[0]).midi == args["number"]


def test_music21_finds_the_same_scales() -> None:
    music21 = pytest.importorskip("music21")
    scale = music21.scale
    modes = {
        "Ionian": scale.MajorScale,
        "Dorian": scale.DorianScale,
        "Phrygian": scale.PhrygianScale,
        "Lydian": scale.LydianScale,
        "Mixolydian": scale.MixolydianScale,
        "Aeolian": scale.MinorScale,
        "Locrian": scale.LocrianScale,
        "harmonic minor": scale.HarmonicMinorScale,
        "major": scale.MajorScale,
        "natural minor": scale.MinorScale,
    }

    def names(kind: str, tonic: str) -> list[str]:
        if kind == "ascending melodic minor":
            return [p.name for p in scale.MelodicMinorScale(tonic).getPitches(f"{tonic}4", f"{tonic}5")][:7]
        return [p.name for p in modes[kind](tonic).getPitches(f"{tonic}4", f"{tonic}5")][:7]

    for draft, args in drafts("mode-in-signature"):
        altered = {p.name for p in music21.key.KeySignature(args["signature"]).alteredPitches}
        fits = [{n for n in names(option, flat(args["tonic"])) if len(n) > 1} == altered for option in draft.options]
        assert fits == [True, False, False, False]
    for draft, args in drafts("changed-note"):
        old, new = names(args["base"], flat(args["tonic"])), names(args["becomes"], flat(args["tonic"]))
        assert [n for n in old if n not in new] == [plain(draft.options[0])]
    for draft, args in drafts("scale-degree"):
        assert names("major", flat(args["tonic"]))[args["degree"] - 1] == plain(draft.options[0])


def test_music21_transposes_the_same_motifs_and_parts() -> None:
    music21 = pytest.importorskip("music21")
    for draft, args in drafts("transposed-motif"):
        notes = [music21.pitch.Pitch(flat(note)) for note in args["motif"].split(", ")]
        by = music21.interval.Interval(notes[0], music21.pitch.Pitch(flat(args["start"])))
        results = [flat(option).split(", ") for option in draft.options]
        assert [[n.transpose(by).name for n in notes] == r for r in results] == [True, False, False, False]
    for draft, args in drafts("part-key"):
        by = music21.interval.Interval(music21.pitch.Pitch("C4"), music21.pitch.Pitch(flat(args["sounds"]) + "4"))
        heard = [music21.pitch.Pitch(tonic_of(option)).transpose(by).name for option in draft.options]
        assert [name == tonic_of(args["concert"]) for name in heard] == [True, False, False, False]


def test_music21_finds_the_same_chords() -> None:
    music21 = pytest.importorskip("music21")
    kinds = {
        "dominant seventh chord": "Dominant seventh",
        "major seventh chord": "Major seventh",
        "minor seventh chord": "Minor seventh",
        "half-diminished seventh chord": "Half-diminished seventh",
        "diminished seventh chord": "Diminished seventh",
    }
    for draft, args in drafts("seventh-root"):
        chord = music21.chord.Chord([flat(note) for note in args["notes"].split()])
        assert chord.root().name == plain(draft.options[0])
    for draft, args in drafts("seventh-kind"):
        chord = music21.chord.Chord([flat(note) for note in args["notes"].split()])
        assert kinds[chord.commonName] == draft.options[0]
    symbols = {"dominant": "7", "major": "maj7", "minor": "m7", "half-diminished": "ø7", "diminished": "o7"}
    for draft, args in drafts("seventh-inversion"):
        root, bass = flat(args["root"]), flat(args["bass"])
        chord = music21.harmony.ChordSymbol(f"{root}{symbols[args['kind'].split()[0]]}/{bass}")
        place = ("Root position", "First inversion", "Second inversion", "Third inversion").index(draft.options[0])
        assert chord.inversion() == place


def test_music21_finds_the_same_functions() -> None:
    music21 = pytest.importorskip("music21")
    key, numeral = music21.key.Key, music21.roman.RomanNumeral
    figures = {"tonic": "I", "supertonic": "ii", "mediant": "iii", "subdominant": "IV", "dominant": "V"}
    figures["submediant"] = "vi"

    def triads(tonic: str) -> set[frozenset[str]]:
        return {frozenset(numeral(f, key(tonic)).pitchNames) for f in figures.values()}

    def chord(text: str) -> frozenset[str]:
        root = music21.pitch.Pitch(tonic_of(text))
        third = root.transpose("M3" if text.endswith("major") else "m3")
        return frozenset((root.name, third.name, root.transpose("P5").name))

    for draft, args in drafts("shared-key", 12):
        both = {chord(args["first"]), chord(args["second"])}
        assert [both <= triads(tonic_of(option)) for option in draft.options] == [True, False, False, False]
    for draft, args in drafts("pivot-chord", 12):
        first = numeral(figures[args["before"]], key(flat(args["tonic"]))).pitchNames
        second = [numeral(figures[args["after"]], key(tonic_of(option))).pitchNames for option in draft.options]
        assert [names == first for names in second] == [True, False, False, False]
    for draft, args in drafts("two-common-tones"):
        shared = [len(chord(option) & chord(args["chord"])) for option in draft.options]
        assert shared[0] == 2
        assert max(shared[1:]) < 2
    for draft, args in drafts("secondary-dominant", 12):
        found = numeral(f"V7/{figures[args['degree']]}", key(flat(args["tonic"])))
        assert found.root().name == flat(draft.options[0].removesuffix("7"))
    motions = {"Authentic": "V I", "Plagal": "IV I", "Deceptive": "V vi"}
    for draft, args in drafts("cadence"):
        home = key(flat(args["tonic"]))
        first, last = (
            next(f for f in figures.values() if frozenset(numeral(f, home).pitchNames) == chord(args[end]))
            for end in ("first", "last")
        )
        assert f"{first} {last}" == motions.get(draft.options[0], f"{first} V")
        assert first != "V" or last != "V"


def test_music21_finds_the_same_signatures() -> None:
    music21 = pytest.importorskip("music21")

    def home(args: dict[str, Any]) -> Any:
        return music21.key.Key(flat(args["tonic"]), args["mode"])

    words = ("no", "one", "two", "three", "four", "five", "six", "seven")
    for draft, args in drafts("key-signature"):
        sharps = home(args).sharps
        count, kind = draft.options[0].lower().split()
        assert words.index(count) * (1 if kind.startswith("sharp") else -1) == sharps
    for draft, args in drafts("last-accidental"):
        assert home(args).alteredPitches[-1].name == flat(draft.options[0])
    signs = {"A double flat": -2, "A flat": -1, "A natural": 0, "A sharp": 1, "A double sharp": 2}
    for draft, args in drafts("accidental-needed"):
        present = home(args).accidentalByStep(args["letter"])
        assert signs[draft.options[0]] == (present.alter if present else 0) + args["shift"]


def test_music21_reads_the_same_clefs() -> None:
    music21 = pytest.importorskip("music21")
    clef = music21.clef
    clefs = {"treble": clef.TrebleClef, "alto": clef.AltoClef, "tenor": clef.TenorClef, "bass": clef.BassClef}

    def steps(note: str) -> int:
        return int(music21.pitch.Pitch(note).diatonicNoteNum)

    for draft, args in drafts("alto-clef"):
        assert steps(draft.options[0]) == clefs[args["clef"]]().lowestLine + args["place"]
    for draft, args in drafts("wrong-clef"):
        moved = steps(args["note"]) - clefs[args["written"]]().lowestLine + clefs[args["read"]]().lowestLine
        assert steps(draft.options[0]) == moved


def test_repeats_by_writing_out_the_bars() -> None:
    for draft, args in drafts("bars-played"):
        played = [*range(1, args["bars"] + 1), *range(args["back_to"], args["fine"] + 1)]
        assert int(draft.options[0]) == len(played)
