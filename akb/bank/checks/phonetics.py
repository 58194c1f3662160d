"""Pronunciations as ARPAbet strings: their phones, syllables, stress and rimes, and the tables of the IPA.

What cannot be decided (a word without a pronunciation, a result that hangs on the merger of the vowels of *cot* and
*caught*) raises :class:`ValueError` instead of passing silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

VOWELS = frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"])

ARPA_CONSONANT_IPA: dict[str, str] = {
    "P": "p", "B": "b", "T": "t", "D": "d", "K": "k", "G": "ɡ", "M": "m", "N": "n", "NG": "ŋ",
    "F": "f", "V": "v", "TH": "θ", "DH": "ð", "S": "s", "Z": "z", "SH": "ʃ", "ZH": "ʒ", "HH": "h",
    "CH": "tʃ", "JH": "dʒ", "L": "l", "R": "ɹ", "W": "w", "Y": "j",
}  # fmt: skip

ARPA_VOWEL_IPA: dict[str, str] = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "EH": "ɛ", "ER": "ɚ", "EY": "eɪ",
    "IH": "ɪ", "IY": "i", "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "u",
}  # fmt: skip

# Symbol -> (voicing, place, manner). /w/, /tʃ/ and /dʒ/ are named as is usual for English.
IPA_CONSONANTS: dict[str, tuple[str, str, str]] = {
    "p": ("voiceless", "bilabial", "plosive"), "b": ("voiced", "bilabial", "plosive"),
    "t": ("voiceless", "alveolar", "plosive"), "d": ("voiced", "alveolar", "plosive"),
    "ʈ": ("voiceless", "retroflex", "plosive"), "ɖ": ("voiced", "retroflex", "plosive"),
    "c": ("voiceless", "palatal", "plosive"), "ɟ": ("voiced", "palatal", "plosive"),
    "k": ("voiceless", "velar", "plosive"), "ɡ": ("voiced", "velar", "plosive"),
    "q": ("voiceless", "uvular", "plosive"), "ɢ": ("voiced", "uvular", "plosive"),
    "ʔ": ("voiceless", "glottal", "plosive"),
    "m": ("voiced", "bilabial", "nasal"), "ɱ": ("voiced", "labiodental", "nasal"),
    "n": ("voiced", "alveolar", "nasal"), "ɳ": ("voiced", "retroflex", "nasal"),
    "ɲ": ("voiced", "palatal", "nasal"), "ŋ": ("voiced", "velar", "nasal"),
    "ɴ": ("voiced", "uvular", "nasal"),
    "ʙ": ("voiced", "bilabial", "trill"), "r": ("voiced", "alveolar", "trill"),
    "ʀ": ("voiced", "uvular", "trill"),
    "ɾ": ("voiced", "alveolar", "tap"), "ɽ": ("voiced", "retroflex", "tap"),
    "ɸ": ("voiceless", "bilabial", "fricative"), "β": ("voiced", "bilabial", "fricative"),
    "f": ("voiceless", "labiodental", "fricative"), "v": ("voiced", "labiodental", "fricative"),
    "θ": ("voiceless", "dental", "fricative"), "ð": ("voiced", "dental", "fricative"),
    "s": ("voiceless", "alveolar", "fricative"), "z": ("voiced", "alveolar", "fricative"),
    "ʃ": ("voiceless", "postalveolar", "fricative"), "ʒ": ("voiced", "postalveolar", "fricative"),
    "ʂ": ("voiceless", "retroflex", "fricative"), "ʐ": ("voiced", "retroflex", "fricative"),
    "ç": ("voiceless", "palatal", "fricative"), "ʝ": ("voiced", "palatal", "fricative"),
    "x": ("voiceless", "velar", "fricative"), "ɣ": ("voiced", "velar", "fricative"),
    "χ": ("voiceless", "uvular", "fricative"), "ʁ": ("voiced", "uvular", "fricative"),
    "ħ": ("voiceless", "pharyngeal", "fricative"), "ʕ": ("voiced", "pharyngeal", "fricative"),
    "h": ("voiceless", "glottal", "fricative"), "ɦ": ("voiced", "glottal", "fricative"),
    "ɬ": ("voiceless", "alveolar", "lateral fricative"), "ɮ": ("voiced", "alveolar", "lateral fricative"),
    "ʋ": ("voiced", "labiodental", "approximant"), "ɹ": ("voiced", "alveolar", "approximant"),
    "ɻ": ("voiced", "retroflex", "approximant"), "j": ("voiced", "palatal", "approximant"),
    "ɰ": ("voiced", "velar", "approximant"), "w": ("voiced", "labiovelar", "approximant"),
    "l": ("voiced", "alveolar", "lateral approximant"), "ɭ": ("voiced", "retroflex", "lateral approximant"),
    "ʎ": ("voiced", "palatal", "lateral approximant"), "ʟ": ("voiced", "velar", "lateral approximant"),
    "tʃ": ("voiceless", "postalveolar", "affricate"), "dʒ": ("voiced", "postalveolar", "affricate"),
}  # fmt: skip

# The sounds that a written consonant can stand for in English, as far as silence has to be told from sound.
LETTER_SOUNDS: dict[str, frozenset[str]] = {
    "b": frozenset({"B"}),
    "g": frozenset({"G", "JH", "ZH", "NG"}),
    "k": frozenset({"K"}),
    "l": frozenset({"L"}),
    "t": frozenset({"T", "CH", "SH", "TH", "DH", "ZH"}),
    "w": frozenset({"W"}),
}

SIBILANTS = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})
VOICELESS = frozenset({"P", "T", "K", "F", "TH", "S", "SH", "CH", "HH"})

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


def cleaned(text: str) -> str:
    """Bring an option or a word into the form of the keys of ``pron``."""
    return text.strip().strip("'\"‘’“”").strip().lower()


def phones_of(word: str, pron: Mapping[str, str]) -> list[str]:
    """Return the ARPAbet symbols of a word, stress digits included, after a look at their form."""
    key = cleaned(word)
    if key not in pron:
        raise ValueError(f"no pronunciation given for {key!r}")
    phones = pron[key].split()
    primaries = 0
    for phone in phones:
        base = base_of(phone)
        if base in VOWELS:
            if phone[-1] not in "012":
                raise ValueError(f"vowel without stress digit in {key!r}: {phone}")
            primaries += phone.endswith("1")
        elif phone not in ARPA_CONSONANT_IPA:
            raise ValueError(f"unknown symbol in {key!r}: {phone}")
    if primaries != 1:
        raise ValueError(f"{key!r} needs exactly one primary stress, has {primaries}")
    return phones


def base_of(phone: str) -> str:
    """Drop the stress digit of a symbol."""
    return phone.rstrip("012")


def bases_of(word: str, pron: Mapping[str, str]) -> list[str]:
    """Return the symbols of a word without stress digits."""
    return [base_of(phone) for phone in phones_of(word, pron)]


def is_vowel(phone: str) -> bool:
    """Tell vowels (with or without digit) from consonants."""
    return base_of(phone) in VOWELS


def pair_of(option: str) -> tuple[str, str]:
    """Split an option of the form ``one and other``."""
    parts = option.split(" and ")
    if len(parts) != 2:
        raise ValueError(f"not a pair of words: {option!r}")
    return cleaned(parts[0]), cleaned(parts[1])


def number_of(option: str) -> int:
    """Read an option that is a whole number in digits."""
    return int(cleaned(option))


def syllables_of(word: str, pron: Mapping[str, str]) -> int:
    """Count syllables as vowels; a diphthong is one vowel."""
    return sum(is_vowel(phone) for phone in phones_of(word, pron))


def stress_of(word: str, pron: Mapping[str, str]) -> int:
    """Return the number, from 1, of the syllable with primary stress."""
    digits = [phone[-1] for phone in phones_of(word, pron) if is_vowel(phone)]
    return digits.index("1") + 1


def split_at_stress(word: str, pron: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the consonants right before the primary-stressed vowel, and all from that vowel on.

    Unstressed IH and AH count as one (dictionaries choose freely between them).
    """
    phones = phones_of(word, pron)
    start = next(i for i, phone in enumerate(phones) if phone.endswith("1"))
    first = start
    while first > 0 and not is_vowel(phones[first - 1]):
        first -= 1
    rime = tuple("AH" if phone in {"IH0", "AH0"} else base_of(phone) for phone in phones[start:])
    return tuple(phones[first:start]), rime


