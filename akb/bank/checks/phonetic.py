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

from akb.bank.checks.phonetics import (
    ARPA_CONSONANT_IPA,
    IPA_CONSONANTS,
    ORDINALS,
    SIBILANTS,
    VOICELESS,
    VOWELS,
    bases_of,
    cleaned,
    differing_places,
    do_rhyme,
    ipa_of,
    is_silent,
    is_vowel,
    number_of,
    pair_of,
    phones_of,
    stress_of,
    syllables_of,
)

# ------------------------------------------------------------------------------------------------ rhyme


def rhymes_with(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word that makes a perfect rhyme with the given one."""
    return [do_rhyme(word, option, pron) for option in options]


def rhyming_pair(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair ``one and other`` whose two words rhyme perfectly."""
    return [do_rhyme(*pair_of(option), pron) for option in options]


def rhyme_outsider(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word that rhymes with no other option while all the others rhyme with each other."""
    result = []
    for i, option in enumerate(options):
        rest = [other for j, other in enumerate(options) if j != i]
        alone = not any(do_rhyme(option, other, pron) for other in rest)
        united = all(do_rhyme(a, b, pron) for k, a in enumerate(rest) for b in rest[k + 1 :])
        result.append(alone and united)
    return result


# ----------------------------------------------------------------------------------------------- stress


def primary_stress(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the option ``First syllable``, ``Second syllable`` ... that bears primary stress."""
    place = ORDINALS[stress_of(word, pron) - 1]
    result = []
    for option in options:
        words = option.lower().split()
        if len(words) != 2 or words[0] not in ORDINALS or words[1] != "syllable":
            raise ValueError(f"not a syllable position: {option!r}")
        result.append(words[0] == place)
    return result


def stressed_at(options: Sequence[str], *, place: int, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word whose primary stress is on the syllable of this number, counted from 1."""
    return [stress_of(option, pron) == place for option in options]


def stressed_on_last(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word of two or more syllables whose primary stress is on the last one."""
    return [1 < syllables_of(option, pron) == stress_of(option, pron) for option in options]


def stress_moves(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair ``base and derived`` whose primary stress is on differently numbered syllables."""
    pairs = [pair_of(option) for option in options]
    return [stress_of(base, pron) != stress_of(derived, pron) for base, derived in pairs]


def same_stress_pattern(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with as many syllables as the given one and primary stress on the same one."""
    model = (syllables_of(word, pron), stress_of(word, pron))
    return [(syllables_of(option, pron), stress_of(option, pron)) == model for option in options]


# ------------------------------------------------------------------------------------ spelling to sound


def homophone_of(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word, written otherwise, that has the very pronunciation of the given one."""
    model = phones_of(word, pron)
    return [cleaned(option) != cleaned(word) and phones_of(option, pron) == model for option in options]


def homophone_pair(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair of differently written words that are pronounced alike."""
    pairs = [pair_of(option) for option in options]
    return [a != b and phones_of(a, pron) == phones_of(b, pron) for a, b in pairs]


def letter_silent(options: Sequence[str], *, letter: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word in which the given letter has no sound."""
    return [is_silent(option, letter, pron) for option in options]


def letter_sounded(options: Sequence[str], *, letter: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word in which the given letter has a sound."""
    return [not is_silent(option, letter, pron) for option in options]


def begins_like(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word whose first sound is the first sound, a consonant, of the given word."""
    first = phones_of(word, pron)[0]
    if is_vowel(first):
        raise ValueError(f"{word!r} begins with a vowel")
    return [phones_of(option, pron)[0] == first for option in options]


# -------------------------------------------------------------------------------------------- syllables


def syllable_count(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the number of syllables of the given word."""
    return [number_of(option) == syllables_of(word, pron) for option in options]


def has_syllables(options: Sequence[str], *, count: int, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with the given number of syllables."""
    return [syllables_of(option, pron) == count for option in options]


def equal_syllables_pair(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair whose two words have the same number of syllables."""
    pairs = [pair_of(option) for option in options]
    return [syllables_of(a, pron) == syllables_of(b, pron) for a, b in pairs]


def ends_in_vowel(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word whose last sound is a vowel, so that its last syllable is open."""
    return [is_vowel(phones_of(option, pron)[-1]) for option in options]


def coda_size(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the number of consonants after the vowel of a word of one syllable."""
    phones = phones_of(word, pron)
    if syllables_of(word, pron) != 1:
        raise ValueError(f"{word!r} has more than one syllable")
    nucleus = next(i for i, phone in enumerate(phones) if is_vowel(phone))
    return [number_of(option) == len(phones) - 1 - nucleus for option in options]


# --------------------------------------------------------------------------- phonemes and minimal pairs


def phoneme_count(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the number of phonemes of the given word, a diphthong or affricate being one."""
    return [number_of(option) == len(phones_of(word, pron)) for option in options]


def has_phonemes(options: Sequence[str], *, count: int, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with the given number of phonemes, a diphthong or affricate being one."""
    return [len(phones_of(option, pron)) == count for option in options]


def minimal_pair(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the pair with equally many phonemes of which exactly one differs.

    The wrong pairs must be of equal length too and differ twice or more, or not at all; anything between
    (one sound added or missing) could be argued about and is refused.
    """
    result = []
    for option in options:
        one, other = pair_of(option)
        places = differing_places(bases_of(one, pron), bases_of(other, pron))
        if places is None:
            raise ValueError(f"words of different length: {option!r}")
        result.append(len(places) == 1)
    return result


def same_vowel(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word of one syllable that has the vowel of the given word of one syllable."""

    def vowel(text: str) -> str:
        if syllables_of(text, pron) != 1:
            raise ValueError(f"{text!r} has more than one syllable")
        found = next(phone for phone in bases_of(text, pron) if phone in VOWELS)
        if found in {"AA", "AO"}:
            raise ValueError(f"the vowel of {text!r} may have merged with its neighbour")
        return found

    return [vowel(option) == vowel(word) for option in options]


def differs_only_in_vowel(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with the same consonants as the given one and just one other vowel."""
    model = bases_of(word, pron)
    result = []
    for option in options:
        places = differing_places(model, bases_of(option, pron))
        single = places is not None and len(places) == 1
        result.append(single and places is not None and is_vowel(model[places[0]]))
    return result


def reversed_phonemes(options: Sequence[str], *, word: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word whose phonemes are those of the given word from last to first."""
    model = list(reversed(bases_of(word, pron)))
    return [bases_of(option, pron) == model for option in options]


# ------------------------------------------------------------------------------------- articulation, IPA


def begins_with_articulation(
    options: Sequence[str], *, voicing: str, place: str, manner: str, pron: Mapping[str, str]
) -> list[bool]:
    """Right is the word whose first sound is the consonant described by voicing, place and manner."""
    wanted = (voicing, place, manner)
    result = []
    for option in options:
        first = phones_of(option, pron)[0]
        result.append(not is_vowel(first) and IPA_CONSONANTS[ARPA_CONSONANT_IPA[first]] == wanted)
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
    return [ipa_of(option, pron) == ipa.strip("/") for option in options]


# ------------------------------------------------------------------------------ allophony, phonotactics


def plural_ending(options: Sequence[str], *, ending: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the noun whose regular plural adds the given sound: ``s``, ``z`` or ``iz``."""
    if ending not in {"s", "z", "iz"}:
        raise ValueError(f"unknown plural ending: {ending!r}")

    def regular(noun: str) -> str:
        last = bases_of(noun, pron)[-1]
        if last in SIBILANTS:
            return "iz"
        return "s" if last in VOICELESS else "z"

    return [regular(option) == ending for option in options]


def past_ending(options: Sequence[str], *, ending: str, pron: Mapping[str, str]) -> list[bool]:
    """Right is the verb whose regular past adds the given sound: ``t``, ``d`` or ``id``."""
    if ending not in {"t", "d", "id"}:
        raise ValueError(f"unknown past ending: {ending!r}")

    def regular(verb: str) -> str:
        last = bases_of(verb, pron)[-1]
        if last in {"T", "D"}:
            return "id"
        return "t" if last in VOICELESS else "d"

    return [regular(option) == ending for option in options]


def flapped_t(options: Sequence[str], *, pron: Mapping[str, str]) -> list[bool]:
    """Right is the word with a /t/ between a vowel and an unstressed vowel, where American speech flaps."""
    result = []
    for option in options:
        phones = phones_of(option, pron)
        if phones.count("T") != 1:
            raise ValueError(f"{option!r} must have exactly one /t/")
        at = phones.index("T")
        before = at > 0 and is_vowel(phones[at - 1])
        after = at + 1 < len(phones) and is_vowel(phones[at + 1]) and phones[at + 1].endswith("0")
        result.append(before and after)
    return result


CHECKS: dict[str, Callable[..., list[bool]]] = {
    function.__name__: function
    for function in (
        rhymes_with,
        rhyming_pair,
        rhyme_outsider,
        primary_stress,
        stressed_at,
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
