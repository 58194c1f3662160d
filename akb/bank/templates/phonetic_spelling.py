"""Templates on what spelling tells of sound: rhyme, homophones, silent letters.

Spelling must not give the key away, so what a word looks like and what it sounds like are varied apart: a rhyme is
spelled alike or not, and words that are spelled alike and do not rhyme stand beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import combinations

from akb.bank.lexicon import Word, pron
from akb.bank.templates.frame import Draft, Draw, Template
from akb.bank.templates.phonetic_pool import grouped, near_in_length, of_words, pair, quoted, words


def _rime(word: Word) -> object:
    return word.rime


def _ending(word: Word) -> object:
    return word.ending


def _sounds(word: Word) -> object:
    return word.sounds


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


TEMPLATES: tuple[Template, ...] = (
    of_words("rhyme/perfect-rhyme-with", 12, perfect_rhyme),
    of_words("rhyme/rhyming-pair", 6, rhyming_pair),
    of_words("rhyme/rhyme-outsider", 6, rhyme_outsider),
    of_words("spelling-to-sound/silent-letter-in", 4, silent_letter),
    of_words("spelling-to-sound/sounded-letter-in", 4, sounded_letter),
    of_words("spelling-to-sound/homophone-of", 4, homophone_of),
    of_words("spelling-to-sound/homophone-pair", 4, homophone_pair),
    of_words("spelling-to-sound/same-first-consonant", 4, first_consonant),
)
