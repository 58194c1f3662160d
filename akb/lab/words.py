"""English words with one pronunciation each (words.tsv, from CMUdict), and what follows from a pronunciation.

Phones are ARPAbet in General American. Every rule here leaves out the cases in which dictionaries and people
disagree: a question made from these functions must have one defensible key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PATH = Path(__file__).with_name("words.tsv")

IPA = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "EH": "ɛ", "ER": "ɝ", "EY": "eɪ",
    "IH": "ɪ", "IY": "i", "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "u", "B": "b", "CH": "tʃ", "D": "d",
    "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "dʒ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ",
    "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
# Many Americans say cot and caught alike, so the two vowels are one wherever a difference would decide a key.
MERGED = {"AO": "AA"}
# Vowels whose identity nobody disputes; the rest are merged or coloured by a following r in some accents.
CLEAR_VOWELS = frozenset(("IY", "IH", "EY", "EH", "AE", "AY", "OW", "UW", "AW", "AH", "UH", "OY"))
# Sounds that a careful listener may still call the same at a word's start; never set against each other.
CONFUSABLE = ({"TH", "DH"}, {"S", "Z", "SH"}, {"CH", "T", "SH"}, {"JH", "D", "G"}, {"W", "HH"}, {"Y", "JH"})

DOUBTFUL_SYLLABLES = (
    r"(e|o|a)r(y|ies|ily)$|ered$|ering$|sms?$|[ln]i[aeou]|ia|ie[tn]|(?<![qg])u[aeio]|ire|our|owe|eral|erate"
)


@dataclass(frozen=True)
class Word:
    """One spelling and its phones, stress digits included: Word("kite", ("K", "AY1", "T"))."""

    spelling: str
    phones: tuple[str, ...]

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The phones without stress."""
        return tuple(phone.rstrip("012") for phone in self.phones)

    @cached_property
    def merged(self) -> tuple[str, ...]:
        """The phones without stress, as said by those who merge vowels that others keep apart."""
        return tuple(MERGED.get(phone, phone) for phone in self.plain)

    @property
    def ipa(self) -> str:
        """Broad IPA between slashes, without stress marks; an unstressed AH is schwa."""
        symbols = ("ə" if phone == "AH0" else IPA[phone.rstrip("012")] for phone in self.phones)
        return f"/{''.join(symbols)}/"

    def part(self, start: int, end: int | None = None) -> str:
        """Some of the phones in broad IPA between slashes."""
        return Word(self.spelling, self.phones[start:end]).ipa

    @cached_property
    def rime_start(self) -> int:
        """Where the rhyme begins: at the last vowel that bears primary stress (-1 if none does)."""
        return max((i for i, phone in enumerate(self.phones) if phone.endswith("1")), default=-1)

    @cached_property
    def rime(self) -> tuple[str, ...]:
        return self.plain[self.rime_start :]

    @cached_property
    def last_syllable(self) -> tuple[str, ...]:
        """From the last vowel on, vowels merged: what a lenient ear would go by."""
        return self.merged[max(i for i, phone in enumerate(self.phones) if phone[-1].isdigit()) :]

    @property
    def syllables(self) -> int:
        return sum(phone[-1].isdigit() for phone in self.phones)


def rhymes(one: Word, other: Word) -> bool:
    """A perfect rhyme: alike from the stressed vowel on, different just before it (so no homophones)."""
    before = one.plain[: one.rime_start][-1:], other.plain[: other.rime_start][-1:]
    return one.rime == other.rime and before[0] != before[1]


def far_from_rhyme(one: Word, other: Word) -> bool:
    """Not a rhyme to anyone: what follows the stressed vowel differs, and so does what follows the last vowel."""
    stressed = one.merged[one.rime_start :], other.merged[other.rime_start :]
    return stressed[0] != stressed[1] and one.last_syllable != other.last_syllable


def clear_rhyme(word: Word) -> bool:
    """Fit for rhyme questions: stress is marked once, and no more than one syllable follows it."""
    vowels = [phone for phone in word.phones if phone[-1].isdigit()]
    stressed = [number for number, vowel in enumerate(vowels) if vowel.endswith("1")]
    return len(stressed) == 1 and len(vowels) - stressed[0] <= 2


def first_sound(word: Word) -> str:
    """The first consonant, or "" for words that begin with a vowel (which alliterate on nothing)."""
    return "" if word.phones[0][-1].isdigit() else word.phones[0]


def confusable(one: str, other: str) -> bool:
    return one == other or any({one, other} <= group for group in CONFUSABLE)


def clear_vowel(word: Word) -> str:
    """The vowel of a word of one syllable, or "" where r, l or ng after it may change what people hear."""
    if word.syllables != 1:
        return ""
    at = word.rime_start
    coloured = at + 1 < len(word.plain) and word.plain[at + 1] in ("R", "L", "NG")
    return "" if coloured or word.plain[at] not in CLEAR_VOWELS else word.plain[at]


def clear_syllables(word: Word) -> int:
    """The number of syllables, or 0 where people count differently (fire, hour, every, fluid, chasm)."""
    doubtful_letters = re.search(DOUBTFUL_SYLLABLES, word.spelling)
    pairs = list(zip(word.phones, word.phones[1:], strict=False))
    hiatus = any(a[-1].isdigit() and b[-1].isdigit() for a, b in pairs)
    glide = any(a[:2] in ("AY", "AW", "OY") and b in ("L", "R") for a, b in pairs)
    return 0 if doubtful_letters or hiatus or glide else word.syllables


def ending_sound(word: Word, spellings: frozenset[str]) -> str:
    """s, z, t or d for a regular -s or -ed form whose base is in `spellings`; else ""."""
    if word.spelling.endswith("ed"):
        bases, wanted = {word.spelling[:-2], word.spelling[:-1], word.spelling[:-3]}, ("T", "D")
    elif word.spelling.endswith("s") and not word.spelling.endswith("ss"):
        bases, wanted = {word.spelling[:-1], word.spelling[:-2]}, ("S", "Z")
    else:
        return ""
    return word.phones[-1].lower() if bases & spellings and word.phones[-1] in wanted else ""


def family(spelling: str) -> str:
    """A crude stem, so that walk, walks, walked and walking fall on the same side of a split."""
    stem = re.sub(r"(ings?|edly|ed|ers?|est|ly|es|s|d|y|ies)$", "", spelling)
    stem = stem if len(stem) >= 3 else spelling
    stem = re.sub(r"([b-df-hj-np-tv-z])\1$", r"\1", stem)
    return re.sub(r"[eiy]$", "", stem) if len(stem) > 3 else stem


@cache
def load(path: Path = PATH) -> tuple[Word, ...]:
    """Every word of the list, in alphabetical order."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(Word(spelling, tuple(phones.split())) for spelling, phones in rows)
