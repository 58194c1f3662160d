"""Templates on sounds: phonemes, articulation, transcription, and what sounds do beside others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from akb.bank.checks.phonetics import ARPA_CONSONANT_IPA, IPA_CONSONANTS, SIBILANTS, VOICELESS, ipa_of, is_vowel
from akb.bank.lexicon import Word, pron
from akb.bank.templates.frame import Draft, Draw, Template
from akb.bank.templates.phonetic_pool import COUNTS, near_in_length, of_words, pair, quoted, words
from akb.tasks.items import Source

CHART = (Source(kind="standard", ref="International Phonetic Alphabet, chart of 2020", where="pulmonic consonants"),)
PLURALS = {"s": "/s/", "z": "/z/", "iz": "/ɪz/"}
PASTS = {"t": "/t/", "d": "/d/", "id": "/ɪd/"}


# Sounds before which speakers merge or shift a vowel; "" stands for every vowel.
_SHIFTING = {"": {"L", "NG"}, "AE": {"M", "N"}, "EH": {"M", "N", "G"}}


def _plain(word: Word) -> bool:
    """Whether its vowel is the same for everyone."""
    vowel, *rest = word.rime
    return not (rest and rest[0] in _SHIFTING[""] | _SHIFTING.get(vowel, set()))


@cache
def plain() -> list[Word]:
    """Words of one syllable with undisputed sounds and vowels."""
    return [word for word in words().of("sounds") if _plain(word)]


def _ipa(word: Word) -> str:
    return ipa_of(word.word, {word.word: word.phones})


# -- phonemes ------------------------------------------------------------------------------------------------------


def count_phonemes(draw: Draw) -> Draft | None:
    """Words that have more letters than sounds, or fewer."""
    word = draw.one([w for w in plain() if len(w.word) != len(w.sounds)])
    size, least = len(word.sounds), len(word.sounds) - draw.rank
    if least < 1 or size < 3:
        return None
    return Draft(
        f"How many phonemes does the word '{word.word}' have in General American, a diphthong counting as one?",
        (str(size), *(str(n) for n in range(least, least + 4) if n != size)),
        f"phoneme_count(word={word.word!r}, pron={pron([word])})",
        f"'{word.word}' is /{_ipa(word)}/: {size} phonemes for {len(word.word)} letters.",
    )


def with_phonemes(draw: Draw) -> Draft | None:
    wanted = 2 + draw.rank
    key = draw.one([w for w in plain() if len(w.sounds) == wanted and (len(w.word) > 3 or wanted == 2)])
    pool = near_in_length(plain(), key)
    near = draw.some([w for w in pool if abs(len(w.sounds) - wanted) == 1], 3)
    found = [key, *near]
    if len(found) < 4:
        return None
    return Draft(
        f"Counting a diphthong as one phoneme, which word has exactly {COUNTS[wanted - 1]} phonemes?",
        quoted(found),
        f"has_phonemes(count={wanted}, pron={pron(found)})",
        f"'{key.word}' is /{_ipa(key)}/; the others have one phoneme more or less.",
        slot=key.word,
    )


def find_minimal_pair(draw: Draw) -> Draft | None:
    """Distractors are pairs with as many sounds, of which two differ; some differ in a single letter."""
    key = _pair(draw, 1, by_letter=draw.rank % 2 == 0)
    wrong = [_pair(draw, 2, by_letter=False) for _ in range(3)]
    pairs = [found for found in (key, *wrong) if found is not None]
    if len({w.word for both in pairs for w in both}) < 8:
        return None
    return Draft(
        "Which two words form a minimal pair in General American?",
        tuple(pair(*both) for both in pairs),
        f"minimal_pair(pron={pron([w for both in pairs for w in both])})",
        f"/{_ipa(pairs[0][0])}/ and /{_ipa(pairs[0][1])}/ differ in one phoneme; the other pairs differ in two.",
        slot=pair(*pairs[0]),
    )


def _pair(draw: Draw, apart: int, *, by_letter: bool) -> tuple[Word, Word] | None:
    """Two words of equally many sounds that differ in so many of them; `by_letter`: and in spelling by one letter."""
    one = draw.one(plain())
    found = [
        w
        for w in plain()
        if len(w.sounds) == len(one.sounds)
        and sum(a != b for a, b in zip(w.sounds, one.sounds, strict=True)) == apart
        and abs(len(w.word) - len(one.word)) <= 1
        and (w.word[0] == one.word[0] or w.word[-1] == one.word[-1])
        and (sum(a != b for a, b in zip(w.word, one.word, strict=False)) == 1) == by_letter
    ]
    return (one, draw.one(found)) if found else None


def same_vowel(draw: Draw) -> Draft | None:
    """A distractor has the word's vowel letters with another vowel; the key has other letters in half of the items."""
    word = draw.one(plain())
    letters = _vowel_letters(word)
    alike = draw.rank % 2 == 0
    keys = [w for w in plain() if w.rime[0] == word.rime[0] and w.rime != word.rime and w.word != word.word]
    keys = [w for w in keys if (_vowel_letters(w) == letters) == alike]
    looks = [w for w in plain() if w.rime[0] != word.rime[0] and _vowel_letters(w) == letters]
    if not keys or not looks:
        return None
    key = draw.one(keys)
    eye = draw.some(looks, 1 if alike else 2)
    like_key = [w for w in near_in_length(plain(), key, 2) if w.rime[0] != word.rime[0]]
    same = [w for w in like_key if _vowel_letters(w) == _vowel_letters(key) and w not in eye]
    other = [w for w in like_key if _vowel_letters(w) not in {_vowel_letters(key), letters}]
    rest = draw.some(other, 2) if alike else draw.some(same or other, 1)
    found = [key, *eye, *rest]
    if len(found) < 4:
        return None
    return Draft(
        f"Which word has the same vowel sound as '{word.word}' in General American?",
        quoted(found),
        f"same_vowel(word={word.word!r}, pron={pron([word, *found])})",
        f"'{word.word}' is /{_ipa(word)}/ and '{key.word}' is /{_ipa(key)}/; '{eye[0].word}' is /{_ipa(eye[0])}/.",
    )


