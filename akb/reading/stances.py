"""What the sentences of a reply say of the options: statements of the answer, and stances towards single options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from akb.reading import lexicon as lex
from akb.reading.marked import NEAR, Marked, first_clause, is_question, last_clause
from akb.reading.mentions import Mention
from akb.types import Option

Stance = Literal["denied", "said", "ends", "told"]

LONG = 20  # characters; a text of more is a clause, not a name that is dropped in passing
_TAIL = 300  # characters at the end of a sentence in which a mention may stand alone
_TAIL_START = re.compile(r"[,;:—–=→>]|\bbut\b|\b(?=so\b|therefore\b|thus\b|hence\b)|\bsondern\b|\s-\s", re.IGNORECASE)
_CONCLUDES = re.compile(
    r"^\W*(?:so|therefore|thus|hence|which leaves|leaving|but|sondern)\b|^\W*(?:所以|因此)", re.IGNORECASE
)
_STOPS = r"[\s\"')\]]*(?:[.;!—–|\n(]|$|\b(?:because|since|rather than|instead of)\b|です|である|입니다|이다)"
_AT_END = re.compile(_STOPS, re.IGNORECASE)
_LETTER_END = re.compile(rf"{_STOPS}|,\s*(?:not|rather|because|since|as|which|the only)\b", re.IGNORECASE)
_AT_PAUSE = re.compile(  # after "it is": a comma will do, and a noun or an adverbial may come between
    rf"(?:\s+[a-z]+)?(?:\s+(?:of|in|on|at|from|by|with|for|during|throughout)\s+(?:\w+\s+){{0,2}}\w+)?(?:{_STOPS}|"
    rf"[\s\"')\]]*[,:]|"
    r"\s+(?:so|as|and it|here|in this|not|than|although|though|while|whereas|but)\b)",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"(?:\b(?:is|are|was|be|being|says?|said|equals?|reads?|means|called|named|hears?|heard|makes?|forms?|"
    r"leaves|leaving|feels?|"
    r"feeling|points? to|suggests?|indicates?|consistent with|corresponds? to|matches|sounds? (?:more )?like|"
    r"seems? (?:to be|like)|"
    r"appears to be|handelt (?:\w+ ){1,3}um|more like|closer to|nearer to|occurs?|happens?|it's|that's|ist|est|"
    r"es|è|é|sia|sea|sería|"
    r"seria|serait|wäre|"
    r"sarebbe)|[=是为は→])"
    r"\s*(?:(?:that|in|from|at|the|an?|of|exactly|about|clearly|probably|most likely|therefore|thus|simply|just|"
    r"(?:sound|noise|recording|example|case|form|type|kind|result|use|voice) of|la|le|die|der|das|el)"
    r"\s+)*[\"'(]*$",
    re.IGNORECASE,
)
_REASON = r",?\s*(?:because|since|as|due to|given|rather than|instead of|over|not)\b"
_HEAD = re.compile(rf"\W*(?P<named>{lex.M})\s*(?P<then>{_REASON}|[,;—–-]|:(?!\s*{lex.M})|\(|(?=[a-z]))")
_ONLY_IF = re.compile(r"\s*(?:(?:you|one|many|people|that|which|if|when)\b|for (?:an?|the)\b)", re.IGNORECASE)
_ITEM = re.compile(r"\W*⟦\d+⟧\s*[:=]\s*")
_SAMPLE = re.compile(r"(?:sample|speaker|clip|note|example|round|run|attempt|trial|vote)\s*\d*\s*:\s*$", re.IGNORECASE)
_BUT = re.compile(r"(\w*)\W*\b(?:but|sondern)\s*$", re.IGNORECASE)
_YES_NO = frozenset(
    [
        "yes",
        "no",
        "true",
        "false",
        "ja",
        "nein",
        "sí",
        "si",
        "oui",
        "non",
        "sim",
        "não",
        "да",
        "нет",
        "是",
        "否",
        "はい",
        "いいえ",
    ]
)


_AFTER_LINK = re.compile(  # what may stand between "is" and the option: nothing that changes what is said of it
    r"(?:[\s,;\"'(\[—–:=→|*-]|\b(?:the|an?|option|letter|choice|label|number|answer|most|more|very|much|likely|"
    r"probably|"
    r"possibly|clearly|definitely|certainly|surely|undoubtedly|therefore|thus|then|hence|indeed|actually|simply|"
    r"just|obviously|"
    r"still|always|again|also|rather|really|finally|here|now|instead|best|given by|described (?:as|by)|that|it|"
    r"is|in fact|of course|"
    r"donc|daher|folglich|por tanto|entonces|portanto|quindi|dunque|więc|dus|alors|in|at|for|played|made|heard|"
    r"found to|not|as|follows|la|le|el|il|lo|los|las|les|die|der|das|den|dem|een|de|"
    r"het|en|um|uma|"
    r"lettre|letra|lettera|buchstabe|opción|opção|opzione|option|alternativ[ae]|вариант|буква)\b|l'|选项|選項|"
    r"第|ตัวเลือก|ข้อ|"
    r"विकल्प|вариант|선택지|보기)*",
    re.IGNORECASE,
)
_DOUBTED = re.compile(
    r"\b(?:doubt|disagree|nobody|no one|refuse|hesitate|(?:little|no|small) chance|claims? that|everyone|least|"
    r"worst|naive|"
    r"misleading|almost|nearly|used to|was going to|had it|improbable|to say|assuming|provided|suppose|obvious|"
    r"student|example was|improbable)\b",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"\b(?:hardly|far from|half|double|twice|kaum|weder|ni|all but|anything but|from|to the \w+ (?:was|"
    r"is))\b",
    re.IGNORECASE,
)
_CHANGED_BY = re.compile(
    r"[\s\"')\]]*(?:[-+*/×^=]\s*[\d⟦]|x\s[\d⟦]|(?:plus|minus|times|squared|million|or (?:more|less)|more than|"
    r"less than|larger|"
    r"smaller|only (?:if|when)|to (?:be )?(?:wrong|⟦)|last\b|off\b|is (?:a mistake|a distractor|a trap|an error|"
    r"nonsense))|to ⟦)",
    re.IGNORECASE,
)
_RELATED = re.compile(  # "an octave below 220 Hz": another than the one that is named
    r"\b(?:above|below|under|than|beyond|(?:double|half|twice)(?: of)?|(?:minor|major|opposite|inversion|counterpart|"
    r"relative|dominant|"
    r"octave|variant|version|third|fifth) of|(?:anything|all|everything) but)\s+(?:the\s+|an?\s+)?[\"'(]*$",
    re.IGNORECASE,
)
_OFFERS = re.compile(
    r"\W*⟦\d+⟧\W*(?:i (?:can|will|would|'d)|i'(?:d|ll)|sure|of course|here is|here's|let me|happy to)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Statement:
    """Something said of the answer: at which sentence, and which places it names.

    Attributes:
        clash: a label with another option's text.
        final: it calls itself final.
        rest: what its sentence says behind it.
    """

    at: int
    places: frozenset[int]
    clash: bool = False
    final: bool = False
    rest: str = ""


def statements(reply: Marked) -> Iterator[Statement]:
    """The statements of the answer, in the order of the sentences."""
    for at, sentence in enumerate(reply.sentences):
        if is_question(sentence) or "⟦" not in sentence:
            continue
        for named, end in _stated(reply, at, sentence):
            mentions = reply.of(named)
            places = frozenset[int]().union(*(m.places for m in mentions))
            clash = any(m.kind == "clash" for m in mentions)
            yield Statement(at, places, clash, bool(lex.FINAL.search(sentence)), sentence[end:])


def stances(reply: Marked, sentence: str) -> Iterator[tuple[Mention, Stance]]:
    """What a sentence says of each mention: "denied"; "said" of what is asked ("it is the oboe"); a clause "ends" with
    it; or "told" in passing."""
    question = is_question(sentence)
    for group in re.finditer(lex.G, sentence):
        mentions = [reply.mentions[n] for n in reply.numbers(group[0]) if n not in reply.listed]
        before, after = sentence[: group.start()][-NEAR:], sentence[group.end() : group.end() + NEAR]
        stance = _stance(mentions, before, after, question) if mentions else "told"
        yield from ((mention, stance) for mention in mentions)


def _stance(mentions: list[Mention], before: str, after: str, question: bool) -> Stance:
    clause, following = last_clause(before), first_clause(after)
    if lex.NOT_BEFORE.search(clause) or lex.NOT_AFTER.match(following) or lex.DENIED_VERB.search(following):
        return "denied"
    since = re.split(r"\bthen\b", before)[-1]  # "if it had reeds, then ..."
    if question or lex.WEIGHED.search(clause) or lex.WEIGHED.search(following) or lex.AT_FIRST.search(since):
        return "told"
    if len({m.places for m in mentions}) > 1 or _ITEM.fullmatch(before) or _RELATED.search(before):
        return "told"
    if _DOUBTED.search(since) or _CHANGED_BY.match(after):
        return "told"
    bare = any(m.weak or (m.kind == "label" and not m.dressed) for m in mentions)
    letter = any(m.kind == "label" and not m.dressed for m in mentions)  # "the notes are C, E and G"
    if _SAYS.search(before) and (_LETTER_END if letter else _AT_PAUSE).match(after):
        return "said"
    concludes = _CONCLUDES.search(before) and all(m.kind != "text" for m in mentions)  # "so option A is the cue"
    begins = not before.strip() and all(m.end - m.start > LONG for m in mentions)  # a whole sentence of its own
    return "ends" if (concludes or begins or _AT_END.match(after)) and not bare else "told"


# -- statements ------------------------------------------------------------------------------------------------


def _stated(reply: Marked, at: int, sentence: str) -> Iterator[tuple[str, int]]:
    """The marks that a sentence states to be the answer, and where they end."""
    for pattern in (lex.STATED, lex.SELECTED, lex.CALLED_RIGHT):
        for match in pattern.finditer(sentence):
            if not reply.is_listed(match["named"]) and _holds(sentence, match):
                yield match["named"], match.end("named")
    if at == 0 and (head := _HEAD.match(sentence)) and _opens(reply, sentence, head):
        yield head["named"], head.end("named")
    offset = max(0, len(sentence) - _TAIL)
    for start in (0, *(m.end() for m in _TAIL_START.finditer(sentence, offset))):
        named = lex.alone(sentence[start:])
        if named is not None and not reply.is_listed(named) and _stands_alone(reply.of(named), sentence, start):
            yield named, len(sentence)


def _holds(sentence: str, match: re.Match[str]) -> bool:
    """Whether a statement is made, and not denied, weighed or told of others."""
    start, end = match.span("named")
    before, after = sentence[: match.start()][-NEAR:], sentence[end : end + NEAR]
    gap = match.groupdict().get("gap") or ""
    clause = last_clause(before) + sentence[match.start() : start]
    if _DOUBTED.search(clause) or _DOUBTED.search(last_clause(before[:-1])) or _CHANGED.search(gap):
        return False
    if _CHANGED_BY.match(after) or (match.re is lex.STATED and not _links(gap, after)):
        return False
    if lex.NOT_BEFORE.search(clause) or lex.WEIGHED.search(clause):
        return False
    if match.re is lex.SELECTED and lex.AT_FIRST.search(before):
        return False
    if re.search(r"\b(?:assuming|supposing|suppose|provided)\b", before, re.IGNORECASE):
        return False
    if re.search(r"\bif\b", before, re.IGNORECASE) and re.search(r"\b(?:would|were)\b", gap, re.IGNORECASE):
        return False
    if match.re is lex.CALLED_RIGHT and _ONLY_IF.match(sentence, match.end()):
        return False
    if re.match(r"\s*(?:would|could|might|if|when)\b", after) or lex.NOT_AFTER.match(first_clause(after)):
        return match.re is lex.CALLED_RIGHT
    return True


def _links(gap: str, after: str) -> bool:
    """Whether what stands between the answer and the option says that they are the same."""
    if not re.search(r"\w|[:=→—–-]", gap):  # "answer B", and not "the answer B would give"
        return not re.match(r"\s+(?!(?:because|since|as|is|was|and|or|so)\b)[a-z]", after)
    links = list(lex.LINKED.finditer(gap))
    return bool(links) and _AFTER_LINK.fullmatch(gap, links[0].end()) is not None


def _opens(reply: Marked, sentence: str, head: re.Match[str]) -> bool:
    """Whether a reply begins with its answer: a label, a yes or no, or an option with a reason behind it."""
    (mention,) = reply.of(head["named"])
    group = re.match(rf"\W*{lex.G}", sentence)
    several = group is not None and len({m.places for m in reply.of(group[0])}) > 1
    item = head["then"] == ":" and len(reply.numbers(sentence)) > 1  # A: 20 %, B: 70 %
    if several or item or reply.is_listed(head["named"]) or _OFFERS.match(sentence):
        return False
    if lex.NOT_AFTER.match(sentence[head.end("named") : head.end("named") + NEAR]):
        return False
    if mention.kind != "text":
        return not mention.weak and (bool(head["then"]) or mention.kind == "both")
    reason = len(head["then"].strip(", ")) > 1 or (head["then"] == "," and len(reply.numbers(sentence)) == 1)
    return reason or (head["then"] != "" and any(_plain(reply.options[place]) in _YES_NO for place in mention.places))


def _stands_alone(mentions: list[Mention], sentence: str, start: int) -> bool:
    """Whether the end of a sentence that is a mention alone says the answer."""
    before, tail = sentence[:start][-NEAR:], sentence[start:]
    if start == 0:
        return not lex.NOT_BEFORE.search(tail) or bool(re.match(r"\W*no\b", tail, re.IGNORECASE))
    but = _BUT.search(before)
    if but and re.search(r"thing|all|none|every", but[1], re.IGNORECASE):
        return False
    if len({m.places for m in mentions}) > 1 or lex.WEIGHED.search(last_clause(before[:-1])):
        return False
    if re.fullmatch(r"\W*⟦\d+⟧\W*", before) or _SAMPLE.search(before):
        return False
    if _CONCLUDES.search(tail) or but:
        return True
    if lex.AT_FIRST.search(before):
        return False
    if re.search(r"⟧[\s)\]\"']*[,→>=]?\s*$", before):  # one of several in a row
        return False
    if lex.NOT_BEFORE.search(last_clause(before)) and not re.search(r"[:—–]\s*$", before):
        return False
    return all(m.kind != "text" and not m.weak for m in mentions)


def _plain(option: Option) -> str:
    return option.text.strip(" .").casefold()
