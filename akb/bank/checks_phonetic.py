"""Programs that prove the computed items of the category ``phonetic``.

Each function of :data:`CHECKS` takes the option texts of one item and keyword literals, and says for every
option whether it is right. No function is told which option the item calls the answer, and none looks a
word up anywhere: the pronunciations travel in the call as ARPAbet strings with stress digits (1 = primary,
2 = secondary, 0 = none), for example ``pron={"night": "N AY1 T"}``, so the proof can be replayed from the
item alone. What cannot be decided (a word without a pronunciation, a result that hangs on the merger of the
vowels of *cot* and *caught*) raises :class:`ValueError` instead of passing silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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


# ---------------------------------------------------------------------------------------------- helpers


def _clean(text: str) -> str:
    """Bring an option or a word into the form of the keys of ``pron``."""
    return text.strip().strip("'\"‘’“”").strip().lower()


def _phones(word: str, pron: Mapping[str, str]) -> list[str]:
    """Return the ARPAbet symbols of a word, stress digits included, after a look at their form."""
    key = _clean(word)
    if key not in pron:
        raise ValueError(f"no pronunciation given for {key!r}")
    phones = pron[key].split()
    primaries = 0
    for phone in phones:
        base = _base(phone)
        if base in VOWELS:
            if phone[-1] not in "012":
                raise ValueError(f"vowel without stress digit in {key!r}: {phone}")
            primaries += phone.endswith("1")
        elif phone not in ARPA_CONSONANT_IPA:
            raise ValueError(f"unknown symbol in {key!r}: {phone}")
    if primaries != 1:
        raise ValueError(f"{key!r} needs exactly one primary stress, has {primaries}")
    return phones


def _base(phone: str) -> str:
    """Drop the stress digit of a symbol."""
    return phone.rstrip("012")


def _bases(word: str, pron: Mapping[str, str]) -> list[str]:
    """Return the symbols of a word without stress digits."""
    return [_base(phone) for phone in _phones(word, pron)]


def _is_vowel(phone: str) -> bool:
    """Tell vowels (with or without digit) from consonants."""
    return _base(phone) in VOWELS


def _pair(option: str) -> tuple[str, str]:
    """Split an option of the form ``one and other``."""
    parts = option.split(" and ")
    if len(parts) != 2:
        raise ValueError(f"not a pair of words: {option!r}")
    return _clean(parts[0]), _clean(parts[1])


def _number(option: str) -> int:
    """Read an option that is a whole number in digits."""
    return int(_clean(option))


def _syllables(word: str, pron: Mapping[str, str]) -> int:
    """Count syllables as vowels; a diphthong is one vowel."""
    return sum(_is_vowel(phone) for phone in _phones(word, pron))


def _stress(word: str, pron: Mapping[str, str]) -> int:
    """Return the number, from 1, of the syllable with primary stress."""
    digits = [phone[-1] for phone in _phones(word, pron) if _is_vowel(phone)]
    return digits.index("1") + 1


def _split_at_stress(word: str, pron: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the consonants right before the primary-stressed vowel, and all from that vowel on.

    Unstressed IH and AH count as one (dictionaries choose freely between them).
    """
    phones = _phones(word, pron)
    start = next(i for i, phone in enumerate(phones) if phone.endswith("1"))
    first = start
    while first > 0 and not _is_vowel(phones[first - 1]):
        first -= 1
    rime = tuple("AH" if phone in {"IH0", "AH0"} else _base(phone) for phone in phones[start:])
    return tuple(phones[first:start]), rime


def _merged(rime: tuple[str, ...]) -> tuple[str, ...]:
    """Write a rime as a speaker says it for whom *cot* and *caught* sound alike."""
    return tuple("AA" if phone == "AO" else phone for phone in rime)


def _rhyme(one: str, other: str, pron: Mapping[str, str]) -> bool:
    """Perfect rhyme: equal from the stressed vowel on, and different consonants right before it."""
    onset_a, rime_a = _split_at_stress(one, pron)
    onset_b, rime_b = _split_at_stress(other, pron)
    if (rime_a == rime_b) != (_merged(rime_a) == _merged(rime_b)):
        raise ValueError(f"{one!r} and {other!r} rhyme only where the low back vowels have merged")
    return rime_a == rime_b and onset_a != onset_b


def _difference(one: Sequence[str], other: Sequence[str]) -> list[int] | None:
    """Return the places where two equally long sequences differ, or None if the lengths differ."""
    if len(one) != len(other):
        return None
    return [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]


def _is_silent(word: str, letter: str, pron: Mapping[str, str]) -> bool:
    """Tell whether a letter of a word has no sound of its own: no phoneme that it could stand for."""
    if letter not in LETTER_SOUNDS:
        raise ValueError(f"no list of sounds for the letter {letter!r}")
    if _clean(word).count(letter) != 1:
        raise ValueError(f"{word!r} must have the letter {letter!r} exactly once")
    return not LETTER_SOUNDS[letter] & set(_bases(word, pron))


