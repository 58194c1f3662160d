"""Where a reply names options: by label, by text, by both.

A mention is a place in the text and the option that is named there. Longer texts go before shorter ones that lie
within them ("bass flute" before "flute"), and a label beside its option's text is one mention with it. A label beside
another option's text is a mention of neither: a clash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from akb.reading.text import plain, unmarked
from akb.types import Option

Kind = Literal["label", "text", "both", "clash"]

W = r"A-Za-z0-9À-ʯ\u0370-\u03ff\u0400-\u04ff"  # letters and digits of scripts that put spaces between words
_NOTE = r"(?:[♯♭#°]|[\s-]?(?:flat|sharp|natural|major|minor|maj|min|dim|aug|dorian|dur|moll|sus|\d)\b)"
_AFTER_A = r"(?:is|was|and|or|but|because|since|as|rather|with|over|it|seems|fits|would|must|has|not|either|nor|can)\b"
_WORDS = (
    r"\b(?:option|choice|letter|alternativ[ae]|opci[oó]n|op[cç][aã]o|opzione|lettera|letra|lettre|optie|opsi|"
    r"antwort|вариант|буква|"
    r"lựa chọn|seçenek|opcja)(?:\s*[:#]\s*|\s+)|(?:选项|選項|選択肢|보기)\s*[:#]?\s*"
)
_BRACKETED = re.compile(rf"(?<![{W}])[(\[<]\s*([A-Za-z])\s*[)\]>]")
_NAMED = re.compile(rf"(?:{_WORDS})[\"'(\[]*([A-Za-z])[\"')\]]*(?![{W}'♯♭#])", re.IGNORECASE)
_BARE = re.compile(rf"(?<![{W}'.♯&-])(?<![{W}][(\[])([A-Z])(?![{W}'♯♭#°]|-[{W}]|\.[{W}]|{_NOTE})")
_LOWER = re.compile(r"(?:[:=]\s*[\"'(\[]*|\A\s*|\b(?:is|be)\s+(?!a\b))([a-z])(?=[\"')]*\s*(?:[.,;)\n]|\Z))")
_QUOTED = re.compile(rf"(?<![{W}])[\"']\s*([A-Za-z])\s*[\"']")
_JOINT = re.compile(
    r"[\s)\]\".,:;=|'(*-]{0,6}(?:(?:i\.?\s?e\.?|that is|namely|which is|meaning|即|d\.\s?h\.)[,:]?\s*)?"
)
_BESIDE = re.compile(r"[\s,:|'\"-]{0,3}(?:(?:i\.?\s?e\.?|that is|namely)[,:]?\s*)?")
_ARTICLE = re.compile(
    r"(?:an?|the|una?|une|l[ea]s?|el|los|il|lo|gli|ein[e]?|der|die|das|os?|as?|um|uma|het|de)\s+", re.I
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_ORDINAL = re.compile(
    r"\bthe\s+(first|second|third|fourth|fifth|sixth|seventh|eighth|last)\s+(option|choice|one|answer|alternative)\b|"
    r"\b(?:option|choice|answer)\s+(?:number\s+|no\.\s*|#\s*)?(\d{1,2})\b(?!\s*[.,]\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Mention:
    """One place where options are named.

    Attributes:
        start, end: where in the text.
        places: the options' places; two where a note or letter may be a label as well as a text; none for a label
            that no option has.
        dressed: as a label it stands in brackets, quotes or behind a word such as "option".
        weak: a text that is a number, a single letter or a word such as "no", which may well be meant otherwise.
        note: of a letter that is a label and an option's text as well (the note C): the places by each.
    """

    start: int
    end: int
    places: frozenset[int]
    kind: Kind
    dressed: bool = False
    weak: bool = False
    note: tuple[frozenset[int], frozenset[int]] | None = None


def find(text: str, options: Sequence[Option]) -> list[Mention]:
    """All mentions in a text, in order; they do not overlap."""
    texts = _texts(text, options)
    owner: dict[int, Mention] = {at: mention for mention in texts for at in range(mention.start, mention.end)}
    dropped, labels = set[Mention](), list[Mention]()
    for label in _labels(text, options):
        over = {owner[at] for at in range(label.start, label.end) if at in owner}
        around = next((m for m in over if m.start <= label.start and label.end <= m.end), None)
        if around is None:
            dropped |= over
            labels.append(label)
        elif (around.start, around.end) == (label.start, label.end) and not label.dressed:  # the note C, or option C
            dropped.add(around)
            note = (label.places, around.places)
            labels.append(Mention(label.start, label.end, note[0] | note[1], "label", weak=True, note=note))
    kept = [mention for mention in texts if mention not in dropped]
    return _merged(text, sorted([*kept, *labels], key=lambda m: m.start))


def place_of(letter: str, options: Sequence[Option]) -> int | None:
    """The place of the option with this label, in either case."""
    return next((place for place, o in enumerate(options) if o.label == letter.upper()), None)


def variants(option: Option) -> Iterator[str]:
    """An option's text as replies write it: as it is, without its article or full stop, numbers without commas."""
    text = " ".join(unmarked(plain(option.text)).split())
    yield text
    bare = text.rstrip(".").strip("\"' ")
    yield bare
    article = _ARTICLE.match(bare)
    if article and len(bare) - article.end() > 1 and not re.match(_NOTE, bare[article.end() :]):  # A minor has none
        yield bare[article.end() :]
    subject = re.match(r"(?:it|they|he|she)\s+", bare, re.IGNORECASE)
    if subject and len(bare) - subject.end() > 9:  # "It falls by 6 dB": the level falls by 6 dB
        yield bare[subject.end() :]
    if "-" in bare[1:]:
        yield re.sub(r"(?<=[^\W\d])-(?=[^\W\d])", " ", bare)
    if re.search(r"[a-z]{3}[^s\W]s$", bare):
        yield bare[:-1]
    if re.fullmatch(r"[a-z]{3,}", bare, re.IGNORECASE):
        yield from _inflected(bare)
    joined = re.sub(r"(?<=\d),(?=\d{3}\b)", "", bare)
    yield joined
    if (grouped := re.sub(r"\b(\d{1,3})(\d{3})\b(?![.\d])", r"\1,\2", joined)) != bare:
        yield grouped
    yield re.sub(r"(?<=\d) (?=[A-Za-z%°]+$)", "", joined)


