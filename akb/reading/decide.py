"""Which option a reply means in the end, or why none.

What a reply says comes in ranks. A statement of the answer ("the answer is B", "so it must be the oboe", a line that
is "B" and nothing else) goes before what a list calls correct, that before an option that is named with its label,
that before an option's text at the end of a sentence, and last comes the one that is left when all others are denied.
Within a rank everything must agree; where a reply takes something back in so many words, what comes after counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from akb.reading import lexicon as lex
from akb.reading.mentions import Mention, find
from akb.types import Option

SEVERAL = "the reply names more than one option"
CLASH = "the letter and the text disagree"
OPEN = "the reply leaves more than one option open"

_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)[\"')\]]*\s+|\n+")
_CLAUSE_END = re.compile(
    r"[,;:()\n—–|]|\s-\s|\b(?:but|because|since|so|while|whereas|although|though|yet|therefore|thus|hence|and then|pero|mais|aber|"
    r"sondern|ma|но|а)\b|但|而",
    re.IGNORECASE,
)
_TAIL_START = re.compile(r"[,;:—–=→>]|\bbut\b|\b(?=so\b|therefore\b|thus\b|hence\b)|\bsondern\b|\s-\s", re.IGNORECASE)
_CONCLUSION = re.compile(
    r"\b(?:so|therefore|thus|hence|consequently|overall|in conclusion|it follows|based on|given|we conclude|por (?:lo )?tanto|"
    r"portanto|donc|daher|deshalb|folglich|quindi|dunque|таким образом|поэтому|dus)\b|所以|因此|したがって|よって|따라서|그러므로",
    re.IGNORECASE,
)
_SO = re.compile(r"^\W*(?:so|therefore|thus|hence|which leaves|leaving|but|sondern)\b|^\W*(?:所以|因此)", re.IGNORECASE)
_AT_END = re.compile(r"[\s\"')\]]*(?:[.,;:!—–|\n(]|$|\b(?:because|since|so|as|and it|here|in (?:this|the)|rather than|instead of|not)\b|です|である|입니다|이다)")
_SAYS = re.compile(
    r"(?:\b(?:is|are|was|be|says?|said|equals?|reads?|means|called|named|hears?|heard|makes?|it's|that's|ist|est|es|è|é|sea|sería|seria|serait|wäre|sarebbe)|[=是为は])"
    r"\s*(?:(?:in|from|at|the|an?|of|exactly|about|clearly|probably|most likely|therefore|thus|simply|just)\s+)*[\"'(]*$",
    re.IGNORECASE,
)
_YES_NO = frozenset("yes no true false ja nein sí si oui non да нет 是 否 はい いいえ sim não".split())
_HEAD = re.compile(rf"\W*(?P<named>{lex.M})\s*(?P<then>,?\s*(?:because|since|as|due to|given|rather than|instead of|over|not)\b|[,;—–-]|:(?!\s*{lex.M})|\()")
_ITEM = re.compile(r"\W*⟦\d+⟧\s*[:=]\s*")
_LIST_HEAD = re.compile(r"^[\s>•|*+\[\]✓✗❌✅☑-]*(?:\d{1,2}[.)]\s+)?(?:(?:option|choice)\s+)?⟦(\d+)⟧")


@dataclass(frozen=True)
class Statement:
    """Something that a reply says of the answer: at which sentence, and which places it names."""

    at: int
    places: frozenset[int]
    clash: bool = False
    final: bool = False


@dataclass(frozen=True)
class Found:
    """The place that a reply means; None with the reason why there is none, empty if nothing was found."""

    place: int | None
    reason: str = ""


def decide(text: str, options: Sequence[Option]) -> Found:
    """Which option a cleaned reply means.

    Args:
        text: the reply after `akb.reading.text.readable`.
        options: the options in the order shown.
    """
    return _Reply(text, options).decide()


class _Reply:
    """A reply with its mentions replaced by marks, in sentences."""

    def __init__(self, text: str, options: Sequence[Option]) -> None:
        self.options = options
        self.mentions = find(text, options)
        self.marked = _marked(text, self.mentions)
        self.sentences = [s for s in _SENTENCE_END.split(self.marked) if s and s.strip()]
        self.heads = self._heads()
        self.listed = self._listed()

    def decide(self) -> Found:
        whole = self._whole()
        if whole is not None:
            return whole
        statements = [s for at, sentence in enumerate(self.sentences) for s in self._statements(at, sentence)]
        if statements:
            return self._settled(statements)
        if (verdict := self._verdicts()) is not None:
            return verdict
        denied, named, texts = self._said()
        if named:
            return self._concluded(named, by_text=False)
        found = self._concluded(texts, by_text=True) if texts else Found(None)
        if found.place is None and not found.reason:
            found = self._left_over(denied)
        undecided = lex.UNDECIDED.search(self.marked) and re.search(lex.ANSWER, self.marked, re.IGNORECASE)
        return Found(None, OPEN) if found == Found(None) and undecided else found

    def of(self, marks: str) -> list[Mention]:
        """The mentions whose marks stand in a piece of marked text."""
        return [self.mentions[int(number)] for number in re.findall(r"⟦(\d+)⟧", marks)]

    def _whole(self) -> Found | None:
        """A reply that is nothing but a mention, or the same one again and again. A label goes before a note."""
        if lex.alone(self.marked) is None and not re.fullmatch(rf"(?:{lex.M}[\s.,]*)+", self.marked):
            return None
        named = self.of(self.marked)
        if any(m.kind == "clash" for m in named):
            return Found(None, CLASH)
        sets = {m.note[0] if m.note else m.places for m in named}
        if len(sets) == 1 and not lex.NOT_BEFORE.search(self.marked):
            (places,) = sets
            return Found(next(iter(places))) if len(places) == 1 else Found(None, SEVERAL if places else "")
        return Found(None, SEVERAL) if len(sets) > 1 else None

    # -- lists ------------------------------------------------------------------------------------------------

    def _heads(self) -> list[tuple[int, str]]:
        """(number of the mention, rest of the line) of lines that begin with a mention."""
        found = []
        for line in self.marked.split("\n"):
            if (head := _LIST_HEAD.match(line)) and not re.match(r"\s+(?:is|was|are|would|seems)\b", line[head.end() :]):
                found.append((int(head[1]), line[head.end() :]))
        return found if len({self.mentions[n].places for n, _ in found}) > 1 else []

    def _listed(self) -> set[int]:
        """Mentions that only repeat the options: the heads of a list, and labels with their texts in a row."""
        found = set(self._list_heads())
        for run in re.finditer(rf"{lex.M}(?:[\s,;|/]*{lex.M})+", self.marked):
            numbers = [int(n) for n in re.findall(r"\d+", run[0])]
            if all(self.mentions[n].kind == "both" for n in numbers) and len({self.mentions[n].places for n in numbers}) > 1:
                found.update(numbers)
        return found

    def _list_heads(self) -> Iterator[int]:
        """Heads of a list; an answer on the first line that is followed by a list is none."""
        for number, (mention, rest) in enumerate(self.heads):
            first = number == 0 and self.mentions[mention].start < 4
            follows = self.mentions[self.heads[1][0]].places
            answer_first = first and (self.mentions[mention].places != frozenset({0}) or follows != frozenset({1}))
            again = any(self.mentions[other].places == self.mentions[mention].places for other, _ in self.heads[1:])
            if not (answer_first and (not rest.strip(" .") or again)):
                yield mention

    def _verdicts(self) -> Found | None:
        """A list that calls one option correct, or all but one wrong."""
        right, wrong = set[int](), set[int]()
        for mention, rest in self.heads:
            places = self.mentions[mention].places
            if lex.NO.search(rest):
                wrong |= places
            elif lex.YES.search(rest):
                right |= places
        if len(right) == 1 and not right & wrong:
            return Found(next(iter(right)))
        if len(right) > 1:
            return Found(None, SEVERAL)
        return None

    # -- statements -------------------------------------------------------------------------------------------

    def _statements(self, at: int, sentence: str) -> Iterator[Statement]:
        if sentence.rstrip(" \"')").endswith("?"):
            return
        for pattern in (lex.STATED, lex.SELECTED, lex.CALLED_RIGHT):
            for match in pattern.finditer(sentence):
                if self._holds(sentence, match):
                    yield self._statement(at, sentence, match["named"])
        if at == 0 and (head := _HEAD.match(sentence)) and self._heads_reply(sentence, head):
            yield self._statement(at, sentence, head["named"])
        for start in (0, *(m.end() for m in _TAIL_START.finditer(sentence))):
            named = lex.alone(sentence[start:])
            if named is not None and self._stands_alone(sentence, start, named):
                yield self._statement(at, sentence, named)

    def _holds(self, sentence: str, match: re.Match[str]) -> bool:
        """Whether a statement is made, and not denied, weighed or told of others."""
        start, end = match.span("named")
        before, after = sentence[: match.start()], sentence[end:]
        gap = match.groupdict().get("gap") or ""
        clause = _last_clause(before) + sentence[match.start() : start]
        if any(self.mentions.index(m) in self.listed for m in self.of(match["named"])):
            return False
        if re.search(r"\w", gap) and match.re is lex.STATED and not lex.LINKED.search(gap):
            return False
        if lex.NOT_BEFORE.search(clause) or lex.WEIGHED.search(clause):
            return False
        if match.re is lex.SELECTED and lex.AT_FIRST.search(before):
            return False
        if re.match(r"\s*(?:would|could|might|if|when)\b", after) or lex.NOT_AFTER.match(_first_clause(after)):
            return match.re is lex.CALLED_RIGHT
        return True

    def _heads_reply(self, sentence: str, head: re.Match[str]) -> bool:
        """Whether a reply begins with its answer: a label, a yes or no, or an option with a reason behind it."""
        (mention,) = self.of(head["named"])
        group = re.match(rf"\W*{lex.G}", sentence)
        several = group is not None and len({m.places for m in self.of(group[0])}) > 1
        item = head["then"] == ":" and len(self.of(sentence)) > 1  # A: 20 %, B: 70 %
        if several or item or self.mentions.index(mention) in self.listed or lex.NOT_AFTER.match(sentence[head.end("named") :]):
            return False
        if mention.kind != "text":
            return not mention.weak
        reason = len(head["then"].strip(", ")) > 1
        return reason or any(_plain(self.options[place]) in _YES_NO for place in mention.places)

    def _stands_alone(self, sentence: str, start: int, named: str) -> bool:
        """Whether the end of a sentence that is a mention alone says the answer."""
        mentions = self.of(named)
        if any(self.mentions.index(m) in self.listed for m in mentions):
            return False
        before, tail = sentence[:start], sentence[start:]
        if start == 0:
            return not lex.NOT_BEFORE.search(tail) or bool(re.match(r"\W*no\b", tail, re.IGNORECASE))
        if len({m.places for m in mentions}) > 1 or lex.WEIGHED.search(_last_clause(before[:-1])):
            return False
        but = re.search(r"(\w*)\W*\b(?:but|sondern)\s*$", before, re.IGNORECASE)
        if but and re.search(r"thing|all|none|every", but[1], re.IGNORECASE):
            return False
        concluded = bool(_SO.search(tail) or but)
        if re.search(r"⟧[\s)\]\"']*[,→>=]?\s*$", before) and not concluded:
            return False
        if lex.NOT_BEFORE.search(_last_clause(before)) and not concluded and not re.search(r"[:—–]\s*$", before):
            return False
        if re.fullmatch(r"\W*⟦\d+⟧\W*", before):
            return False
        if re.search(r"(?:sample|speaker|clip|note|example|round|run|attempt|trial|vote)\s*\d*\s*:\s*$", before, re.I):
            return False
        labelled = all(m.kind in ("label", "both", "clash") and not m.weak for m in mentions)
        return concluded or labelled

    def _statement(self, at: int, sentence: str, named: str) -> Statement:
        mentions = self.of(named)
        places = frozenset().union(*(m.places for m in mentions))
        return Statement(at, places, any(m.kind == "clash" for m in mentions), bool(lex.FINAL.search(sentence)))

    def _settled(self, statements: Sequence[Statement]) -> Found:
        """What statements come to: one option, unless they differ and none is taken back."""
        ordered = sorted(statements, key=lambda s: s.at)
        last = ordered[-1]
        kept = [last]
        for earlier in reversed(ordered[:-1]):
            between = " ".join(self.sentences[earlier.at : last.at + 1])
            if earlier.places != last.places and (lex.REVISED.search(between) or (last.final and not earlier.final)):
                break
            kept.append(earlier)
        if any(s.clash for s in kept):
            return Found(None, CLASH)
        places = frozenset().union(*(s.places for s in kept))
        if len(places) != 1:
            return Found(None, SEVERAL if places else "the reply names a letter that no option has")
        (place,) = places
        return self._unopposed(place, last.at)

    def _unopposed(self, place: int, at: int) -> Found:
        """The stated option, if what follows leaves no other open."""
        rest = " ".join(self.sentences[at:])
        if lex.UNDECIDED.search(" ".join(self.sentences[at + 1 :])):
            return Found(None, OPEN)
        for match in lex.ALSO_OPEN.finditer(rest):
            named = next(text for text in match.groupdict().values() if text)
            if any(place not in m.places and m.places for m in self.of(named)):
                return Found(None, OPEN)
        for sentence in self.sentences[at + 1 :]:
            said = {p for m, stance in self._stances(sentence) if stance in ("said", "ends") for p in m.places}
            if _SO.search(sentence) and said and place not in said:
                return Found(None, SEVERAL)
        return Found(place)

    # -- what is said of options without stating an answer ----------------------------------------------------

    def _said(self) -> tuple[set[int], list[Statement], list[Statement]]:
        """Options denied; those said with their labels; those said by their texts."""
        denied, named, texts = set[int](), list[Statement](), list[Statement]()
        for at, sentence in enumerate(self.sentences):
            stances = list(self._stances(sentence))
            denied |= {p for m, stance in stances if stance == "denied" for p in m.places}
            sure = [m for m, stance in stances if stance == "said"] or [m for m, stance in stances if stance == "ends"]
            for mention in sure:
                said = Statement(at, mention.places, mention.kind == "clash")
                (texts if mention.kind == "text" else named).append(said)
        return denied, named, texts

    def _stances(self, sentence: str) -> Iterator[tuple[Mention, str]]:
        """What a sentence says of each mention: "denied"; "said" of what is asked ("it is the oboe"); a clause "ends"
        with it; or "told" in passing."""
        question = sentence.rstrip(" \"')").endswith("?")
        for group in re.finditer(lex.G, sentence):
            before, after = sentence[: group.start()], sentence[group.end() :]
            clause, next_clause = _last_clause(before), _first_clause(after)
            mentions = [m for m in self.of(group[0]) if self.mentions.index(m) not in self.listed]
            stance = "told"
            if lex.NOT_BEFORE.search(clause) or lex.NOT_AFTER.match(next_clause) or lex.DENIED_VERB.search(next_clause):
                stance = "denied"
            elif question or lex.WEIGHED.search(clause) or lex.WEIGHED.search(next_clause) or lex.AT_FIRST.search(before):
                stance = "told"
            elif len({m.places for m in mentions}) == 1 and _AT_END.match(after):
                says = _SAYS.search(before)
                bare = any(m.weak or (m.kind == "label" and not m.dressed) for m in mentions)
                stance = "told" if _ITEM.fullmatch(before) else "said" if says else "told" if bare else "ends"
            yield from ((m, stance) for m in mentions)

    def _concluded(self, said: Sequence[Statement], *, by_text: bool) -> Found:
        """The one option said, or of several that of the sentence that concludes. An option that is only told by its
        text must be that of the first sentence or of the last, and the sentence must not tell of others as well."""
        if any(s.clash for s in said):
            return Found(None, CLASH)
        at = said[-1].at
        places = frozenset().union(*(s.places for s in said))
        last = frozenset().union(*(s.places for s in said if s.at == at))
        concludes = at == len(self.sentences) - 1 or bool(_CONCLUSION.search(self.sentences[at]))
        if len(last) != 1 or (len(places) > 1 and not concludes):
            return Found(None, SEVERAL)
        (place,) = last
        if by_text and not self._is_about(place, at, concludes or at == 0):
            return Found(None)
        return self._unopposed(place, at)

    def _is_about(self, place: int, at: int, stands_out: bool) -> bool:
        """Whether a sentence that stands out in the reply is about one option alone."""
        stances = list(self._stances(self.sentences[at]))
        rank = "said" if any(stance == "said" for _, stance in stances) else "ends"
        others = [m for m, stance in stances if stance in (rank, "ends" if rank == "ends" else rank, "told")]
        alone = rank == "said" or all(place in m.places for m in others)
        return stands_out and alone

    def _left_over(self, denied: set[int]) -> Found:
        left = set(range(len(self.options))) - denied
        if len(left) == 1 and len(self.options) > 1 and lex.LEFT_OVER.search(self.marked):
            return Found(left.pop())
        return Found(None)


def _plain(option: Option) -> str:
    return option.text.strip(" .").casefold()


def _marked(text: str, mentions: Sequence[Mention]) -> str:
    parts, reach = [], 0
    for number, mention in enumerate(mentions):
        parts += [text[reach : mention.start], f"⟦{number}⟧"]
        reach = mention.end
    return "".join([*parts, text[reach:]])


def _last_clause(before: str) -> str:
    """The clause that a mention stands in, up to it; what a colon leads up to it belongs to it."""
    ends = [end for end in _CLAUSE_END.finditer(before) if end[0] != ":"]
    return before[ends[-1].end() :] if ends else before


def _first_clause(after: str) -> str:
    """What is said of a mention right behind it; nothing where a clause of another kind begins."""
    rest = after.lstrip(" \"')]")
    if rest[:1] in (",", ";"):
        rest = rest[1:].lstrip()
        if not re.match(r"(?:which|who|that|although|though)\b", rest):
            return ""
    end = _CLAUSE_END.search(rest, 1)
    return rest[: end.start()] if end else rest