def _vowel_letters(word: Word) -> str:
    """Its vowel letters, a final silent e included: 'a.e' of make, 'ai' of rain."""
    letters = "".join(c if c in "aeiouyw" and at else "." for at, c in enumerate(word.word))
    return ".".join(part for part in letters.split(".") if part)


def only_vowel_differs(draw: Draw) -> Draft | None:
    word = draw.one(plain())

    def frame(other: Word) -> tuple[str, ...]:
        return tuple("" if is_vowel(sound) else sound for sound in other.sounds)

    keys = [w for w in plain() if frame(w) == frame(word) and w.rime[0] != word.rime[0]]
    onsets = [w for w in plain() if w.rime == word.rime and w.word[-2:] == word.word[-2:] and w.onset != word.onset]
    codas = [w for w in plain() if w.onset == word.onset and w.rime[0] == word.rime[0] and w.rime != word.rime]
    both = [w for w in plain() if w.onset == word.onset and w.rime[0] != word.rime[0] and frame(w) != frame(word)]
    found = [*draw.some(keys, 1), *draw.some(onsets, 1), *draw.some(codas, 1), *draw.some(both, 1)]
    if len(found) < 4 or len(word.rime) < 2:
        return None
    return Draft(
        f"Which word differs from '{word.word}' in its vowel phoneme alone?",
        quoted(found),
        f"differs_only_in_vowel(word={word.word!r}, pron={pron([word, *found])})",
        f"/{_ipa(word)}/ and /{_ipa(found[0])}/ share all consonants; each other word changes a consonant.",
    )


