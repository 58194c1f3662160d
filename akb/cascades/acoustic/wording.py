"""Measures put into words. Every word a caption can hold stands in this file; VOCABULARY lists them.

The words are those in which acousticians, musicians and phoneticians report measurements. They name properties, never
sources, and were fixed before any question was written for this package's own audio benchmark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from akb.cascades.acoustic.events import Events
from akb.cascades.acoustic.faults import Faults
from akb.cascades.acoustic.level import Level
from akb.cascades.acoustic.measures import Measures
from akb.cascades.acoustic.melody import Pitch
from akb.cascades.acoustic.partials import Partials
from akb.cascades.acoustic.parts import Part
from akb.cascades.acoustic.rhythm import Rhythm
from akb.cascades.acoustic.spectrum import Spectrum
from akb.cascades.acoustic.speech import Speech
from akb.cascades.acoustic.words import CHORDS, INTERVALS, PHRASES, TERMS, amount, hertz, note, rate, seconds

MOST = 12  # items of a list that are told


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Za-z][A-Za-z'\-]*", re.sub(r"\{[a-z]+\}", " ", text))}


VOCABULARY: frozenset[str] = frozenset(
    word for text in [*PHRASES.values(), *TERMS.values(), *INTERVALS, *CHORDS.values()] for word in _words(text)
)


def caption(measures: Measures, whole: float | None = None) -> str:
    """A clip's measures as one paragraph of short sentences; what could not be measured is left out, or said to be
    unknown where a listener would expect it.

    Args:
        measures: of the clip, or of its beginning.
        whole: seconds of the whole clip, where only its beginning was measured; infinite where that is not known.

    >>> import numpy as np
    >>> from akb.cascades.acoustic.measures import measure
    >>> caption(measure(np.zeros(16000), 16000))
    'The clip lasts 1.0 s. It is silent, or nearly so (below -80 dBFS).'
    """
    return " ".join(_sentences(measures, whole))


def _say(phrase: str, /, **values: object) -> str:
    return PHRASES[phrase].format(**values)


def _sentences(m: Measures, whole: float | None) -> Iterator[str]:
    if whole is None:
        yield _say("duration", s=seconds(m.seconds))
    else:
        yield _say("cut unknown" if np.isinf(whole) else "cut", s=seconds(whole), heard=seconds(m.seconds))
    if m.silent:
        yield _say("silent" if whole is None else "cut silent")
        yield from _faults(m.faults)
        return
    assert m.events is not None
    assert m.pitch is not None
    assert m.partials is not None
    assert m.rhythm is not None
    assert m.spectrum is not None
    assert m.speech is not None
    yield from _level(m.level)
    yield from _events(m.events, m.kinds, m.seconds)
    yield from _rhythm(m.rhythm, len(m.events.events))
    yield from _tone(m.pitch, m.partials, m.spectrum)
    yield from _spectrum(m.spectrum)
    yield from _speech(m.speech, m.pitch)
    yield from _parts(m.parts)
    yield from _faults(m.faults)


def _level(level: Level) -> Iterator[str]:
    value = level.rms if level.loudness is None else level.loudness
    scale = TERMS[next(name for bar, name in ((-50, "very soft"), (-35, "soft"), (-20, "moderate"), (-10, "loud"),
                                              (999, "very loud")) if value < bar)]  # fmt: skip
    yield _say("rms" if level.loudness is None else "loudness", n=amount(value), scale=scale)
    if level.course is not None and not (level.course == "steady" and level.pulse_hz is not None):
        yield _say(level.course, n=amount(abs(level.change)))
    if level.pulse_hz is not None:
        yield _say("pulse", n=rate(level.pulse_hz), how=TERMS["deeply" if level.pulse_depth > 0.6 else "slightly"])


def _list(items: list[str], unit: str = "") -> str:
    return ", ".join(items[:MOST]) + unit + (f" {TERMS['more']}" if len(items) > MOST else "")


def _events(events: Events, kinds: tuple[int, ...], length: float) -> Iterator[str]:
    count, stretches = len(events.events), events.stretches
    times = _list([f"{event.start:.1f}" for event in events.events], TERMS["s"])
    if count:
        yield _say("one event" if count == 1 else "events", n=count, times=times)
    if 2 <= count <= 60 and len(kinds) <= 4:
        sizes = _list([str(size) for size in kinds])
        name = "alike" if len(kinds) == 1 else "differ" if len(kinds) == count else "kinds"
        yield _say(name, n=len(kinds), sizes=sizes)
    if stretches and stretches[0][0] >= 0.2:
        yield _say("lead", s=seconds(stretches[0][0]))
    gaps = [b[0] - a[1] for a, b in pairwise(stretches)]
    if gaps:
        yield _say("pauses", n=len(stretches), s=seconds(max(gaps)))
    if stretches and length - stretches[-1][1] >= 0.2:
        yield _say("tail", s=seconds(length - stretches[-1][1]))
    if count:
        yield from _shape(events, count)


def _shape(events: Events, count: int) -> Iterator[str]:
    whose = TERMS["it" if count == 1 else "each"]
    typical = float(np.median([event.end - event.start for event in events.events]))
    if typical < 0.05:
        yield _say("click", whose=whose)
    elif count > 1:
        yield _say("lasting", s=amount(typical, 2))
    if events.attack is not None and typical >= 0.05:
        slow = next(name for bar, name in ((0.02, "abrupt"), (0.08, "fast"), (9e9, "gradual")) if events.attack < bar)
        yield _say(slow, s=amount(events.attack, 1))
    if events.decay is not None and 2 * events.decays >= count:
        size = next(name for bar, name in ((0.3, "short"), (1.0, "medium"), (9e9, "long")) if events.decay < bar)
        yield _say("decay", s=amount(events.decay, 2), size=TERMS[size])
        held = float(np.median([event.held for event in events.events]))
        if held > 0.1 + 0.08 * events.decay and events.decay > 0.25:
            yield _say("reverberant")
    elif typical >= 0.25 and all(event.held > 0.6 * (event.end - event.start) for event in events.events):
        yield _say("held")


def _rhythm(rhythm: Rhythm, count: int) -> Iterator[str]:
    if count < 4:
        return
    if rhythm.course in ("quickening", "slowing"):
        yield _say(rhythm.course)
        return
    yield _say("even" if rhythm.even else "uneven")
    if rhythm.tempo is not None:
        yield _say("tempo", n=round(rhythm.tempo))
        if rhythm.metre is not None:
            yield _say("metre", nth=TERMS[f"beat {rhythm.metre}"])
    else:
        yield _say("no tempo")


def _tone(pitch: Pitch, partials: Partials, spectrum: Spectrum) -> Iterator[str]:
    if partials.chords:
        yield _say("chords", n=len(partials.chords), names="; ".join(_chord(c) for c in partials.chords[:MOST]))
        return
    if len(partials.pitches) > 1:
        yield _say("pitches", n=len(partials.pitches), names=", ".join(hertz(h) for h in partials.pitches))
        yield from _intervals(partials.pitches)
        return
    if partials.inharmonic:
        yield _say("inharmonic", names=", ".join(f"{round(h)}" for h in partials.lines))
        return
    if pitch.hz is None or pitch.course is None:
        yield _say("no pitch" if spectrum.noisiness is not None and spectrum.noisiness > 0.7 else "unclear pitch")
        return
    yield from _pitch(pitch)
    yield from _timbre(partials, spectrum)


def _pitch(pitch: Pitch) -> Iterator[str]:
    assert pitch.hz is not None
    assert pitch.low is not None
    assert pitch.high is not None
    low, high = hertz(pitch.low), hertz(pitch.high)
    if pitch.course == "steps":
        yield from _steps(pitch)
        return
    yield _say(f"pitch {pitch.course}", hz=hertz(pitch.hz), low=low, high=high, n=round(abs(pitch.change)),
               rate=rate(pitch.rate), cents=amount(pitch.extent))  # fmt: skip


def _steps(pitch: Pitch) -> Iterator[str]:
    notes = [note(n.hz) for n in pitch.notes]
    yield _say("steps", n=len(notes), names=_list(notes))
    values = np.array([round(12 * np.log2(n.hz / pitch.notes[0].hz)) for n in pitch.notes])
    moves = np.diff(values)
    if len(notes) == 2 and moves[0]:
        yield _say("up by" if moves[0] > 0 else "down by", interval=_interval(int(moves[0])))
    elif len(notes) > 2 and len(set(values.tolist())) == 2 and (moves != 0).all():
        yield _say("alternating", interval=_interval(int(moves[0])))
    elif len(notes) > 2 and (moves != 0).any():
        course = "steps up" if (moves >= 0).all() else "steps down" if (moves <= 0).all() else "steps both"
        yield _say(course, n=int(np.ptp(values)))
    elif len(notes) > 2:
        yield _say("repeated")


def _interval(semitones: int) -> str:
    size = abs(semitones)
    return INTERVALS[size] if size < len(INTERVALS) else INTERVALS[-1]


def _chord(pitches: tuple[float, ...]) -> str:
    names = " ".join(note(h) for h in pitches)
    kind = _chord_name(pitches)
    return f"{names} ({kind})" if kind else names


def _chord_name(pitches: tuple[float, ...]) -> str:
    """A triad's or seventh chord's name, if its pitch classes make one in some inversion."""
    classes = sorted({round(12 * np.log2(h / pitches[0])) % 12 for h in pitches})
    for root in classes:
        found = CHORDS.get(tuple(sorted((c - root) % 12 for c in classes)))
        if found:
            return found
    return ""


def _intervals(pitches: tuple[float, ...]) -> Iterator[str]:
    if len(pitches) == 2:
        yield _say("interval", interval=_interval(round(12 * np.log2(pitches[1] / pitches[0]))))
    elif name := _chord_name(pitches):
        yield _say("chord", name=name)


def _timbre(partials: Partials, spectrum: Spectrum) -> Iterator[str]:
    if partials.pure:
        yield _say("pure")
        return
    if partials.odd_even is not None and abs(partials.odd_even) > 12:
        yield _say("odd" if partials.odd_even > 0 else "even harmonics")
    if partials.harmonicity is not None:
        bars = ((6, "noisy tone"), (14, "fair tone"), (999, "clear tone"))
        value = partials.harmonicity
        yield _say(next(name for bar, name in bars if value < bar), n=amount(value))


def _spectrum(spectrum: Spectrum) -> Iterator[str]:
    noisy = spectrum.noisiness
    if noisy is not None:
        yield _say("noise" if noisy > 0.7 else "tonal" if noisy < 0.35 else "mixed")
    bars = ((300, "very dull"), (800, "dull"), (2000, "medium"), (4500, "bright"), (9e9, "very bright"))
    colour = next(name for bar, name in bars if spectrum.centroid < bar)
    yield _say("centroid", n=amount(spectrum.centroid), colour=TERMS[colour])
    yield _say("band", low=amount(spectrum.low), high=amount(spectrum.high))
    if spectrum.slope is not None and spectrum.straight:
        yield from _colour(spectrum.slope)
    if spectrum.cut_low is not None:
        yield _say("cut low", n=amount(spectrum.cut_low))
    if spectrum.cut_high is not None:
        yield _say("cut high", n=amount(spectrum.cut_high))


def _colour(slope: float) -> Iterator[str]:
    name = next((n for c, n in ((0, "white"), (-3, "pink"), (-6, "brown"), (3, "blue"), (6, "violet"))
                 if abs(slope - c) < 1.0), None)  # fmt: skip
    if abs(slope) < 1:
        yield _say("flat")
    else:
        yield _say("falls" if slope < 0 else "rises", n=f"{abs(slope):.0f}",
                   like=f" ({TERMS[name]})" if name else "")  # fmt: skip


def _speech(speech: Speech, pitch: Pitch) -> Iterator[str]:
    yield _say({True: "speech", False: "no speech", None: "perhaps speech"}[speech.likely])
    if speech.likely is not False and speech.bursts:
        yield _say("syllables", n=speech.bursts)
    if (speech.vowels and speech.likely is not False) or (len(speech.vowels) == 1 and pitch.course == "steady"):
        for number, vowel in enumerate(speech.vowels[:4]):
            height = "close" if vowel.f1 < 400 else "mid" if vowel.f1 < 600 else "open"
            place = "back" if vowel.f2 < 1150 else "central" if vowel.f2 < 1700 else "front"
            f1, f2 = 10 * round(vowel.f1 / 10), 10 * round(vowel.f2 / 10)
            yield _say("vowel" if number == 0 else "next vowel", f=f1, g=f2,
                       height=TERMS[height], place=TERMS[place])  # fmt: skip


def _parts(parts: tuple[Part, ...]) -> Iterator[str]:
    if not 2 <= len(parts) <= 6:
        if len(parts) > 6:
            yield _say("many parts", n=len(parts))
        return
    for number, part in enumerate(parts):
        name = "first part" if number == 0 else "last part" if number == len(parts) - 1 else "next part"
        change = part.level - parts[number - 1].level if number else 0.0
        louder = "" if abs(change) < 3 else f", {TERMS['louder' if change > 0 else 'softer']}"
        what = TERMS[f"part {part.kind}"].format(hz=hertz(part.hz) if part.hz else "", n=amount(part.centroid))
        yield _say(name, start=f"{part.start:.1f}", end=f"{part.end:.1f}", what=what, louder=louder)


def _faults(faults: Faults) -> Iterator[str]:
    if faults.flat > 0.001:
        yield _say("clipped", n=amount(100 * faults.flat))
    if abs(faults.offset) > 0.02:
        yield _say("offset", n=f"{faults.offset:.2f}")
    if faults.hum:
        yield _say("hum", n=faults.hum)
    if faults.dropouts:
        yield _say("dropouts", n=faults.dropouts)
