"""Which option a reply means in the end, or why none.

What a reply says comes in ranks. A statement of the answer ("the answer is B", "so it must be the oboe", a line that
is "B" and nothing else) goes before what a list calls correct, that before an option that is named with its label,
that before an option's text at the end of a sentence, and last comes the one that is left when all others are denied.
Within a rank everything must agree; where a reply takes something back in so many words, what comes after counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from akb.reading import lexicon as lex
from akb.reading.marked import Marked, is_aside
from akb.reading.stances import Statement, stances, statements
from akb.types import Option

SEVERAL = "the reply names more than one option"
CLASH = "the letter and the text disagree"
OPEN = "the reply leaves more than one option open"
FOREIGN = "the reply names a letter that no option has"

_SO = re.compile(r"^\W*(?:so|therefore|thus|hence|which leaves|leaving|but)\b|^\W*(?:所以|因此)", re.IGNORECASE)
_CONCLUSION = re.compile(
    r"\b(?:so|therefore|thus|hence|consequently|overall|in conclusion|it follows|based on|given|we conclude|"
    r"i(?:'d| would) say|"
    r"por (?:lo )?tanto|portanto|donc|daher|deshalb|folglich|quindi|dunque|таким образом|поэтому|dus)\b|"
    r"所以|因此|したがって|よって|따라서|그러므로",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Found:
    """The place that a reply means; None with the reason why there is none, empty if nothing was found."""

    place: int | None
    reason: str = ""


NOTHING = Found(None)


def decide(text: str, options: Sequence[Option]) -> Found:
    """Which option a cleaned reply means.

    Args:
        text: the reply after `akb.reading.text.readable`.
        options: the options in the order shown.
    """
    reply = Marked(text, options)
    if (whole := _whole(reply)) is not None:
        return whole
    if stated := list(statements(reply)):
        return _settled(reply, stated)
    for rank in (_by_list, _by_stances):
        if (found := rank(reply)) != NOTHING:
            return found
    weighed = re.search(lex.ANSWER, reply.text, re.IGNORECASE) or lex.ALSO_OPEN.search(reply.text)
    return Found(None, OPEN) if weighed and lex.UNDECIDED.search(reply.text) else NOTHING


def _whole(reply: Marked) -> Found | None:
    """A reply that is nothing but a mention, or the same one again and again, or the beginning of one option's text;
    None for any other. A letter alone is a label before it is a note: that is what prompts ask for."""
    if (begun := _begun(reply)) is not None:
        return begun
    alone = lex.alone(reply.text)
    numbers = reply.numbers(alone or reply.text)
    behind_list = [reply.mentions[n] for n in numbers if n not in reply.listed] if len(reply.listed) > 1 else []
    named = behind_list or [reply.mentions[n] for n in numbers]
    again = len(numbers) > 1 and len(re.findall(r"[^\W\d_]", re.sub(lex.M, "", reply.text))) < 12
    if alone is None and not again:
        return None
    if any(m.kind == "clash" for m in named):
        return Found(None, CLASH)
    meant = {m.note[0] if m.note else m.places for m in named}
    if len(meant) > 1:
        bare = alone or re.fullmatch(rf"(?:{lex.M}[\s.,;:/&()\[\]-]*)+", reply.text)
        return Found(None, SEVERAL) if bare else None
    return None if lex.NOT_BEFORE.search(alone or reply.text) else _only(reply, meant.pop())


def _begun(reply: Marked) -> Found | None:
    """A reply of three words or more that are how one option's text begins, and no other's."""
    words = reply.text.casefold().strip(" .\"'").split()
    if len(words) < 3 or reply.mentions:
        return None
    found = [place for place, o in enumerate(reply.options) if o.text.casefold().split()[: len(words)] == words]
    return Found(found[0]) if len(found) == 1 else None


def _only(reply: Marked, places: frozenset[int]) -> Found:
    """The one option among places; the first of several that say the same."""
    if len({reply.options[place].text for place in places}) == 1:
        return Found(min(places))
    return Found(None, SEVERAL if places else FOREIGN)


def _settled(reply: Marked, stated: Sequence[Statement]) -> Found:
    """What statements come to: one option, unless they differ and none is taken back."""
    last = stated[-1]
    revised = [at for at, sentence in enumerate(reply.sentences) if lex.REVISED.search(sentence)]
    latest = max((at for at in revised if at <= last.at), default=-1)
    kept = [last]
    for earlier in reversed(stated[:-1]):
        taken_back = latest >= earlier.at or (last.final and not earlier.final)
        if earlier.places != last.places and taken_back:
            break
        kept.append(earlier)
    if any(s.clash for s in kept):
        return Found(None, CLASH)
    found = _only(reply, frozenset[int]().union(*(s.places for s in kept)))
    return found if found.place is None else _unopposed(reply, found.place, last)


def _unopposed(reply: Marked, place: int, stated: Statement) -> Found:
    """The stated option, if what follows leaves no other open."""
    later = reply.sentences[stated.at + 1 :]
    if lex.UNDECIDED.search(" ".join(later)):
        return Found(None, OPEN)
    for match in lex.ALSO_OPEN.finditer(" ".join([stated.rest, *later])):
        named = next(text for text in match.groupdict().values() if text)
        if any(place not in m.places and m.places for m in reply.of(named)):
            return Found(None, OPEN)
    for sentence in later:
        if _SO.search(sentence):
            said = {p for m, stance in stances(reply, sentence) if stance in ("said", "ends") for p in m.places}
            if said and place not in said:
                return Found(None, SEVERAL)
    return Found(place)


def _by_list(reply: Marked) -> Found:
    """The one option that a list of verdicts calls correct."""
    right, wrong = set[int](), set[int]()
    for head in reply.heads:
        calls = tuple(bool(p.search(head.sign) or p.search(head.rest)) for p in (lex.RIGHT, lex.WRONG))
        if calls == (True, False):
            right |= reply.mentions[head.number].places
        elif calls == (False, True):
            wrong |= reply.mentions[head.number].places
    if len(right) > 1 and wrong:
        return Found(None, SEVERAL)
    return Found(right.pop()) if len(right) == 1 and wrong and not right & wrong else NOTHING


def _by_stances(reply: Marked) -> Found:
    """The option of which something is said, with its label or by its text; else the one at the end of a clause, with
    its label, or by its text; else the one that is left."""
    denied = set[int]()
    ranks: dict[tuple[str, bool], list[Statement]] = {}
    for at, sentence in enumerate(reply.sentences):
        for mention, stance in stances(reply, sentence):
            if stance == "denied":
                denied |= mention.places
            elif stance != "told" and not is_aside(sentence):
                told = Statement(at, mention.places, mention.kind == "clash")
                ranks.setdefault((stance, mention.kind == "text"), []).append(told)
    for rank in (("said", False), ("ends", False), ("said", True), ("ends", True)):
        if rank in ranks and (found := _concluded(reply, ranks[rank], by_text=rank[1])) != NOTHING:
            return found
    return _left_over(reply, denied)


def _concluded(reply: Marked, said: Sequence[Statement], *, by_text: bool) -> Found:
    """The one option said, or of several that of the sentence that concludes. An option that is only told by its text
    must be that of the first sentence or of one that concludes, and that sentence must not tell of others as well."""
    if any(s.clash for s in said):
        return Found(None, CLASH)
    at = said[-1].at
    places = frozenset[int]().union(*(s.places for s in said))
    last = frozenset[int]().union(*(s.places for s in said if s.at == at))
    ending = at == len(reply.sentences) - 1 and not _is_cut(reply)
    concludes = ending or bool(_CONCLUSION.search(reply.sentences[at]))
    found = _only(reply, last)
    if found.place is None or (_only(reply, places).place is None and not concludes):
        return Found(None, SEVERAL)
    if by_text and not ((concludes or at == 0) and _is_about(reply, found.place, at)):
        return NOTHING
    return _unopposed(reply, found.place, Statement(at, last, rest=reply.sentences[at]))


def _is_cut(reply: Marked) -> bool:
    """Whether the last sentence breaks off: others have an end, and it has none."""
    *others, last = reply.sentences
    ended = [bool(re.search(r"[.!?)\]\"'。⟧]\s*$", sentence)) for sentence in (last, *others)]
    return len(last) > 40 and not ended[0] and any(ended[1:])


def _is_about(reply: Marked, place: int, at: int) -> bool:
    """Whether a sentence says something of one option, or at least tells of no other."""
    found = list(stances(reply, reply.sentences[at]))
    says = any(stance == "said" for _, stance in found)
    return says or all(place in mention.places for mention, stance in found if stance != "denied")


def _left_over(reply: Marked, denied: set[int]) -> Found:
    """The option that is left when all others are denied, and the reply says that one is left."""
    left = set(range(len(reply.options))) - denied
    return Found(left.pop()) if len(left) == 1 and lex.LEFT_OVER.search(reply.text) else NOTHING