@cache
def _backwards() -> list[tuple[Word, Word]]:
    known = {w.sounds: w for w in plain()}
    pairs = [(w, known[w.sounds[::-1]]) for w in plain() if w.sounds[::-1] in known and w.sounds[::-1] != w.sounds]
    return [(one, other) for one, other in pairs if len(one.sounds) > 2]


def reversed_sounds(draw: Draw) -> Draft | None:
    """Distractors begin with the word's last consonant as the key does, or spell it backwards in part."""
    word, key = draw.one(_backwards())
    same_start = [w for w in near_in_length(plain(), key) if w.onset[:1] == key.onset[:1] and w.sounds != key.sounds]
    same_end = [w for w in near_in_length(plain(), key) if w.rime[-1] == key.rime[-1] and w.sounds != key.sounds]
    found = [key, *draw.some(same_start, 2)]
    found += draw.some([w for w in same_end if w not in found and w is not word], 1)
    if len(found) < 4:
        return None
    return Draft(
        f"Which word results when the phonemes of '{word.word}' are spoken in reverse order?",
        quoted(found),
        f"reversed_phonemes(word={word.word!r}, pron={pron([word, *found])})",
        f"/{_ipa(word)}/ backwards is /{_ipa(key)}/, '{key.word}'.",
    )


# -- articulation --------------------------------------------------------------------------------------------------

# The consonants of English that a description names alone.
_ENGLISH = {
    arpa: IPA_CONSONANTS[sign]
    for arpa, sign in ARPA_CONSONANT_IPA.items()
    if arpa not in {"HH", "W", "Y", "R", "NG", "ZH"}
}


def first_sound_described(draw: Draw) -> Draft | None:
    """Distractors' first sounds differ in one feature, or begin with the key's letter."""
    sound = draw.one(sorted(_ENGLISH))
    described = _ENGLISH[sound]
    pool = [w for w in words().of("count") if 4 <= len(w.word) <= 7 and not is_vowel(w.sounds[0])]
    key = draw.one([w for w in pool if w.sounds[0] == sound])
    close = [a for a, named in _ENGLISH.items() if sum(x != y for x, y in zip(named, described, strict=True)) == 1]
    found = [key, *draw.some([w for w in near_in_length(pool, key) if w.sounds[0] in close], 3)]
    if len({w.sounds[0] for w in found}) < 4:
        return None
    return Draft(
        f"Which word begins with a {' '.join(described)}?",
        quoted(found),
        f"begins_with_articulation(voicing={described[0]!r}, place={described[1]!r}, manner={described[2]!r}, "
        f"pron={pron(found)})",
        f"'{key.word}' begins with /{ARPA_CONSONANT_IPA[sound]}/; the others differ in voicing, place or manner.",
        slot=key.word,
    )


_RARE = [sign for sign in IPA_CONSONANTS if sign not in {"ɹ", "w", "tʃ", "dʒ"} and sign not in "ptkbdgmnlfvszh"]


def symbol_to_description(draw: Draw) -> Draft | None:
    """Each distractor is a sound of the chart that differs in one feature."""
    sign = draw.one(_RARE)
    truth = IPA_CONSONANTS[sign]
    close = [d for d in set(IPA_CONSONANTS.values()) if sum(x != y for x, y in zip(d, truth, strict=True)) == 1]
    by_feature = [[d for d in sorted(close) if d[k] != truth[k]] for k in range(3)]
    found = [truth, *(draw.one(group) for group in by_feature if group)]
    found += draw.some([d for d in sorted(close) if d not in found and d[0] == truth[0]], 4 - len(found))
    if len(found) < 4:
        return None
    return Draft(
        f"Which description fits the IPA symbol [{sign}]?",
        tuple(" ".join(d).capitalize() for d in found),
        f"describes_symbol(symbol={sign!r})",
        f"In the IPA chart [{sign}] is the {' '.join(truth)}.",
    )


_PLACES = (
    "bilabial",
    "labiodental",
    "retroflex",
    "palatal",
    "velar",
    "uvular",
    "pharyngeal",
    "glottal",
    "postalveolar",
)