def merged_vowels(rime: tuple[str, ...]) -> tuple[str, ...]:
    """Write a rime as a speaker says it for whom *cot* and *caught* sound alike."""
    return tuple("AA" if phone == "AO" else phone for phone in rime)


def do_rhyme(one: str, other: str, pron: Mapping[str, str]) -> bool:
    """Perfect rhyme: equal from the stressed vowel on, and different consonants right before it."""
    onset_a, rime_a = split_at_stress(one, pron)
    onset_b, rime_b = split_at_stress(other, pron)
    if (rime_a == rime_b) != (merged_vowels(rime_a) == merged_vowels(rime_b)):
        raise ValueError(f"{one!r} and {other!r} rhyme only where the low back vowels have merged")
    return rime_a == rime_b and onset_a != onset_b


def differing_places(one: Sequence[str], other: Sequence[str]) -> list[int] | None:
    """Return the places where two equally long sequences differ, or None if the lengths differ."""
    if len(one) != len(other):
        return None
    return [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]


def is_silent(word: str, letter: str, pron: Mapping[str, str]) -> bool:
    """Tell whether a letter of a word has no sound of its own: no phoneme that it could stand for."""
    if letter not in LETTER_SOUNDS:
        raise ValueError(f"no list of sounds for the letter {letter!r}")
    if cleaned(word).count(letter) != 1:
        raise ValueError(f"{word!r} must have the letter {letter!r} exactly once")
    return not LETTER_SOUNDS[letter] & set(bases_of(word, pron))


def ipa_of(word: str, pron: Mapping[str, str]) -> str:
    """Write a word in broad IPA without stress marks; an unstressed AH is a schwa, a stressed ER is ɝ."""
    out = []
    for phone in phones_of(word, pron):
        base = base_of(phone)
        if phone == "AH0":
            out.append("ə")
        elif base == "ER" and not phone.endswith("0"):
            out.append("ɝ")
        else:
            out.append(ARPA_VOWEL_IPA[base] if base in VOWELS else ARPA_CONSONANT_IPA[base])
    return "".join(out)
