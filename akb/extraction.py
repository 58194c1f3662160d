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

_THOUGHT = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_UNENDED = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_MARKUP = re.compile(
    r"(?<!\w)[*_`]+|[*_`]+(?!\w)|^\s*#+\s+|\$(?=[^$]{1,40}\$)|(?<=\w)\$|\\(?:text|mathrm|mathbf)\b", re.MULTILINE
)
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i (?:can(?:not|'t)|won't) (?:help|assist|answer|comply|provide)"
    r"|as an ai\b[^.]{0,60}\b(?:cannot|can't|unable))",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\bnot|n't|\brather than|\binstead of|\bunlike|\bneither|\bnor|\bexcept)\s+(?:the\s+|be\s+|an?\s+)*[\"'(]*$",
    re.I,
)
_UNCHOSEN = re.compile(
    r"(?:\bnot|n't|\bnever|\bcannot)\s+(?:(?:choose|pick|select|go with|answer|say|think|believe|that|the|be)\s+)*$",
    re.I,
)
_HYPOTHETICAL = re.compile(
    r"\b(?:if|whether|why|suppose|assuming|unless|people|students|others|some|many)\b[^.;!?\n]*$", re.I
)
_WRONG = r"(?:wrong|incorrect|false|inaccurate|unlikely|impossible|ruled out|eliminated|excluded)"
_CALLED_WRONG = re.compile(
    rf"(?:\b{_WRONG}|\bnot\s+(?:the\s+)?(?:correct|right|best)?|\b(?:tempting|trick|common|usual|typical|popular|naive"
    r"|obvious|alternative|other|another|first|initial|previous|second))\s*$",
    re.I,
)
_DENIED = re.compile(
    r"\W*(?:is|are|was|were|seems?|looks?|sounds?|can|could|would|does|do)?\s*"
    rf"(?:(?:also|clearly|probably|definitely|therefore|too)\s+)?(?:n't\b|not\b(?!\s+[(\[]?[A-Z]\b)|never\b|{_WRONG}\b)",
    re.I,
)
_DOUBT = re.compile(
    rf"n't\b|\b(?:not|cannot|no|never|neither|nor|either|or|if|whether|except|unlike|than|instead|consider|ignore|avoid|"
    rf"rules? out|eliminates?|excludes?|{_WRONG})\b",
    re.I,
)
_REVISED = re.compile(
    r"\b(?:wait|actually|correction|on second thoughts?|scratch that|let me (?:reconsider|correct|re-?check)"
    r"|i (?:take that back|was wrong|made a mistake))\b",
    re.I,
)
_NEAR = 400  # characters around a statement that are looked at
_LETTER = r"[(\[{\"']*\s*([A-Za-z])\s*[)\]}\"']*"
_STATED = re.compile(
    r"(?:\b(?:answer|choice|option|solution|letter)\b[\"']?(?:\s+(?:is|would be|must be|should be|choice|option))*"
    r"\s*[:=]*\s*"
    rf"(?:option\s+|choice\s+)?|\\boxed\s*){_LETTER}(?![A-Za-z'])(?=$|[\s.,;:!)\]}}\"'—]|-\s)",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"\b(?:choose|chose|pick|picked|select|selected|go with|say|is|be|it's|that's)\s+(?:the\s+)?$", re.I
)
_CALLED_RIGHT = re.compile(
    r"(?<![\w'-])[(\[]?([A-Z])[)\]]?\s+(?:is|seems|would be|must be)\s+(?:(?:clearly|definitely|the|my|most|best)\s+)*"
    r"(?:correct|right|answer|accurate)\b"
)
_MAYBE = r"(?:(?:it|option|maybe|perhaps|possibly|also|could|might|may|be|or|and|the)\s+)*"
_AND_ANOTHER = re.compile(  # the pronoun I is no label
    rf"\W*?(?:[,/&+]|\bor\b|\band\b|,?\s*\bbut\s+it\b)\s*{_MAYBE}[(\[]?(?!I\s+[a-z])([A-Z])[)\]]?(?![\w'♯♭#])"
)
_OR_ELSE = re.compile(rf"\W*?(?:/|\bor\b|\band\b)\s*{_MAYBE}(.*)", re.DOTALL)
_ANSWERS = re.compile(
    r"\s*(?:is|would be|must be|seems)\s+(?:(?:the|my|most|best)\s+)*(?:correct|right|answer|best|likely)\b"
)
_GOES_ON = re.compile(r"\s+(?!(?:because|since|as|for|given|due|based|and|or|but|not|which|is|are|was)\b)[a-z]")
_LINE = re.compile(rf"^\s*{_LETTER}\s*(?:[.):\]—-]+\s*|\s+|$)(.*)$")
_LABELLED = r"^[\s>•*-]*(?:[(\[]\s*{0}\s*[)\]]|{0}\s*[.):\]])\s*(.*)$"
_CLAUSE_END = re.compile(r"[.,;:!?](?=\s|$)|\n|—|\s-\s|\bbut\b|\bbecause\b|\bso\b", re.I)
_AROUND = """the a an answer correct right best option choice is it it's this that that's there are i i'd think believe
would say choose select pick go with be must should my final so therefore thus hence"""
_PLAIN = """zero one two three four five six seven eight nine ten first second third fourth fifth yes no none all both
neither true false never always some any other"""
_FRAME, _PLAIN_WORDS = frozenset(_AROUND.split()), frozenset(_PLAIN.split())


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

    In this order: the whole reply; statements ("the answer is B", "\\boxed{B}", "B is correct"); the first line
    ("B. text"); the one option whose text occurs. Where one of these finds two different options, there is no answer.
    """
    text = _THOUGHT.sub("", reply)
    if (cut := _UNENDED.search(text)) is not None:
        text = text[: cut.start()]
        if not text.strip():
            return Reading(None, Status.TRUNCATED, "the reasoning does not end")
    text = _clean(text)
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


def _clean(text: str) -> str:
    """Text without the marks of Markdown and TeX; what is part of a name (F#, f_s) stays."""
    return _MARKUP.sub("", text.replace("’", "'")).strip()


def _place_of(letter: str, options: Sequence[Option]) -> int | None:
    return next((place for place, o in enumerate(options) if o.label == letter.upper()), None)


def _plain(text: str) -> str:
    return " ".join(_clean(text).casefold().split()).strip("\"'“”(). ")


def _whole(text: str, options: Sequence[Option]) -> Reading | None:
    """A reply that is a label alone, or an option's text alone. A label goes first: it is what prompts ask for."""
    label = re.fullmatch(rf"{_LETTER}\s*[.:]?", text)
    if label is not None and (place := _place_of(label[1], options)) is not None:
        return Reading(place)
    exact = [place for place, o in enumerate(options) if o.text.strip() == text.strip(" .")]
    matches = exact or [place for place, o in enumerate(options) if _plain(o.text) == _plain(text)]
    if len({options[place].text.strip() for place in matches}) > 1:  # they differ in case or marks alone
        return Reading(None, Status.WRONG_FORMAT, "the reply fits more than one option")
    return Reading(matches[0]) if matches else None


def _statements(text: str, options: Sequence[Option]) -> set[int]:
    """Options named by letter in a statement of the answer. The article "a" is not a letter, nor the C of "C minor"."""
    places: set[int] = set()
    for match in _STATED.finditer(text):
        before, dress = text[max(0, match.start() - _NEAR) : match.start()], match[0]
        after = text[match.end() : match.end() + _NEAR]
        if _NEGATED.search(before + text[match.start() : match.start(1)]) or _UNCHOSEN.search(before):
            continue
        if _CALLED_WRONG.search(before) or _HYPOTHETICAL.search(before):
            continue
        bracketed = re.search(r"[(\[{]\s*[A-Za-z]\W*$", dress)
        if not bracketed and (named := _text_at(text[match.start(1) : match.end() + _NEAR], options)):
            places |= named
            continue
        followed = _GOES_ON.match(after)
        bare_article = (match[1] == "a" and not re.search(r"[(\[{\"':=]\s*a\W*$", dress)) or followed
        if (bare_article and not bracketed) or _DENIED.match(after):
            continue
        weak = re.match(r"(?:option|choice)\b(?!.*(?:\bis\b|\bbe\b|[:=]))", dress, re.I)
        if weak and not _CHOSEN.search(before) and (before.strip() or after.strip(" .!")):
            continue
        places |= _with_others(match[1], after, options)
    for match in _CALLED_RIGHT.finditer(text):
        before = text[max(0, match.start() - _NEAR) : match.start()]
        if not (_HYPOTHETICAL.search(before) or re.search(r"\b(?:neither|nor|not)\s+(?:option\s+)?$", before, re.I)):
            beside = re.search(r"(?<!\w)([A-Z])[)\]]?\s*(?:,|\bor\b|\band\b)\s*(?:option\s+)?$", before)
            places |= _with_others(match[1], f" and {beside[1]}" if beside else "", options)
    return places


def _with_others(letter: str, after: str, options: Sequence[Option]) -> set[int]:
    """A letter's place and those of further letters that directly follow ("A or B")."""
    letters = [letter]
    while (more := _AND_ANOTHER.match(after)) is not None:
        letters.append(more[1])
        after = after[more.end() :]
    places = {place for letter in letters if (place := _place_of(letter, options)) is not None}
    return places | _or_text(after, options)


def _or_text(after: str, options: Sequence[Option]) -> set[int]:
    """The option whose text directly follows an "or" ("A or the second syllable")."""
    more = _OR_ELSE.match(after)
    rest = _plain(more[1]) if more else ""
    return {place for place, o in enumerate(options) if rest and re.match(rf"{re.escape(_plain(o.text))}(?!\w)", rest)}


def _text_at(text: str, options: Sequence[Option]) -> set[int]:
    """The option whose text stands at the beginning, where that begins with a letter on its own: "C minor", or the
    note C itself. If the letter may be a label as well, both are named."""
    here = _plain(text)
    texts = {place: _plain(o.text) for place, o in enumerate(options)}
    found = {p for p, t in texts.items() if re.match(r"\w(?!\w)", t) and re.match(rf"{re.escape(t)}(?![\w♯♭#])", here)}
    if not found:
        return set()
    longest = max(len(texts[place]) for place in found)
    found = {place for place in found if len(texts[place]) == longest}
    label = _place_of(here[0], options)
    return found | {label} if longest == 1 and label is not None else found


def _first_line(text: str, options: Sequence[Option]) -> set[int]:
    """A reply that begins with a label in brackets or before a stop, e.g. "(B) Second syllable"."""
    first = text.splitlines()[0]
    match = _LINE.match(first)
    if match is None or (place := _place_of(match[1], options)) is None:
        return set()
    rest, own = match[2], _plain(options[place].text)
    dressed = re.match(_LABELLED.format(match[1]), first)
    says_own = _plain(rest).startswith(own)
    tail = _plain(rest)[len(own) :] if says_own else rest
    if _DENIED.match(tail) or not (dressed or not rest or says_own):
        return set()
    return {place} | _labelled_elsewhere(text, tail, place, options) | _or_text(tail, options)


def _labelled_elsewhere(text: str, tail: str, place: int, options: Sequence[Option]) -> set[int]:
    """Other options that the rest of the first line, or another line's beginning, names by their labels."""
    found = set()
    for other, option in enumerate(options):
        if other == place:
            continue
        label = re.escape(option.label)
        bare = rf"|(?<![\w'-]){label}(?![\w'♯♭#-])" if option.label not in "AI" else ""
        inline = re.search(rf"[(\[]{label}[)\]]|(?<![\w'-]){label}[.):](?=\s){bare}", tail.upper())
        lines = [m[1] for line in text.splitlines()[1:] if (m := re.match(_LABELLED.format(label), line))]
        lines += [line for line in text.splitlines()[1:] if line.strip() == option.label]
        if (inline and not _NEGATED.search(tail[: inline.start()])) or any(not _DOUBT.search(line) for line in lines):
            found.add(other)
    return found


def _texts(text: str, options: Sequence[Option]) -> set[int]:
    """Options whose text occurs in the reply as whole words, not within another option's text, and in a clause that
    neither denies nor weighs it, and that ends with it or calls it right. Numbers and words such as "no" count only
    where the clause says nothing else."""
    reply = re.sub(r"[ \t]+", " ", text).casefold()
    spans: list[tuple[int, int, int]] = []
    for place, option in enumerate(options):
        wanted = re.escape(_plain(option.text))
        if wanted:
            found = re.finditer(rf"(?<![\w+−±/-])(?<!\d[.,]){wanted}(?![\w/♯♭#-])(?![.,]\d)", reply)
            spans += [(m.start(), m.end(), place) for m in found]
    reach, outer = 0, list[tuple[int, int, int]]()
    for start, end, place in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end > reach or (start, end) == outer[-1][:2]:  # else it lies within a longer one that began before
            outer.append((start, end, place))
            reach = end
    return {place for start, end, place in outer if _asserted(reply, start, end)}


def _asserted(reply: str, start: int, end: int) -> bool:
    """Whether the clause around a span says it of the answer."""
    first = max(0, start - _NEAR)
    ends = list(_CLAUSE_END.finditer(reply, first, start))
    left = ends[-1].end() if ends else first
    stop = _CLAUSE_END.search(reply, end, end + _NEAR)
    right = stop.start() if stop else end + _NEAR
    around = f"{reply[left:start]} | {reply[end:right]}"
    if (stop and stop[0] == "?") or _DOUBT.search(around) or _NEGATED.search(reply[first:start]):
        return False
    if reply[end:right].strip(" '\")]|") and not _ANSWERS.match(reply[end:right]):
        return False  # something is said of the option, e.g. "the first syllable is weak"
    words = re.sub(r"[^\w\s']", " ", reply[start:end]).split()
    weak = all(word.isdigit() or word in _PLAIN_WORDS or len(word) == 1 for word in words)
    return not weak or set(re.sub(r"[^\w\s']", " ", around).split()) <= _FRAME


def _agreed(place: int, text: str, options: Sequence[Option]) -> Reading:
    """A letter directly followed by another option's text contradicts itself; a reply that takes its answer back and
    then names another option has none."""
    label = re.escape(options[place].label)
    own = _plain(options[place].text)
    revised = _REVISED.search(text)
    for other, option in enumerate(options):
        told = _plain(option.text)
        if other == place or told == own:
            continue
        stated = rf"(?<!\w){label}[\s)\].:,—(\"'-]+{re.escape(told)}(?![\w♯♭#])"
        mark = re.escape(option.label)
        called = rf"{re.escape(own)}[\s\"'.,:]*[(\[]{mark}[)\]]|(?<!\w){mark}[)\].:]\s*{re.escape(own)}(?!\w)"
        if option.label not in "AI":  # which may be words
            called += rf"|(?<!\w){mark}\s+{re.escape(own)}(?!\w)"
        if re.search(called, text, re.IGNORECASE):
            return Reading(None, Status.WRONG_FORMAT, "the letter and the text disagree")
        if re.search(stated, text, re.IGNORECASE) and not own.startswith(told):
            return Reading(None, Status.WRONG_FORMAT, "the letter and the text disagree")
        named = rf"(?<![\w'-]){re.escape(option.label)}(?![\w'♯♭#-])(?!\s+[a-z])"
        if revised and (re.search(named, text[revised.end() :]) or told in text[revised.end() :].casefold()):
            return Reading(None, Status.WRONG_FORMAT, "the reply corrects itself")
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