def symbol_with_place(draw: Draw) -> Draft | None:
    place = draw.one(_PLACES)
    signs = [s for s in IPA_CONSONANTS if s not in {"w", "ɹ", "tʃ", "dʒ", "b", "c", "d"}]  # [b] is a label's dress too
    key = draw.one([s for s in signs if IPA_CONSONANTS[s][1] == place])
    near = [s for s in signs if IPA_CONSONANTS[s][1] != place and IPA_CONSONANTS[s][2] == IPA_CONSONANTS[key][2]]
    found = [key, *draw.some(near, 3)]
    if len({IPA_CONSONANTS[s][1] for s in found}) < 4:
        return None
    return Draft(
        f"Which IPA symbol stands for a {place} {IPA_CONSONANTS[key][2]}?",
        tuple(f"[{s}]" for s in found),
        f"symbol_with_place(place={place!r})",
        f"[{key}] is {place}; the others are " + ", ".join(IPA_CONSONANTS[s][1] for s in found[1:]) + ".",
    )


def transcription_to_word(draw: Draw) -> Draft | None:
    """Distractors differ from the transcription in one sound, or read its signs as letters."""
    key = draw.one([w for w in plain() if len(w.sounds) > 2])
    near = [w for w in near_in_length(plain(), key, 2) if len(w.sounds) == len(key.sounds)]
    near = [w for w in near if sum(a != b for a, b in zip(w.sounds, key.sounds, strict=True)) == 1]
    vowels = draw.some([w for w in near if w.rime[0] != key.rime[0]], 2)
    rest = draw.some([w for w in near if w.rime[0] == key.rime[0]], 1)
    found = [key, *vowels, *rest]
    if len(found) < 4:
        return None
    return Draft(
        f"Which word is written /{_ipa(key)}/ in broad IPA transcription of General American?",
        quoted(found),
        f"ipa_names_word(ipa={_ipa(key)!r}, pron={pron(found)})",
        f"/{_ipa(key)}/ is '{key.word}'; '{vowels[0].word}' is /{_ipa(vowels[0])}/.",
    )


# -- allophony -----------------------------------------------------------------------------------------------------

_NOUNS = """
ape bell bench boat bridge bush cage cake cave chef cliff cloud club coach cup desk dish duke eagle edge face
fish flag fox garage ghost gift goose graph grape hedge hotel island judge kiss lamp lake leg library limb lunch
map maze moth myth night nose nurse page patch path piano pig place plum prize pulse queen rib road rose school
shape sheriff ship siege sketch snake song stitch stone street table tax team tent text thumb tooth tribe truck
valley vase voice watch wave week wish year
"""
_VERBS = """
act add bake beg blame boast bounce brush call cause change chase clean cough dance decide diagnose dream drop
end fade fetch fish gaze hand hope hug inspect invade jog judge jump kick kiss laugh live look lunge march match
miss move need note notice pack paint pass plan pray promise push raid rain rob roll sigh smile snow start stop
study surf tease touch trim visit wait walk want warn wash watch wave wish work wrap yawn yield
"""


def _ends(word: Word, names: dict[str, str]) -> str:
    """Which ending the regular form adds: plural for nouns, past for verbs."""
    last = word.sounds[-1]
    if names is PLURALS:
        return "iz" if last in SIBILANTS else "s" if last in VOICELESS else "z"
    return "id" if last in {"T", "D"} else "t" if last in VOICELESS else "d"


