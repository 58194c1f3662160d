"""What each ARPAbet phone is to the voice: resonances, duration, voicing and noise.

Vowels: the means for men of G. E. Peterson and H. L. Barney, "Control methods used in a study of the vowels", JASA
24, 1952, table II. Approximants: D. H. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67, 1980,
table III, rounded, with a higher first resonance for L. Nasals have their first resonance near its nasal pole (270 Hz).
The other values are rough choices.
"""

from __future__ import annotations

from dataclasses import dataclass

Formants = tuple[float, float, float]


@dataclass(frozen=True)
class Phone:
    """One speech sound.

    Attributes:
        seconds: its length where it is not stressed, at speed 1.
        formants: F1 to F3 in Hz of a man, at its start; None: those of the neighbours.
        to: the resonances at its end, of a diphthong.
        voice: level of the voice, 0 to 1.
        band: edges in Hz of its noise, and `noise` its level.
        stop: the mouth is shut for the first half and bursts open.
    """

    seconds: float
    formants: Formants | None = None
    to: Formants | None = None
    voice: float = 1.0
    band: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.0
    stop: bool = False

    @property
    def vowel(self) -> bool:
        return self.voice == 1.0 and self.formants is not None


VOWELS: dict[str, Formants] = {
    "IY": (270, 2290, 3010), "IH": (390, 1990, 2550), "EH": (530, 1840, 2480), "AE": (660, 1720, 2410),
    "AH": (640, 1190, 2390), "AA": (730, 1090, 2440), "AO": (570, 840, 2410), "UH": (440, 1020, 2240),
    "UW": (300, 870, 2240), "ER": (490, 1350, 1690),
}  # fmt: skip
DIPHTHONGS = {"EY": ("EH", "IY"), "AY": ("AA", "IY"), "OY": ("AO", "IY"), "AW": ("AA", "UW"), "OW": ("AO", "UH")}
SCHWA: Formants = (500, 1450, 2450)

PHONES: dict[str, Phone] = {
    **{name: Phone(0.1, formants) for name, formants in VOWELS.items()},
    **{name: Phone(0.14, VOWELS[one], VOWELS[two]) for name, (one, two) in DIPHTHONGS.items()},
    "L": Phone(0.07, (360, 1050, 2900), voice=0.6), "R": Phone(0.07, (310, 1060, 1380), voice=0.6),
    "W": Phone(0.07, (290, 610, 2150), voice=0.6), "Y": Phone(0.06, (260, 2070, 3020), voice=0.6),
    "M": Phone(0.08, (250, 1000, 2200), voice=0.35), "N": Phone(0.08, (250, 1400, 2500), voice=0.35),
    "NG": Phone(0.09, (250, 1900, 2700), voice=0.35),
    "P": Phone(0.1, (220, 800, 2200), voice=0, band=(500, 1500), noise=0.35, stop=True),
    "B": Phone(0.08, (220, 800, 2200), voice=0.08, band=(500, 1500), noise=0.2, stop=True),
    "T": Phone(0.1, (220, 1700, 2600), voice=0, band=(3000, 6000), noise=0.4, stop=True),
    "D": Phone(0.08, (220, 1700, 2600), voice=0.08, band=(3000, 6000), noise=0.25, stop=True),
    "K": Phone(0.1, (220, 1900, 2300), voice=0, band=(1500, 3000), noise=0.4, stop=True),
    "G": Phone(0.08, (220, 1900, 2300), voice=0.08, band=(1500, 3000), noise=0.25, stop=True),
    "CH": Phone(0.14, (240, 1800, 2600), voice=0, band=(2200, 5000), noise=0.5, stop=True),
    "JH": Phone(0.12, (240, 1800, 2600), voice=0.1, band=(2200, 5000), noise=0.3, stop=True),
    "S": Phone(0.12, (300, 1700, 2600), voice=0, band=(4500, 7500), noise=0.4),
    "Z": Phone(0.1, (280, 1700, 2600), voice=0.25, band=(4500, 7500), noise=0.2),
    "SH": Phone(0.12, (300, 1800, 2600), voice=0, band=(2200, 5000), noise=0.4),
    "ZH": Phone(0.1, (280, 1800, 2600), voice=0.25, band=(2200, 5000), noise=0.2),
    "F": Phone(0.11, (300, 1000, 2200), voice=0, band=(1200, 7500), noise=0.13),
    "V": Phone(0.07, (260, 1000, 2200), voice=0.25, band=(1200, 7500), noise=0.06),
    "TH": Phone(0.1, (300, 1400, 2500), voice=0, band=(1500, 7500), noise=0.1),
    "DH": Phone(0.06, (270, 1300, 2500), voice=0.3, band=(1500, 7500), noise=0.04),
    "HH": Phone(0.06, None, voice=0, band=(600, 3500), noise=0.2),
}  # fmt: skip


def split(text: str) -> list[list[str]]:
    """ "HH AH0 L OW1 | W ER1 L D" as words of phones with their stress digits.

    Raises:
        ValueError: a word is empty or a phone is not known.
    """
    words = [word.split() for word in text.split("|")]
    for phone in (phone for word in words for phone in word):
        if phone.rstrip("012") not in PHONES:
            raise ValueError(f"{phone!r} is no ARPAbet phone")
    if not all(words):
        raise ValueError("a word without phones")
    return words