def _inflected(word: str) -> Iterator[str]:
    """A verb's forms, should a word be one: "laugh" is what one does who is laughing."""
    stem = word[:-1] if word.endswith("e") else word
    yield from (f"{stem}ing", f"{stem}ed", f"{word}s")
    if word.endswith("y"):
        yield from (f"{word[:-1]}ies", f"{word[:-1]}ied")


def weak(text: str) -> bool:
    """Whether a text is so short or common that it may be meant otherwise."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return all(word.isdigit() or word in _COMMON or (len(word) == 1 and word.isascii()) for word in words)


_COMMON = frozenset(
    [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "yes",
        "no",
        "none",
        "all",
        "both",
        "neither",
        "either",
        "true",
        "false",
        "never",
        "always",
        "some",
        "any",
        "other",
        "i",
        "ii",
        "iii",
        "iv",
        "v",
        "vi",
        "vii",
        "so",
        "re",
        "do",
        "high",
        "low",
        "left",
        "right",
        "up",
        "down",
        "before",
        "after",
        "same",
        "different",
        "not",
    ]
)


def _texts(text: str, options: Sequence[Option]) -> list[Mention]:
    """Options named by their texts; of those that overlap the longest, of those alike in all but case the exact."""
    lower, taken, found = _lowered(text), bytearray(len(text)), list[Mention]()
    for form, places in _forms(options, lower).items():
        for start, end in _occurrences(form, lower):
            meant = _exact(text[start:end], places, options)
            found.append(Mention(start, end, frozenset(meant), "text", weak=weak(form)))
    return [m for m in sorted(found, key=lambda m: (m.start - m.end, m.start)) if _takes(taken, m.start, m.end)]


def _forms(options: Sequence[Option], lower: str) -> dict[str, set[int]]:
    """The places of the options by each form of their texts, in lower case; of options that may occur in a text. A
    shorter form of one option that is the whole text of another means the other."""
    forms: dict[str, set[int]] = {}
    whole: dict[str, set[int]] = {}
    for place, option in enumerate(options):
        if _may_occur(option, lower):
            found = [_lowered(form) for form in variants(option) if form]
            for form in found:
                forms.setdefault(form, set()).add(place)
            if found:
                whole.setdefault(found[0], set()).add(place)
    return {form: whole.get(form, places) for form, places in forms.items()}


def _may_occur(option: Option, lower: str) -> bool:
    """Whether the beginning of an option's longest word is in a text: a quick no for most options of most replies."""
    words = re.findall(r"[a-z]{4,}", option.text.lower())
    return not words or max(words, key=len)[:-2] in lower


def _exact(said: str, places: set[int], options: Sequence[Option]) -> set[int]:
    """Of options that differ in case alone (Cm7 and CM7) the one as it was written, if any was."""
    same = {place for place in places if next(variants(options[place])) == said}
    return same if len(places) > 1 and same else places


def _takes(taken: bytearray, start: int, end: int) -> bool:
    """Whether a stretch of the text is free; it is taken from then on."""
    if any(taken[start:end]):
        return False
    taken[start:end] = b"\1" * (end - start)
    return True