def _to_ipa(word: str, pron: Mapping[str, str]) -> str:
    """Write a word in broad IPA without stress marks; an unstressed AH is a schwa, a stressed ER is ɝ."""
    out = []
    for phone in _phones(word, pron):
        base = _base(phone)
        if phone == "AH0":
            out.append("ə")
        elif base == "ER" and not phone.endswith("0"):
            out.append("ɝ")
        else:
            out.append(ARPA_VOWEL_IPA[base] if base in VOWELS else ARPA_CONSONANT_IPA[base])
    return "".join(out)


# ------------------------------------------------------------------------------------------------ rhyme


def rhymes_with(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word that makes a perfect rhyme with the given one."""
    return [_rhyme(word, option, pron) for option in options]


def rhyming_pair(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair ``one and other`` whose two words rhyme perfectly."""
    return [_rhyme(*_pair(option), pron) for option in options]


def rhyme_outsider(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word that rhymes with no other option while all the others rhyme with each other."""
    result = []
    for i, option in enumerate(options):
        rest = [other for j, other in enumerate(options) if j != i]
        alone = not any(_rhyme(option, other, pron) for other in rest)
        united = all(_rhyme(a, b, pron) for k, a in enumerate(rest) for b in rest[k + 1 :])
        result.append(alone and united)
    return result


# ----------------------------------------------------------------------------------------------- stress


def primary_stress(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the option ``First syllable``, ``Second syllable`` ... that bears primary stress."""
    place = ORDINALS[_stress(word, pron) - 1]
    result = []
    for option in options:
        words = option.lower().split()
        if len(words) != 2 or words[0] not in ORDINALS or words[1] != "syllable":
            raise ValueError(f"not a syllable position: {option!r}")
        result.append(words[0] == place)
    return result


def stressed_on_last(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word of two or more syllables whose primary stress is on the last one."""
    return [1 < _syllables(option, pron) == _stress(option, pron) for option in options]


def stress_moves(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair ``base and derived`` whose primary stress is on differently numbered syllables."""
    pairs = [_pair(option) for option in options]
    return [_stress(base, pron) != _stress(derived, pron) for base, derived in pairs]


def same_stress_pattern(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with as many syllables as the given one and primary stress on the same one."""
    model = (_syllables(word, pron), _stress(word, pron))
    return [(_syllables(option, pron), _stress(option, pron)) == model for option in options]


# ------------------------------------------------------------------------------------ spelling to sound


def homophone_of(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word, written otherwise, that has the very pronunciation of the given one."""
    model = _phones(word, pron)
    return [_clean(option) != _clean(word) and _phones(option, pron) == model for option in options]


def homophone_pair(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair of differently written words that are pronounced alike."""
    pairs = [_pair(option) for option in options]
    return [a != b and _phones(a, pron) == _phones(b, pron) for a, b in pairs]


def letter_silent(options: Sequence[str], *, letter: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word in which the given letter has no sound."""
    return [_is_silent(option, letter, pron) for option in options]


def letter_sounded(options: Sequence[str], *, letter: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word in which the given letter has a sound."""
    return [not _is_silent(option, letter, pron) for option in options]


def begins_like(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word whose first sound is the first sound, a consonant, of the given word."""
    first = _phones(word, pron)[0]
    if _is_vowel(first):
        raise ValueError(f"{word!r} begins with a vowel")
    return [_phones(option, pron)[0] == first for option in options]


# -------------------------------------------------------------------------------------------- syllables


def syllable_count(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the number of syllables of the given word."""
    return [_number(option) == _syllables(word, pron) for option in options]


def has_syllables(options: Sequence[str], *, count: int, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with the given number of syllables."""
    return [_syllables(option, pron) == count for option in options]


def equal_syllables_pair(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair whose two words have the same number of syllables."""
    pairs = [_pair(option) for option in options]
    return [_syllables(a, pron) == _syllables(b, pron) for a, b in pairs]


def ends_in_vowel(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word whose last sound is a vowel, so that its last syllable is open."""
    return [_is_vowel(_phones(option, pron)[-1]) for option in options]


def coda_size(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the number of consonants after the vowel of a word of one syllable."""
    phones = _phones(word, pron)
    if _syllables(word, pron) != 1:
        raise ValueError(f"{word!r} has more than one syllable")
    nucleus = next(i for i, phone in enumerate(phones) if _is_vowel(phone))
    return [_number(option) == len(phones) - 1 - nucleus for option in options]


# --------------------------------------------------------------------------- phonemes and minimal pairs


def phoneme_count(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the number of phonemes of the given word, a diphthong or affricate being one."""
    return [_number(option) == len(_phones(word, pron)) for option in options]


def has_phonemes(options: Sequence[str], *, count: int, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with the given number of phonemes, a diphthong or affricate being one."""
    return [len(_phones(option, pron)) == count for option in options]


def minimal_pair(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair with equally many phonemes of which exactly one differs.

    The wrong pairs must be of equal length too and differ twice or more, or not at all; anything between
    (one sound added or missing) could be argued about and is refused.
    """
    result = []
    for option in options:
        one, other = _pair(option)
        places = _difference(_bases(one, pron), _bases(other, pron))
        if places is None:
            raise ValueError(f"words of different length: {option!r}")
        result.append(len(places) == 1)
    return result


def same_vowel(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word of one syllable that has the vowel of the given word of one syllable."""

    def vowel(text: str) -> str:
        if _syllables(text, pron) != 1:
            raise ValueError(f"{text!r} has more than one syllable")
        found = next(phone for phone in _bases(text, pron) if phone in VOWELS)
        if found in {"AA", "AO"}:
            raise ValueError(f"the vowel of {text!r} may have merged with its neighbour")
        return found

    return [vowel(option) == vowel(word) for option in options]


def differs_only_in_vowel(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with the same consonants as the given one and just one other vowel."""
    model = _bases(word, pron)
    result = []
    for option in options:
        places = _difference(model, _bases(option, pron))
        single = places is not None and len(places) == 1
        result.append(single and places is not None and _is_vowel(model[places[0]]))
    return result


def reversed_phonemes(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word whose phonemes are those of the given word from last to first."""
    model = list(reversed(_bases(word, pron)))
    return [_bases(option, pron) == model for option in options]


# ------------------------------------------------------------------------------------- articulation, IPA


def begins_with_articulation(
    options: Sequence[str], *, voicing: str, place: str, manner: str, pron: Mapping[str, str]
) -> list[bool]:
    """Right is the word whose first sound is the consonant described by voicing, place and manner."""
    wanted = (voicing, place, manner)
    result = []
    for option in options:
        first = _phones(option, pron)[0]
        result.append(not _is_vowel(first) and IPA_CONSONANTS[ARPA_CONSONANT_IPA[first]] == wanted)
    return result


def describes_symbol(options: Sequence[str], *, symbol: str) -> list[bool]:
    """Right is the description ``Voicing place manner`` that the chart gives for the symbol."""
    truth = IPA_CONSONANTS[symbol]
    known = set(IPA_CONSONANTS.values())
    result = []
    for option in options:
        words = option.lower().split()
        described = (words[0], words[1], " ".join(words[2:]))
        if described not in known:
            raise ValueError(f"no sound of the chart fits {option!r}")
        result.append(described == truth)
    return result


def symbol_with_place(options: Sequence[str], *, place: str) -> list[bool]:
    """Right is the symbol, written ``[x]``, of a consonant made at the given place."""
    return [IPA_CONSONANTS[option.strip().strip("[]")][1] == place for option in options]


def ipa_names_word(options: Sequence[str], *, ipa: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word whose broad transcription, without stress marks, is the given one."""
    return [_to_ipa(option, pron) == ipa.strip("/") for option in options]


# ------------------------------------------------------------------------------ allophony, phonotactics


def plural_ending(options: Sequence[str], *, ending: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the noun whose regular plural adds the given sound: ``s``, ``z`` or ``iz``."""
    if ending not in {"s", "z", "iz"}:
        raise ValueError(f"unknown plural ending: {ending!r}")

    def regular(noun: str) -> str:
        last = _bases(noun, pron)[-1]
        if last in SIBILANTS:
            return "iz"
        return "s" if last in VOICELESS else "z"

    return [regular(option) == ending for option in options]


def past_ending(options: Sequence[str], *, ending: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the verb whose regular past adds the given sound: ``t``, ``d`` or ``id``."""
    if ending not in {"t", "d", "id"}:
        raise ValueError(f"unknown past ending: {ending!r}")

    def regular(verb: str) -> str:
        last = _bases(verb, pron)[-1]
        if last in {"T", "D"}:
            return "id"
        return "t" if last in VOICELESS else "d"

    return [regular(option) == ending for option in options]


def flapped_t(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with a /t/ between a vowel and an unstressed vowel, where American speech flaps."""
    result = []
    for option in options:
        phones = _phones(option, pron)
        if phones.count("T") != 1:
            raise ValueError(f"{option!r} must have exactly one /t/")
        at = phones.index("T")
        before = at > 0 and _is_vowel(phones[at - 1])
        after = at + 1 < len(phones) and _is_vowel(phones[at + 1]) and phones[at + 1].endswith("0")
        result.append(before and after)
    return result


CHECKS: dict[str, Callable[..., list[bool]]] = {
    function.__name__: function
    for function in (
        rhymes_with,
        rhyming_pair,
        rhyme_outsider,
        primary_stress,
        stressed_on_last,
        stress_moves,
        same_stress_pattern,
        homophone_of,
        homophone_pair,
        letter_silent,
        letter_sounded,
        begins_like,
        syllable_count,
        has_syllables,
        equal_syllables_pair,
        ends_in_vowel,
        coda_size,
        phoneme_count,
        has_phonemes,
        minimal_pair,
        same_vowel,
        differs_only_in_vowel,
        reversed_phonemes,
        begins_with_articulation,
        describes_symbol,
        symbol_with_place,
        ipa_names_word,
        plural_ending,
        past_ending,
        flapped_t,
    )
}
