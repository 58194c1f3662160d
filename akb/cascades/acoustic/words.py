"""The words of the captions: phrases, terms, names of notes, intervals and chords."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

PHRASES: Mapping[str, str] = {
    "duration": "The clip lasts {s}.",
    "cut": "The clip lasts {s}; only its first {heard} were heard, and are described here.",
    "cut unknown": "The clip lasts more than {heard}; only its first {heard} were heard, and are described here.",
    "silent": "It is silent, or nearly so (below -80 dBFS).",
    "cut silent": "What was heard is silent, or nearly so (below -80 dBFS).",
    # level
    "loudness": "The loudness is about {n} LUFS ({scale}).",
    "rms": "The level is about {n} dBFS RMS ({scale}).",
    "steady": "The level stays steady.",
    "rising": "It gets louder over time, by about {n} dB (crescendo).",
    "falling": "It gets softer over time, by about {n} dB (decrescendo).",
    "fading in": "It fades in: it gets louder by about {n} dB.",
    "fading out": "It fades out: it gets softer by about {n} dB.",
    "swelling": "It swells: it gets louder and then softer again.",
    "dipping": "It gets softer and then louder again.",
    "varying": "The level varies.",
    "pulse": "The level pulsates {how} and regularly, {n} times a second.",
    # events
    "one event": "There is one sound event, beginning at {times}.",
    "events": "There are {n} sound events, beginning at {times}.",
    "alike": "The events are alike.",
    "differ": "No two events are alike.",
    "kinds": "The events are of {n} kinds: {sizes} of each in order of appearance.",
    "lead": "It begins with {s} of silence or mere background.",
    "pauses": "Silence or mere background parts it into {n} stretches of sound; the longest pause is {s}.",
    "tail": "It ends with {s} of silence or mere background.",
    "click": "{whose} is very short (a click).",
    "lasting": "Each lasts about {s} s.",
    "abrupt": "The attack is abrupt (below 0.02 s).",
    "fast": "The attack is fast (about {s} s).",
    "gradual": "The attack is gradual (about {s} s).",
    "decay": "After its peak the sound dies away by 60 dB in about {s} s (a {size} decay).",
    "reverberant": "It is held and then rings on, as with reverberation.",
    "held": "The sound is sustained, and ends without a decay.",
    # rhythm
    "even": "The events are evenly spaced (a regular rhythm).",
    "uneven": "The events are unevenly spaced (an irregular rhythm).",
    "tempo": "The tempo is about {n} beats per minute.",
    "no tempo": "A tempo cannot be told.",
    "metre": "Every {nth} beat is stressed (accented).",
    "quickening": "The events come faster and faster (accelerating).",
    "slowing": "The events come slower and slower (decelerating).",
    # pitch
    "no pitch": "There is no pitch.",
    "unclear pitch": "A pitch cannot be told.",
    "pitch steady": "The pitch is steady near {hz}.",
    "pitch rising": "The pitch rises (glides up) from {low} to {high}.",
    "pitch falling": "The pitch falls (glides down) from {high} to {low}.",
    "pitch vibrato": "The pitch is near {hz}, with vibrato of {rate} Hz and {cents} cents.",
    "pitch sweeping": "The pitch sweeps up and down between {low} and {high}, {rate} times a second.",
    "pitch rising again": "The pitch rises (glides up) again and again, each time by {n} semitones, near {hz}.",
    "pitch falling again": "The pitch falls (glides down) again and again, each time by {n} semitones, near {hz}.",
    "pitch moving": "The pitch moves irregularly between {low} and {high}; its median is {hz}.",
    "steps": "The pitch goes in steps through {n} notes: {names}.",
    "up by": "The second note is higher, by {interval}.",
    "down by": "The second note is lower, by {interval}.",
    "alternating": "It alternates between two notes, {interval} apart.",
    "steps up": "The notes ascend, over {n} semitones.",
    "steps down": "The notes descend, over {n} semitones.",
    "steps both": "The notes go up and down, over {n} semitones.",
    "repeated": "The same note is repeated.",
    "pitches": "There are {n} simultaneous pitches: {names}.",
    "interval": "The interval between them is {interval}.",
    "chord": "Together they form {name}.",
    "chords": "There are {n} chords in sequence: {names}.",
    "inharmonic": "The partials form no harmonic series (inharmonic); the strongest are near {names} Hz.",
    # timbre
    "pure": "It is nearly a pure tone (a sine), without overtones.",
    "odd": "The odd harmonics are much stronger than the even ones.",
    "even harmonics": "The even harmonics are much stronger than the odd ones.",
    "clear tone": "The tone is clear: harmonics are {n} dB above noise.",
    "fair tone": "The tone is somewhat noisy or rough: harmonics are {n} dB above noise.",
    "noisy tone": "The tone is noisy or breathy: harmonics are {n} dB above noise.",
    "noise": "The sound is noise-like.",
    "tonal": "The sound is tonal, not noise-like.",
    "mixed": "The sound is partly tonal, partly noise-like.",
    "centroid": "The spectral centroid is near {n} Hz ({colour}).",
    "band": "Most of the energy lies between {low} and {high} Hz.",
    "flat": "The spectrum is flat (white noise).",
    "falls": "The spectrum falls by about {n} dB per octave{like}.",
    "rises": "The spectrum rises by about {n} dB per octave{like}.",
    "cut low": "There is little below {n} Hz (high-pass).",
    "cut high": "There is little above {n} Hz (low-pass).",
    # speech
    "speech": "It has the marks of speech: a moving pitch in the range of voices, syllables and formants.",
    "perhaps speech": "It has some marks of speech; whether it is speech cannot be told.",
    "no speech": "It does not have the marks of speech.",
    "syllables": "There are about {n} syllable-like bursts.",
    "vowel": "It has formants like a vowel: F1 near {f} Hz and F2 near {g} Hz ({height}, {place}).",
    "next vowel": "Then F1 is near {f} Hz and F2 near {g} Hz ({height}, {place}).",
    # parts
    "first part": "First, from {start} to {end} s, {what}.",
    "next part": "Then, from {start} to {end} s, {what}{louder}.",
    "last part": "Finally, from {start} to {end} s, {what}{louder}.",
    "many parts": "It has {n} parts that differ.",
    # faults
    "clipped": "The waveform is flat at its peaks for {n} % of the time (clipped, or a square wave).",
    "offset": "There is a constant offset of {n} of full scale.",
    "hum": "There is a hum at {n} Hz and its multiples.",
    "dropouts": "There are {n} dropouts (short gaps of zeros).",
}

TERMS: Mapping[str, str] = {
    "very soft": "very soft", "soft": "soft", "moderate": "moderate", "loud": "loud", "very loud": "very loud",
    "deeply": "deeply", "slightly": "slightly", "s": " s", "more": "and more", "it": "It", "each": "Each",
    "short": "short", "medium": "medium", "long": "long",
    "beat 2": "second", "beat 3": "third", "beat 4": "fourth",
    "very dull": "very dull and low", "dull": "dull", "bright": "bright", "very bright": "very bright and high",
    "white": "white noise", "pink": "like pink noise", "brown": "like brown noise", "blue": "like blue noise",
    "violet": "like violet noise", "close": "close", "mid": "mid", "open": "open",
    "back": "back", "central": "central", "front": "front", "louder": "louder", "softer": "softer",
    "part noise": "a noise-like sound with its centroid near {n} Hz", "part pitched": "a pitched sound near {hz}",
    "part tonal": "a tonal sound with its centroid near {n} Hz",
    "part mixed": "a mixed sound with its centroid near {n} Hz",
    "hertz": "{n} Hz ({name})", "seconds": "{n} s",
}  # fmt: skip

INTERVALS = (
    "a unison", "a minor second (1 semitone)", "a major second (2 semitones)", "a minor third (3 semitones)",
    "a major third (4 semitones)", "a perfect fourth (5 semitones)", "a tritone (6 semitones)",
    "a perfect fifth (7 semitones)", "a minor sixth (8 semitones)", "a major sixth (9 semitones)",
    "a minor seventh (10 semitones)", "a major seventh (11 semitones)", "an octave (12 semitones)",
    "more than an octave",
)  # fmt: skip

CHORDS: Mapping[tuple[int, ...], str] = {
    (0, 4, 7): "a major triad",
    (0, 3, 7): "a minor triad",
    (0, 3, 6): "a diminished triad",
    (0, 4, 8): "an augmented triad",
    (0, 5, 7): "a suspended fourth chord",
    (0, 4, 7, 10): "a dominant seventh chord",
    (0, 4, 7, 11): "a major seventh chord",
    (0, 3, 7, 10): "a minor seventh chord",
    (0, 3, 6, 9): "a diminished seventh chord",
}

NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note(hz: float) -> str:
    """The name of the nearest equal-tempered note, A4 = 440 Hz (ISO 16), e.g. "F#3"."""
    number = round(69 + 12 * float(np.log2(hz / 440)))
    return f"{NOTES[number % 12]}{number // 12 - 1}"


def hertz(hz: float) -> str:
    """A pitch to three figures, with the nearest note's name: "440 Hz (A4)"."""
    return TERMS["hertz"].format(n=amount(hz, 3), name=note(hz))


def seconds(value: float) -> str:
    """A time to 0.1 s; below 0.1 s to 1 ms."""
    return TERMS["seconds"].format(n=f"{value:.1f}" if value >= 0.095 else f"{value:.3f}")


def amount(value: float, figures: int = 2) -> str:
    """A number to so many figures, without an exponent."""
    if value == 0:
        return "0"
    places = figures - 1 - int(np.floor(np.log10(abs(value))))
    rounded = round(value, places)
    return f"{rounded:.{max(0, places)}f}"


def rate(value: float) -> str:
    """A rate, to one decimal."""
    return f"{value:.1f}"