def _occurrences(form: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a text stands as whole words. (A pattern that held the text would be compiled anew for every reply.)"""
    if (start := text.find(form)) < 0:
        return
    before, after = (re.compile(look) for look in _bounds(form))
    while start >= 0:
        end = start + len(form)
        whole = before.match(text, start) and after.match(text, end)
        if whole:
            yield start, end
        start = text.find(form, end if whole else start + 1)


def _bounds(form: str) -> tuple[str, str]:
    """Patterns of what may stand before and behind a text, so that it is found as whole words, and a number as a whole
    number with its sign."""
    first, last = form[0], form[-1]
    before = rf"(?<![{W}])(?<![{W}]['-])" if re.match(rf"[{W}]", first) else ""
    after = rf"(?![{W}])(?!-[{W}])" if re.match(rf"[{W}]", last) else ""
    if form in ("no", "yes"):
        after += r"(?!\s(?:doubt|idea|problem|matter|longer|one|way|need|question)\b)"
    if first.isdigit():
        before += r"(?<!option )(?<!choice )(?<!answer )(?<!number )"
        before += r"(?<!\d[.,])(?<![+±/♯#-])"
    if last.isdigit():
        after += r"(?![.,:]\d)(?![/%])"
    if last.isalpha() and last.isascii():
        after += rf"(?![♯♭#°])(?!\s(?:flat|sharp)\b){'' if len(form) > 1 else f'(?!{_NOTE})'}"
    return before, after


def _lowered(text: str) -> str:
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _labels(text: str, options: Sequence[Option]) -> list[Mention]:
    """Options named by their labels; letters beyond the options are kept too, as naming none."""
    found: list[Mention] = []
    taken = bytearray(len(text))

    def add(start: int, end: int, letter: str, *, dressed: bool) -> None:
        place = place_of(letter, options)
        if _takes(taken, start, end):
            places = frozenset() if place is None else frozenset({place})
            found.append(Mention(start, end, places, "label", dressed))

    for match in _NAMED.finditer(text):
        if not (match[1] == "a" and re.match(r"\s+\w", text[match.end() : match.end() + 9])):
            add(match.start(), match.end(), match[1], dressed=True)
    for pattern in (_BRACKETED, _QUOTED):
        for match in pattern.finditer(text):
            add(match.start(), match.end(), match[1], dressed=True)
    for match in _ORDINAL.finditer(text):
        number = _number(match, options)
        if 1 <= number <= len(options):
            add(match.start(), match.end(), options[number - 1].label, dressed=True)
    for match in _BARE.finditer(text):
        if _is_bare_label(match[1], text[match.end() : match.end() + 40]) and place_of(match[1], options) is not None:
            add(match.start(), match.end(), match[1], dressed=False)
    for match in _LOWER.finditer(text):
        if place_of(match[1], options) is not None:
            add(match.start(1), match.end(1), match[1], dressed=False)
    return sorted(found, key=lambda m: m.start)


def _is_bare_label(letter: str, after: str) -> bool:
    """Whether a capital on its own is a label, and not the article or the pronoun."""
    follows = re.match(rf"[ \t]+([{W}].*)", after)
    if letter == "A" and follows:
        return bool(re.match(_AFTER_A, follows[1]))
    if letter == "I" and follows:
        return bool(re.match(r"(?:is|because|since|and|or)\b", follows[1]))
    return True


def _number(match: re.Match[str], options: Sequence[Option]) -> int:
    """The number of an option called "option 2" or "the last one", from 1; 0 where that may be an option's text."""
    said = (match[1] or match[3]).lower()
    if (match[3] or match[2].lower() == "one") and any(re.search(rf"\b{said}\b", o.text, re.I) for o in options):
        return 0
    if match[3]:
        return int(said)
    return len(options) if said == "last" else _ORDINALS.index(said) + 1


def _merged(text: str, mentions: list[Mention]) -> list[Mention]:
    """Mentions with each label joined to the text beside it."""
    done: list[Mention] = []
    for mention in mentions:
        last = done[-1] if done else None
        joined = None if last is None else _joined(text, last, mention)
        if joined is None:
            done.append(mention)
        else:
            done[-1] = joined
    return done


def _joined(text: str, one: Mention, two: Mention) -> Mention | None:
    """A label and the text behind it, or a text and the label in brackets behind it, as one mention."""
    between = text[one.end : two.start]
    article = re.sub(rf"{_ARTICLE.pattern}$", "", between, flags=re.IGNORECASE)
    by_text = two.note[1] if two.note else two.places
    if one.kind == "label" and (two.kind == "text" or (one.dressed and two.note)):
        if not one.places or not (_JOINT.fullmatch(article) or _JOINT.fullmatch(between)):
            return None
        agreed = one.places & by_text
        explained = re.search(r"[a-z即]", between, re.IGNORECASE)
        if _goes_on(text, two.end) and (not agreed or re.search(r"\n|\.\s", between)):
            return None
        ended = text[one.end - 1] in ")]" and re.match(r"\.\s", between)  # "it is (B). A flute ..."
        if not agreed and (ended or (re.search(r",|\n", between) and not explained)):
            return None
    elif one.kind == "text" and two.kind == "label" and two.dressed and two.places:
        if not _BESIDE.fullmatch(between) or "\n" in between:
            return None
        agreed = one.places & two.places
    else:
        return None
    kind: Kind = "both" if agreed else "clash"
    return Mention(one.start, two.end, agreed or one.places | two.places, kind, dressed=True)


def _goes_on(text: str, end: int) -> bool:
    """Whether the sentence goes on after a text, so that it may be about something else."""
    return bool(re.match(rf"[ \t]*(?![A-Z][.):\]]|Answer|(?:or|and|oder|und|o|y|e|ou|et)\b)[{W}]", text[end : end + 9]))
