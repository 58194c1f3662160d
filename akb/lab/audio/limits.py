"""How far apart things must be before a question is asked about them: well above what listeners just notice.

Each limit stands with a round figure of what listeners just notice and with who measured it; "commonly given in
textbooks" stands where no paper is known that measured just this, and what stands beside it is only near. A proof
(akb.lab.audio.proofs) that finds a clip within a limit cannot decide, and the item is not made.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """The least difference that is asked about, what is just noticed (in the same unit), and the source of that."""

    least: float
    unit: str
    noticed: float
    source: str


LIMITS = {
    "level": Limit(6, "dB", 1, "Jesteadt, Wier and Green, JASA 61, 1977: 0.5 to 1.5 dB, 80 to 5 dB over threshold"),
    "swell": Limit(
        12,
        "dB over the whole",
        2,
        "its ends: Jesteadt, Wier and Green, JASA 61, 1977: 0.5 to 1.5 dB; slow changes: commonly given in textbooks",
    ),
    "pitch": Limit(
        3,
        "semitones",
        0.5,
        "Arndt, Schlemmer and van der Meer, Experimental Brain Research 238, 2020: 0.4 without training",
    ),
    "glide": Limit(
        5,
        "semitones",
        2,
        "'t Hart, JASA 69, 1981: sizes of changes in speech 1.5 to 2, though many listeners tell none under 4",
    ),
    "voice": Limit(
        5,
        "semitones",
        3,
        "'t Hart, JASA 69, 1981: differences over 3 semitones count in speech, though many tell none under 4",
    ),
    "interval": Limit(
        2,
        "semitones between options",
        1,
        "Burns and Ward, JASA 63, 1978: semitone categories, of musicians; Zarate et al., JASA 132, 2012: 1 to 2",
    ),
    "frequency": Limit(
        2.5,
        "ratio",
        1.12,
        "free naming; critical bands span a ratio of 1.16 to 1.29 over 400 Hz: Zwicker, JASA 33, 1961",
    ),
    "f0": Limit(1.5, "ratio", 1.19, "'t Hart, JASA 69, 1981: differences over 3 semitones count in speech"),
    "tempo": Limit(
        1.4,
        "ratio",
        1.08,
        "Drake and Botte, Perception & Psychophysics 54, 1993: 3 to 6 %; in speech 5 %: Quené, J. of Phonetics, 2007",
    ),
    "pace": Limit(
        2,
        "ratio, first gap to last",
        1.08,
        "Drake and Botte, Perception & Psychophysics 54, 1993: 6 % between single intervals",
    ),
    "gap": Limit(
        0.3,
        "seconds between things to be counted",
        0.15,
        "commonly given in textbooks; heard apart from 0.09 s: Jurado et al., Timing & Time Perception, 2021",
    ),
    "pause": Limit(
        0.5,
        "seconds over the other gaps",
        0.25,
        "commonly given in textbooks; heard as a break from 0.13 s: Warner et al., J. of Fluency Disorders 71, 2022",
    ),
    "accent": Limit(6, "dB", 1, "Jesteadt, Wier and Green, JASA 61, 1977: 0.5 to 1.5 dB, 80 to 5 dB over threshold"),
    "rt60": Limit(2, "ratio", 1.05, "ISO 3382-1:2009, table A.1: 5 %"),
    "slope": Limit(
        3, "dB an octave", 1, "commonly given in textbooks; spectral shape in general: Green, Profile Analysis, 1988"
    ),
    "tract": Limit(
        1.25,
        "ratio",
        1.08,
        "Gaudrain and Başkent, Ear and Hearing 39, 2018: vocal tract length, 1.73 semitones (a ratio of 1.11)",
    ),
    "formant": Limit(
        1.3,
        "ratio of F1 or F2",
        1.05,
        "Flanagan, JASA 27, 1955: 3 to 5 %; Kewley-Port and Watson, JASA 95, 1994: from 1.5 %",
    ),
    "behind": Limit(4, "dB under the foreground, and at most 20", 0, "heard without masking: broadband against brief"),
    "vibrato": Limit(
        50,
        "cents to each side",
        10,
        "commonly given in textbooks; singers' extents are 0.6 to 2 semitones: Timmers and Desain, ICMPC 2000",
    ),
    "tremolo": Limit(10, "dB", 1, "Viemeister, JASA 66, 1979: depths of about 5 % (0.9 dB) of noise, below 50 Hz"),
    "stress": Limit(
        1.25,
        "ratio of vowel lengths",
        1.1,
        "Klatt, JASA 59, 1976: 20 to 25 ms or 20 %; Nooteboom and Doodeman, 1980: 5 ms of 90",
    ),
}


def least(name: str) -> float:
    """The least difference that is asked about."""
    return LIMITS[name].least
