"""Templates on words: rhyme, stress, syllables, and how spelling relates to sound.

Spelling must not give the key away, so what a word looks like and what it sounds like are varied apart: a rhyme is
spelled alike or not, and words that are spelled alike and do not rhyme stand beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import combinations

from akb.bank import lexicon
from akb.bank.lexicon import Use, Word, pron
from akb.bank.templates.frame import Draft, Draw, Template
from akb.tasks.items import Source

CMUDICT = (
    Source(
        kind="read", ref="CMU Pronouncing Dictionary", where="the words' entries, as the check states them", seen=True
    ),
)
GENERAL_AMERICAN = "General American"
ORDINALS = ("first", "second", "third", "fourth")
COUNTS = ("one", "two", "three", "four", "five")


@cache
def words() -> lexicon.Lexicon:
    """The shipped words, read once."""
    return lexicon.builtin()


@cache
def grouped(use: Use, by: Callable[[Word], object]) -> dict[object, list[Word]]:
    """The words of a use by something that they have; worked out once."""
    return dict(words().grouped(use, by))


def _rime(word: Word) -> object:
    return word.rime


def _ending(word: Word) -> object:
    return word.ending


def _sounds(word: Word) -> object:
    return word.sounds


def near_in_length(pool: Iterable[Word], model: Word, letters: int = 1) -> list[Word]:
    """Those that have about as many letters as a word, so that length tells nothing."""
    return [word for word in pool if abs(len(word.word) - len(model.word)) <= letters and word.word != model.word]


def quoted(found: Sequence[Word]) -> tuple[str, ...]:
    """The words as options."""
    return tuple(word.word for word in found)


def pair(one: Word, other: Word) -> str:
    """Two words as an option."""
    return f"{one.word} and {other.word}"


# -- rhyme ---------------------------------------------------------------------------------------------------------


def _look_alikes(word: Word) -> list[Word]:
    """Words that are spelled as if they rhymed with it, and do not."""
    return [other for other in grouped("sounds", _ending)[word.ending] if other.rime != word.rime]


def _half_rhymes(word: Word, like: str) -> list[Word]:
    """Words that have its vowel or its last consonants but not both, and the last two letters of `like`."""
    return [
        other
        for other in words().of("sounds")
        if other.rime != word.rime
        and (other.rime[0] == word.rime[0]) != (other.rime[1:] == word.rime[1:])
        and (other.word[-2:] == like[-2:] or other.word[-1] == like[-1])
    ]


def perfect_rhyme(draw: Draw) -> Draft | None:
    word = draw.one(words().of("sounds"))
    alike = draw.rank % 2 == 0
    mates = [m for m in grouped("sounds", _rime)[word.rime] if m.onset != word.onset]
    mates = [m for m in mates if (m.ending == word.ending) == alike]
    looks = _look_alikes(word)
    if not mates or not looks:
        return None
    key = draw.one(mates)
    eye = draw.some(looks, 1 if alike else 2)
    others = draw.some(near_in_length(_half_rhymes(word, key.word), key, 2), 3 - len(eye))
    if len(eye) + len(others) < 3:
        return None
    found = [key, *eye, *others]
    return Draft(
        f"Which word makes a perfect rhyme with '{word.word}' in General American?",
        quoted(found),
        f"rhymes_with(word={word.word!r}, pron={pron([word, *found])})",
        f"'{word.word}' and '{key.word}' agree from the stressed vowel on; '{eye[0].word}' only looks as if it did.",
    )


def rhyming_pair(draw: Draw) -> Draft | None:
    """Of the four pairs two are spelled alike; the key is one of them or not."""
    alike = draw.rank % 2 == 0
    groups = [group for group in grouped("sounds", _rime).values() if len(group) > 1]
    key = _pair(draw, draw.one(groups), alike, rhyme=True)
    wrong = [
        _wrong_pair(draw, spelled_alike) for spelled_alike in ([True, False, False] if alike else [True, True, False])
    ]
    if key is None or any(one is None for one in wrong):
        return None
    pairs = [key, *(one for one in wrong if one is not None)]
    used = [word.word for both in pairs for word in both]
    if len(set(used)) < 8:
        return None
    return Draft(
        "Which two words form a perfect rhyme in General American?",
        tuple(pair(*both) for both in pairs),
        f"rhyming_pair(pron={pron([word for both in pairs for word in both])})",
        f"Only '{key[0].word}' and '{key[1].word}' agree from the stressed vowel on.",
        slot=pair(*key),
    )


def _pair(draw: Draw, group: Sequence[Word], alike: bool, *, rhyme: bool) -> tuple[Word, Word] | None:
    found = [
        (one, other)
        for one, other in combinations(group, 2)
        if (one.ending == other.ending) == alike and (one.rime == other.rime) == rhyme and one.onset != other.onset
    ]
    return draw.one(found) if found else None


def _wrong_pair(draw: Draw, alike: bool) -> tuple[Word, Word] | None:
    if alike:
        groups = [group for group in grouped("sounds", _ending).values() if len({w.rime for w in group}) > 1]
        return _pair(draw, draw.one(groups), True, rhyme=False)
    one = draw.one(words().of("sounds"))
    others = [o for o in near_in_length(_half_rhymes(one, one.word), one) if o.ending != one.ending]
    return (one, draw.one(others)) if others else None


def rhyme_outsider(draw: Draw) -> Draft | None:
    """One word is spelled like one of three that rhyme."""
    key = draw.one(words().of("sounds"))
    mates = [g for g in grouped("sounds", _rime).values() if any(w in g for w in _look_alikes(key))]
    if not mates:
        return None
    group = draw.one(mates)
    like = [w for w in group if w.ending == key.ending]
    rest = [w for w in group if w.ending != key.ending]
    wanted = 2 if draw.rank % 2 else 1
    if len(like) < wanted or len(rest) < 3 - wanted:
        return None
    found = [key, *draw.some(like, wanted), *draw.some(rest, 3 - wanted)]
    if len({w.onset for w in found[1:]}) < 3:
        return None
    return Draft(
        "Three of these words rhyme with one another in General American. Which word is left over?",
        quoted(found),
        f"rhyme_outsider(pron={pron(found)})",
        f"'{key.word}' is spelled like '{found[1].word}' and has another vowel or ending; the other three rhyme.",
        slot=key.word,
    )


# -- stress --------------------------------------------------------------------------------------------------------


def stressed_on(draw: Draw) -> Draft | None:
    """Words of two endings, each of which stands twice where there are words for it."""
    place = 1 + draw.rank
    right = [w for w in words().of("stress") if w.stressed == place and w.syllables > 2]
    key = draw.one(right)
    wrong = [w for w in words().of("stress") if w.stressed != place]
    same = draw.some([w for w in wrong if w.word[-3:] == key.word[-3:]], 1)
    if not same:
        return None
    other = draw.one(wrong)
    twins = draw.some([w for w in wrong if w.word[-3:] == other.word[-3:] and w is not other and w not in same], 1)
    found = [key, *same, other, *twins]
    return Draft(
        f"Which of these words has its main stress on the {ORDINALS[place - 1]} syllable?",
        quoted(found),
        f"stressed_at(place={place}, pron={pron(found)})",
        f"'{key.word}' is stressed on its {ORDINALS[place - 1]} syllable, '{same[0].word}' on its "
        f"{ORDINALS[same[0].stressed - 1]}, as their endings have it.",
        slot=key.word,
    )


def main_stress_of(draw: Draw) -> Draft | None:
    place = 1 + draw.rank
    right = [w for w in words().of("stress") if w.stressed == place and w.syllables >= 4]
    if not right:
        return None
    word = draw.one(right)
    names = [f"{name.capitalize()} syllable" for name in ORDINALS]
    key = names.pop(place - 1)
    return Draft(
        f"Which syllable of '{word.word}' carries the main stress?",
        (key, *names),
        f"primary_stress(word={word.word!r}, pron={pron([word])})",
        f"The ending of '{word.word}' puts the main stress on its {ORDINALS[place - 1]} syllable.",
    )


def same_stress_pattern(draw: Draw) -> Draft | None:
    word = draw.one(words().of("stress"))

    def shape(other: Word) -> tuple[int, int]:
        return other.syllables, other.stressed

    def alike(other: Word) -> bool:
        return other.word[-3:] == word.word[-3:]

    pool = [w for w in words().of("place") if w.syllables > 2 and w is not word]
    key = draw.some([w for w in pool if shape(w) == shape(word) and not alike(w)], 1)
    moved = draw.some([w for w in pool if w.syllables == word.syllables and w.stressed != word.stressed], 2)
    longer = draw.some([w for w in pool if w.syllables != word.syllables and alike(w)], 1)
    found = [*key, *moved, *longer]
    if len(found) < 4 or not 2 <= word.stressed < word.syllables:
        return None
    return Draft(
        f"Which word has the same number of syllables and the same main stress position as '{word.word}'?",
        quoted(found),
        f"same_stress_pattern(word={word.word!r}, pron={pron([word, *found])})",
        f"'{word.word}' and '{key[0].word}' have {word.syllables} syllables, number {word.stressed} with main stress.",
    )


_MOVING = ("ity", "ic", "ical", "ation", "ion", "ality")
_STAYING = ("ful", "less", "ness", "ly", "ment", "ship", "able", "hood")


@cache
def _derived(endings: tuple[str, ...], moving: bool) -> list[tuple[Word, Word]]:
    """Words with words made of them by these endings, where the stress moves or stays."""
    known = {w.word: w for w in words().of("place")}
    found = []
    for longer in known.values():
        for ending in endings:
            stem = longer.word.removesuffix(ending)
            base = known.get(stem) or known.get(f"{stem}e")
            if stem != longer.word and base is not None and (base.stressed != longer.stressed) == moving:
                found.append((base, longer))
    return found


def stress_moves(draw: Draw) -> Draft | None:
    """Beside the key, pairs whose ending is one that can move the stress but does not, and pairs whose cannot."""
    key = draw.one([both for both in _derived(_MOVING, True) if both[0].syllables > 1])
    still = draw.some(_derived(_MOVING, False), 2 if draw.rank % 2 else 1)
    pairs = [key, *still, *draw.some(_derived(_STAYING, False), 3 - len(still))]
    if len({word.word for both in pairs for word in both}) < 8:
        return None
    return Draft(
        "In which pair does adding the suffix move the main stress to another syllable?",
        tuple(pair(*both) for both in pairs),
        f"stress_moves(pron={pron([word for both in pairs for word in both])})",
        f"'{key[0].word}' is stressed on syllable {key[0].stressed}, '{key[1].word}' on syllable {key[1].stressed}; "
        "in the other pairs the stress stays.",
        slot=pair(*key),
    )


# -- syllables -----------------------------------------------------------------------------------------------------


def count_syllables(draw: Draw) -> Draft | None:
    word = draw.one(words().of("count"))
    least = word.syllables - draw.rank
    if least < 1 or not 2 <= word.syllables <= 5 or len(word.word) < 5:
        return None
    others = [str(n) for n in range(least, least + 4) if n != word.syllables]
    return Draft(
        f"How many syllables does '{word.word}' have?",
        (str(word.syllables), *others),
        f"syllable_count(word={word.word!r}, pron={pron([word])})",
        f"'{word.word}' has {word.syllables} vowel sounds and so as many syllables.",
    )


def with_syllables(draw: Draw) -> Draft | None:
    """All four words have nearly the same number of letters."""
    wanted = 1 + draw.rank
    key = draw.one([w for w in words().of("count") if w.syllables == wanted and len(w.word) >= 6])
    pool = near_in_length(words().of("count"), key)
    fewer = [w for w in pool if w.syllables == wanted - 1] if wanted > 1 else [w for w in pool if w.syllables == 2]
    more = [w for w in pool if w.syllables == wanted + 1]
    below = draw.some(fewer, 1 + draw.random.randrange(2) if wanted > 1 else 2)
    found = [key, *below, *draw.some([w for w in more if w not in below], 3 - len(below))]
    if len(found) < 4:
        return None
    plural = "" if wanted == 1 else "s"
    return Draft(
        f"Which word has exactly {COUNTS[wanted - 1]} syllable{plural}?",
        quoted(found),
        f"has_syllables(count={wanted}, pron={pron(found)})",
        f"'{key.word}' has {wanted} vowel sound{plural}; the others have "
        f"{', '.join(str(w.syllables) for w in found[1:])}.",
        slot=key.word,
    )


def equal_syllables(draw: Draw) -> Draft | None:
    """In every pair the words differ by two letters or more, so that letters do not tell."""
    pairs: list[tuple[Word, Word]] = []
    for equal in (True, False, False, False):
        one = draw.one([w for w in words().of("count") if w.syllables in {2, 3}])
        fit = [w for w in words().of("count") if len(w.word) in {len(one.word) - 2, len(one.word) + 2}]
        fit = [w for w in fit if (w.syllables == one.syllables) == equal and abs(w.syllables - one.syllables) < 2]
        if not fit:
            return None
        pairs.append((one, draw.one(fit)))
    if len({word.word for both in pairs for word in both}) < 8:
        return None
    key = pairs[0]
    return Draft(
        "In which pair do both words have the same number of syllables?",
        tuple(pair(*both) for both in pairs),
        f"equal_syllables_pair(pron={pron([word for both in pairs for word in both])})",
        f"'{key[0].word}' and '{key[1].word}' have {key[0].syllables} syllables each; the other pairs differ.",
        slot=pair(*key),
    )


_OPEN = frozenset({"EY", "IY", "OW", "UW", "AY", "AW", "OY", "AH"})


def open_final(draw: Draw) -> Draft | None:
    """The last letter does not tell: half of the keys end in e, as the words beside them do."""
    last = "e" if draw.rank % 2 else "wyh"
    key = draw.one([w for w in words().of("count") if w.word[-1] in last and w.sounds[-1] in _OPEN])
    closed = [w for w in words().of("count") if w.word[-1] in "eghtw" and w.sounds[-1] not in {*_OPEN, "ER"}]
    found = [key, *draw.some(near_in_length(closed, key, 2), 3)]
    if len(found) < 4 or not any(w.word[-1] == "e" for w in found[1:]):
        return None
    return Draft(
        "Which word ends in an open syllable, that is, in a vowel sound?",
        quoted(found),
        f"ends_in_vowel(pron={pron(found)})",
        f"'{key.word}' ends in a vowel sound; the others end in a consonant sound, whatever their last letter.",
        slot=key.word,
    )


def coda_size(draw: Draw) -> Draft | None:
    word = draw.one(words().of("sounds"))
    size, least = len(word.rime) - 1, len(word.rime) - 1 - draw.rank
    if least < 0 or size < 1 or len(word.word) < 5:
        return None
    others = [str(n) for n in range(least, least + 4) if n != size]
    return Draft(
        f"How many consonant sounds make up the coda of the one-syllable word '{word.word}'?",
        (str(size), *others),
        f"coda_size(word={word.word!r}, pron={pron([word])})",
        f"After its vowel '{word.word}' has {size} consonant sound{'s' if size > 1 else ''}.",
    )


# -- spelling ------------------------------------------------------------------------------------------------------

# Where a letter is silent, as spelling shows it; and where the same letters are sounded.
_SILENT = {"b": r"mb|bt", "k": r"^kn", "g": r"gn|gh", "l": r"al[kfv]|olk", "t": r"st(?:le|en)", "w": r"^wr"}
_SOUNDED = {"b": r"mb|bt|b", "k": r"k", "g": r"gn|gl|g[aou]", "l": r"l[kfvmt]", "t": r"st|ft", "w": r"^[^w]*w[aeio]"}


@cache
def _letter(letter: str, silent: bool) -> list[Word]:
    known = re.compile((_SILENT if silent else _SOUNDED)[letter])
    sounds = {"b": "B", "k": "K", "g": "G", "l": "L", "t": "T", "w": "W"}
    return [
        w
        for w in words().of("silent" if silent else "count")
        if w.word.count(letter) == 1 and known.search(w.word) and (sounds[letter] not in w.sounds) == silent
    ]


def silent_letter(draw: Draw) -> Draft | None:
    letter = draw.one("bkgltw")
    key = draw.one(_letter(letter, True))
    found = [key, *draw.some(near_in_length(_letter(letter, False), key, 2), 3)]
    return _about_letter(draw, letter, found, "silent", "letter_silent")


def sounded_letter(draw: Draw) -> Draft | None:
    letter = draw.one("bkgltw")
    key = draw.one(_letter(letter, False))
    found = [key, *draw.some(near_in_length(_letter(letter, True), key, 2), 3)]
    return _about_letter(draw, letter, found, "pronounced", "letter_sounded")


def _about_letter(draw: Draw, letter: str, found: Sequence[Word], what: str, check: str) -> Draft | None:
    if len(found) < 4:
        return None
    rest = "it is heard" if what == "silent" else "it is silent"
    return Draft(
        f"In which word is the letter {letter} {what}?",
        quoted(found),
        f"{check}(letter={letter!r}, pron={pron(found)})",
        f"The {letter} of '{found[0].word}' is {what}; in the other words {rest}.",
        slot=found[0].word,
    )


def _homophones() -> list[list[Word]]:
    return [group for group in grouped("sounds", _sounds).values() if len(group) > 1]


def homophone_of(draw: Draw) -> Draft | None:
    """Distractors differ from the word in one sound, and are spelled no less alike than the key."""
    word, key = draw.some(draw.one(_homophones()), 2)
    near = [w for w in words().of("sounds") if _apart(w, word) == 1]
    found = [key, *draw.some(near_in_length(near, key), 3)]
    if len(found) < 4:
        return None
    return Draft(
        f"Which word is pronounced exactly like '{word.word}'?",
        quoted(found),
        f"homophone_of(word={word.word!r}, pron={pron([word, *found])})",
        f"'{word.word}' and '{key.word}' have the same sounds; '{found[1].word}' differs in one.",
    )


def homophone_pair(draw: Draw) -> Draft | None:
    key = draw.some(draw.one(_homophones()), 2)
    pairs = [key]
    for _ in range(3):
        one = draw.one(words().of("sounds"))
        near = [
            w for w in near_in_length(words().of("sounds"), one) if _apart(w, one) == 1 and w.word[0] == one.word[0]
        ]
        if not near:
            return None
        pairs.append([one, draw.one(near)])
    if len({word.word for both in pairs for word in both}) < 8:
        return None
    return Draft(
        "Which pair consists of two words with identical pronunciation?",
        tuple(pair(*both) for both in pairs),
        f"homophone_pair(pron={pron([word for both in pairs for word in both])})",
        f"'{key[0].word}' and '{key[1].word}' have the same sounds; each other pair differs in one.",
        slot=pair(*sorted(key, key=lambda w: w.word)),
    )


def _apart(one: Word, other: Word) -> int:
    """In how many sounds two words of equally many sounds differ; a large number for others."""
    if len(one.sounds) != len(other.sounds):
        return 99
    return sum(a != b for a, b in zip(one.sounds, other.sounds, strict=True))


# Letters at the start of a word, and the sounds that they may stand for.
_INITIALS = {"ch": ("CH", "K", "SH"), "c": ("K", "S"), "g": ("G", "JH"), "s": ("S", "SH"), "th": ("TH", "DH", "T"),
             "kn": ("N",), "wr": ("R",), "ph": ("F",), "sc": ("S", "S K"), "gn": ("N",)}  # fmt: skip


def _initial(word: Word) -> str:
    return next((letters for letters in ("ch", "th", "kn", "wr", "ph", "sc", "gn", "c", "g", "s")
                 if word.word.startswith(letters)), "")  # fmt: skip


def first_consonant(draw: Draw) -> Draft | None:
    """The key begins with other letters than the word; a distractor begins with the same letters and another sound."""
    pool = [w for w in words().of("count") if len(w.word) > 3 and w.sounds[0] not in {"HH", "W", "Y"} and w.onset]
    word = draw.one([w for w in pool if _initial(w)])
    sound = word.sounds[0]
    keys = [w for w in pool if w.sounds[0] == sound and w.word[0] != word.word[0]]
    looks = [w for w in pool if _initial(w) == _initial(word) and w.sounds[0] != sound]
    rest = [w for w in pool if w.sounds[0] != sound and _initial(w) and w.word[0] != word.word[0]]
    found = [*draw.some(keys, 1), *draw.some(looks, 1)]
    if len(found) < 2:
        return None
    found += draw.some(
        [w for w in near_in_length(rest, found[0], 2) if w.word[0] in {found[0].word[0], "k", "j", "p"}], 2
    )
    if len(found) < 4:
        return None
    return Draft(
        f"Which word begins with the same consonant sound as '{word.word}'?",
        quoted(found),
        f"begins_like(word={word.word!r}, pron={pron([word, *found])})",
        f"'{word.word}' and '{found[0].word}' begin with one sound; '{found[1].word}' only looks alike.",
    )


def _of(name: str, count: int, make: Callable[[Draw], Draft | None], dialect: str = GENERAL_AMERICAN) -> Template:
    return Template(name, "phonetic", count, make, CMUDICT, dialect)


TEMPLATES: tuple[Template, ...] = (
    _of("rhyme/perfect-rhyme-with", 12, perfect_rhyme),
    _of("rhyme/rhyming-pair", 6, rhyming_pair),
    _of("rhyme/rhyme-outsider", 6, rhyme_outsider),
    _of("word-stress/word-stressed-on", 8, stressed_on),
    _of("word-stress/main-stress-of", 4, main_stress_of),
    _of("word-stress/same-stress-pattern", 4, same_stress_pattern),
    _of("word-stress/suffix-moves-stress", 4, stress_moves),
    _of("syllables/count-syllables", 6, count_syllables),
    _of("syllables/word-with-n-syllables", 6, with_syllables),
    _of("syllables/pair-of-equal-length", 4, equal_syllables),
    _of("syllables/open-final-syllable", 3, open_final),
    _of("syllables/coda-size", 3, coda_size),
    _of("spelling-to-sound/silent-letter-in", 4, silent_letter),
    _of("spelling-to-sound/sounded-letter-in", 4, sounded_letter),
    _of("spelling-to-sound/homophone-of", 4, homophone_of),
    _of("spelling-to-sound/homophone-pair", 4, homophone_pair),
    _of("spelling-to-sound/same-first-consonant", 4, first_consonant),
)
