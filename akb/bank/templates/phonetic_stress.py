"""Templates on stress and syllables."""

from __future__ import annotations

from functools import cache

from akb.bank.lexicon import Word, pron
from akb.bank.templates.frame import Draft, Draw, Template
from akb.bank.templates.phonetic_pool import COUNTS, ORDINALS, near_in_length, of_words, pair, quoted, words

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


TEMPLATES: tuple[Template, ...] = (
    of_words("word-stress/word-stressed-on", 8, stressed_on),
    of_words("word-stress/main-stress-of", 4, main_stress_of),
    of_words("word-stress/same-stress-pattern", 4, same_stress_pattern),
    of_words("word-stress/suffix-moves-stress", 4, stress_moves),
    of_words("syllables/count-syllables", 6, count_syllables),
    of_words("syllables/word-with-n-syllables", 6, with_syllables),
    of_words("syllables/pair-of-equal-length", 4, equal_syllables),
    of_words("syllables/open-final-syllable", 3, open_final),
    of_words("syllables/coda-size", 3, coda_size),
)