def _allomorph(draw: Draw, pool: Iterable[str], names: dict[str, str], stem: str, check: str) -> Draft | None:
    known = {w.word: w for w in words().words}
    found_words = [known[w] for w in pool if w in known]
    ending = list(names)[draw.rank % 3] if draw.rank < 3 else draw.one(list(names))
    key = draw.one([w for w in found_words if _ends(w, names) == ending])
    others = [w for w in near_in_length(found_words, key, 2) if _ends(w, names) != ending]
    found = [key, *draw.some(others, 3)]
    if len({_ends(w, names) for w in found}) < 3:
        return None
    spoken = names[ending] + (f" (or {names[ending].replace('ɪ', 'ə')})" if ending.startswith("i") else "")
    return Draft(
        stem.format(spoken),
        quoted(found),
        f"{check}(ending={ending!r}, pron={pron(found)})",
        f"'{key.word}' ends in a sound that takes {names[ending]}; the others take "
        + ", ".join(names[_ends(w, names)] for w in found[1:]) + ".",
        slot=key.word,
    )  # fmt: skip


def plural_ending(draw: Draw) -> Draft | None:
    stem = "Which noun has {} as the ending of its regular plural?"
    return _allomorph(draw, _NOUNS.split(), PLURALS, stem, "plural_ending")


def past_ending(draw: Draw) -> Draft | None:
    stem = "Which verb has {} as the ending of its regular past tense?"
    return _allomorph(draw, _VERBS.split(), PASTS, stem, "past_ending")


def flapped(draw: Draw) -> Draft | None:
    """Distractors have a t at the start of a stressed syllable, beside a consonant, or before a syllabic n."""
    pool = [
        w
        for w in words().of("place")
        if w.sounds.count("T") == 1 and w.word.count("t") in {1, 2} and "th" not in w.word
    ]
    pool = [w for w in pool if w.syllables in {2, 3} and not w.word.endswith(("t", "te", "ts"))]

    def flaps(word: Word) -> bool:
        phones = word.phones.split()
        at = phones.index("T")
        before, after = phones[at - 1] if at else "", phones[at + 1] if at + 1 < len(phones) else ""
        return bool(before and after and is_vowel(before) and is_vowel(after) and after.endswith("0"))

    def hard(word: Word) -> bool:
        phones = word.phones.split()
        at = phones.index("T")
        after = phones[at + 1]
        return after.endswith(("1", "2")) or (at > 0 and phones[at - 1] in {"S", "F", "K", "P", "CH"})

    key = draw.one([w for w in pool if flaps(w) and w.phones.split()[w.phones.split().index("T") + 1] != "AH0"])
    found = [key, *draw.some(near_in_length([w for w in pool if hard(w) and not flaps(w)], key), 3)]
    if len(found) < 4:
        return None
    return Draft(
        "In which word is the t normally pronounced as a flap [ɾ] in General American?",
        quoted(found),
        f"flapped_t(pron={pron(found)})",
        f"The t of '{key.word}' stands between a vowel and an unstressed vowel; in the others a stressed one follows, "
        "or a consonant stands before it.",
        slot=key.word,
    )


TEMPLATES: tuple[Template, ...] = (
    of_words("phonemes-minimal-pairs/count-phonemes", 6, count_phonemes),
    of_words("phonemes-minimal-pairs/word-with-n-phonemes", 5, with_phonemes),
    of_words("phonemes-minimal-pairs/find-minimal-pair", 5, find_minimal_pair),
    of_words("phonemes-minimal-pairs/same-vowel-as", 5, same_vowel),
    of_words("phonemes-minimal-pairs/differs-only-in-vowel", 3, only_vowel_differs),
    of_words("phonemes-minimal-pairs/reversed-phonemes", 2, reversed_sounds),
    of_words("articulation-ipa/first-sound-described", 6, first_sound_described),
    Template("articulation-ipa/symbol-to-description", "phonetic", 5, symbol_to_description, CHART),
    Template("articulation-ipa/symbol-with-place", "phonetic", 4, symbol_with_place, CHART),
    of_words("articulation-ipa/transcription-to-word", 6, transcription_to_word),
    of_words("allophony-phonotactics/plural-allomorph", 4, plural_ending),
    of_words("allophony-phonotactics/past-allomorph", 4, past_ending),
    of_words("allophony-phonotactics/flapped-t", 3, flapped),
)
