"""Reading a reply: which option did it choose, or why none.

Nothing is guessed. A reply that names no option, several, or a letter and a text that disagree is WRONG_FORMAT with
its reason; that is counted and shown beside every accuracy. Rules are named and versioned, because how replies are
read can move a score by tens of points.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from akb.errors import unknown
from akb.types import Option, Status


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply said: the place of the chosen option (from 0), or a status that is not OK and the reason."""

    place: int | None
    status: Status = Status.OK
    reason: str = ""


Rule = Callable[[str, Sequence[Option]], Reading]

_THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"[*_`#]+|\$(?=[^$]{1,40}\$)|(?<=\w)\$|\\(?:text|mathrm|mathbf)\b")
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i (?:can(?:not|'t)|won't) (?:help|assist|answer|comply|provide)"
    r"|as an ai\b[^.]{0,60}\b(?:cannot|can't|unable))",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\bnot|\bisn't|\bis not|\brather than|\binstead of|\bunlike|\bneither|\bnor)\s+(?:the\s+)?[\"'(]*$",
    re.I,
)
_LETTER = r"[(\[{\"']*\s*([A-Za-z])\s*[)\]}\"']*"
_STATED = re.compile(
    r"(?:\b(?:answer|choice|option|solution)\b(?:\s+(?:is|would be|must be|should be|choice|option))*\s*[:=]*\s*"
    rf"(?:option\s+|choice\s+)?|\\boxed\s*){_LETTER}(?![A-Za-z'])(?=$|[\s.,;:!)\]}}\"'—-])",
    re.IGNORECASE,
)
_LINE = re.compile(rf"^\s*{_LETTER}\s*(?:[.):\]—-]+\s*|\s+|$)(.*)$")


def _strict_letter(reply: str, options: Sequence[Option]) -> Reading:
    """The reply must be one label and nothing else but brackets and a full stop."""
    text = reply.strip()
    if not text:
        return Reading(None, Status.EMPTY, "the reply is empty")
    match = re.fullmatch(r"\(?([A-Z])\)?\.?", text)
    place = _place_of(match[1], options) if match else None
    if place is None:
        return Reading(None, Status.WRONG_FORMAT, "the reply is not a single label")
    return Reading(place)


def _akb_1(reply: str, options: Sequence[Option]) -> Reading:
    """A letter in a common dress or an option's text; all that is named must agree.

    In this order: the whole reply; statements ("the answer is B", "\\boxed{B}"); the first line ("B. text"); the
    one option whose text occurs. Where one of these finds two different options, there is no answer.
    """
    text = _THINKING.sub(" ", reply)
    if "</think>" in text:
        text = text.rsplit("</think>", 1)[1]
    text = _MARKUP.sub("", text).strip()
    if not text:
        return Reading(None, Status.EMPTY, "the reply is empty")
    whole = _whole(text, options)
    if whole is not None:
        return whole
    for find in (_statements, _first_line, _texts):
        places = find(text, options)
        if len(places) == 1:
            return _agreed(places.pop(), text, options)
        if places:
            return Reading(None, Status.WRONG_FORMAT, "the reply names more than one option")
    if _REFUSAL.search(text):
        return Reading(None, Status.REFUSED, "the reply declines to answer")
    return Reading(None, Status.WRONG_FORMAT, "the reply names no option")


def _place_of(letter: str, options: Sequence[Option]) -> int | None:
    return next((place for place, o in enumerate(options) if o.label == letter.upper()), None)


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s/%+.,:-]", " ", text.casefold()).split()).strip(" .,:;-")


def _whole(text: str, options: Sequence[Option]) -> Reading | None:
    """A reply that is a label alone, an option's text alone, or a label with its text."""
    matches = [place for place, o in enumerate(options) if _plain(o.text) == _plain(text)]
    if matches:
        return Reading(matches[0])
    label = re.fullmatch(rf"{_LETTER}\s*[.:]?", text)
    if label is not None and (place := _place_of(label[1], options)) is not None:
        return Reading(place)
    return None


def _statements(text: str, options: Sequence[Option]) -> set[int]:
    """Options named by letter in a statement of the answer. The article "a" is not a letter."""
    places = set()
    for match in _STATED.finditer(text):
        letter, dress = match[1], match[0]
        bare_article = letter == "a" or (letter in "AI" and re.match(r"\s+[a-z]", text[match.end() :]))
        if bare_article and not re.search(r"[(\[{\"':=]\s*[A-Za-z]\W*$", dress):
            continue
        if _NEGATED.search(text[: match.start(1)]):
            continue
        if (place := _place_of(letter, options)) is not None:
            places.add(place)
    return places


def _first_line(text: str, options: Sequence[Option]) -> set[int]:
    """A reply that begins with a label in brackets or before a stop, e.g. "(B) Second syllable"."""
    match = _LINE.match(text.splitlines()[0])
    if match is None:
        return set()
    letter, rest = match[1], match[2]
    dressed = re.match(rf"^\s*(?:[(\[]\s*{letter}\s*[)\]]|{letter}\s*[.):\]])", text)
    place = _place_of(letter, options)
    if place is None:
        return set()
    if dressed or not rest or _plain(rest).startswith(_plain(options[place].text)):
        return {place}
    return set()


def _texts(text: str, options: Sequence[Option]) -> set[int]:
    """Options whose text occurs in the reply as whole words, not within another option's text, not negated."""
    reply = _plain_keep(text)
    spans: list[tuple[int, int, int]] = []
    for place, option in enumerate(options):
        wanted = re.escape(_plain_keep(option.text))
        if not wanted:
            continue
        found = re.finditer(rf"(?<![\w-]){wanted}(?![\w-])", reply)
        spans += [(m.start(), m.end(), place) for m in found if not _NEGATED.search(reply[: m.start()])]
    return {
        place
        for start, end, place in spans
        if not any(s <= start and end <= e and (e - s) > (end - start) for s, e, _ in spans)
    }


def _plain_keep(text: str) -> str:
    return " ".join(text.casefold().replace("’", "'").strip(" .").split())


def _agreed(place: int, text: str, options: Sequence[Option]) -> Reading:
    """A letter directly followed by another option's text contradicts itself."""
    label = re.escape(options[place].label)
    for other, option in enumerate(options):
        if other == place or _plain(option.text) == _plain(options[place].text):
            continue
        stated = rf"(?<!\w){label}\s*[)\].:,—-]+\s*[\"'(]*{re.escape(option.text)}(?!\w)"
        longer = _plain(options[place].text).startswith(_plain(option.text))
        if re.search(stated, text, re.IGNORECASE) and not longer:
            return Reading(None, Status.WRONG_FORMAT, "the letter and the text disagree")
    return Reading(place)


RULES: dict[str, Rule] = {"akb-1": _akb_1, "strict-letter": _strict_letter}


def extract(reply: str, options: Sequence[Option], rule: str = "akb-1") -> Reading:
    """Which option a reply chose, by a named rule.

    Args:
        reply: the reply without its reasoning.
        options: the options in the order shown.
        rule: a name in `RULES`.

    Examples:
        >>> options = [Option("A", "crescendo"), Option("B", "staccato")]
        >>> extract("The answer is **B**.", options).place
        1
        >>> extract("Either A or B.", options).status
        <Status.WRONG_FORMAT: 'wrong_format'>
    """
    if rule not in RULES:
        raise unknown("extraction rule", rule, RULES)
    return RULES[rule](reply, options)
