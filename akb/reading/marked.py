"""A reply as the rules see it: every mention of an option replaced by a mark, in sentences, lists recognised."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from akb.reading import lexicon as lex
from akb.reading.mentions import Mention, find
from akb.types import Option

NEAR = 400  # characters before and behind a mention that are looked at

_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)[\"')\]]*\s+|\n+")
_CLAUSE_END = re.compile(
    r"[,;:()\n—–|→]|\s-\s|\b(?:but|because|since|so|while|whereas|although|though|yet|therefore|thus|hence|"
    r"and then|pero|"
    r"mais|aber|sondern|ma|но|а)\b|但|而",
    re.IGNORECASE,
)
_LIST_HEAD = re.compile(
    r"^[\s>•|*+\[\]✓✗❌✅☑-]*(?:\d{1,2}[.)]\s+)?(?:(?:option|choice)\s+)?⟦(\d+)⟧(?!\s+(?:is|was|are|would|"
    r"seems)\b)",
    re.IGNORECASE,
)
_ROW = re.compile(rf"{lex.M}(?:[\s,;|/]*{lex.M})+")


@dataclass(frozen=True)
class Head:
    """A line that begins with a mention: what stands before it, the mention's number, and the rest of the line."""

    sign: str
    number: int
    rest: str


class Marked:
    """A cleaned reply with marks for mentions.

    Attributes:
        mentions: in order; a mark ⟦n⟧ stands for the n-th.
        text: the reply with the marks.
        sentences: its sentences and lines.
        heads: the lines that begin with a mention, if they make a list.
        listed: numbers of the mentions that only repeat the options: heads of a list, labels with texts in a row.
    """

    def __init__(self, reply: str, options: Sequence[Option]) -> None:
        self.options = options
        self.mentions = find(reply, options)
        self.text = _with_marks(reply, self.mentions)
        self.sentences = [s for s in _SENTENCE_END.split(self.text) if s and s.strip()]
        self.heads = self._heads()
        self.listed = {*self._list_heads(), *self._rows()}

    def numbers(self, marks: str) -> list[int]:
        """The numbers of the mentions whose marks stand in a piece of the text."""
        return [int(number) for number in re.findall(r"⟦(\d+)⟧", marks)]

    def of(self, marks: str) -> list[Mention]:
        """The mentions whose marks stand in a piece of the text."""
        return [self.mentions[number] for number in self.numbers(marks)]

    def is_listed(self, marks: str) -> bool:
        """Whether a piece of the text only repeats options."""
        return any(number in self.listed for number in self.numbers(marks))

    def _heads(self) -> list[Head]:
        lines = ((line, _LIST_HEAD.match(line)) for line in self.text.split("\n"))
        found = [Head(line[: head.start(1)], int(head[1]), line[head.end() :]) for line, head in lines if head]
        return found if len({self.mentions[head.number].places for head in found}) > 1 else []

    def _list_heads(self) -> Iterator[int]:
        """Heads of the list; an answer on the first line, with a list behind it, is none, nor is one below the list."""
        count = Counter(self.mentions[head.number].places for head in self.heads)
        seen = set[frozenset[int]]()
        for order, head in enumerate(self.heads):
            mention = self.mentions[head.number]
            again = mention.places in seen and not head.rest.strip(" .")
            seen.add(mention.places)
            if again:
                continue
            if order == 0 and mention.start < 4:
                second = self.mentions[self.heads[1].number]
                begins = mention.places == {0} and second.places == {1}
                if not begins and (not head.rest.strip(" .") or count[mention.places] > 1):
                    continue
            yield head.number

    def _rows(self) -> Iterator[int]:
        """Labels with their texts in a row: "A. flute B. oboe"."""
        for run in _ROW.finditer(self.text):
            numbers = self.numbers(run[0])
            row = [self.mentions[number] for number in numbers]
            if all(m.kind == "both" for m in row) and len({m.places for m in row}) > 1:
                yield from numbers


def last_clause(before: str) -> str:
    """The clause that a mention stands in, up to it; what a colon leads up to it belongs to it."""
    ends = [end for end in _CLAUSE_END.finditer(before[-NEAR:]) if end[0] != ":"]
    return before[-NEAR:][ends[-1].end() :] if ends else before[-NEAR:]


def first_clause(after: str) -> str:
    """What is said of a mention right behind it; nothing where a clause of another kind begins."""
    rest = after[:NEAR].lstrip(" \"')]")
    if rest[:1] in (",", ";"):
        rest = rest[1:].lstrip()
        if not re.match(r"(?:which|who|that)\b", rest):
            return ""
    end = _CLAUSE_END.search(rest, 1)
    return rest[: end.start()] if end else rest


def is_aside(sentence: str) -> bool:
    """Whether a sentence stands in brackets as a whole."""
    return bool(re.fullmatch(r"\s*[(\[].*[)\]]\W*", sentence, re.DOTALL)) and sentence.count("(") < 2


def is_question(sentence: str) -> bool:
    """Whether a sentence ends with a question mark."""
    return sentence.rstrip(" \"')").endswith("?")


def _with_marks(text: str, mentions: Sequence[Mention]) -> str:
    parts, reach = [], 0
    for number, mention in enumerate(mentions):
        parts += [text[reach : mention.start], f"⟦{number}⟧"]
        reach = mention.end
    return "".join([*parts, text[reach:]])
