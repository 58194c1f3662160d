"""Which responses do not become targets, and why.

A response is learned as what a model says of audio. So it must not show that the backbone read a text, must have come
to its end, and must say something. What is spoken in the clip may be quoted freely: a filter on words looks at the
reply without its quotations, and never objects to words that the description itself has. A reply in another language
than the prompt's is left alone.

    error       no response was to be had
    broken      it is no text: an API cut it within a character
    empty       it has no words
    truncated   the budget of tokens ended it
    refusal     it declines, or says that it hears no audio, got none, or is a model of text (akb.lalm.data.refusing)
    brackets    a piece of the description's form stands in it: [00:00-00:05], (Gender: ...), the marks of audio
                (akb.lalm.data.echoing)
    text        it speaks of a text, description, transcript, metadata or brackets that it was given
    short       fewer words than the kind of prompt asks for
    loop        it repeats itself
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from akb.errors import unknown
from akb.lalm.data.echoing import echoed
from akb.lalm.data.pool import AUDIO, Type
from akb.lalm.data.refusing import refusals, spelled_out
from akb.types import Finish, Response

VERSION = "2"
FILTERS = (
    "empty",
    "truncated",
    "refusal",
    "brackets",
    "text",
    "short",
    "loop",
)  # "error" and "broken" cannot be left out
LEAST = {"describe": 2, "question": 1, "reason": 8, "role-play": 4, "rewrite": 1}  # words
TURNS = 3  # so often a phrase may follow itself and be no loop yet
LOOP_WORDS, LOOP_SIGNS = 16, 48  # a loop is at least so long, in words, or in letters of a script without spaces
_LETTERS_IN_LOOP = 12  # of a script without spaces: longest phrase that is looked for

_PAPER = (
    r"(?:texts?|(?:audio |sound |seed |clip |given |written )?descriptions?|transcripts?|transcriptions?|metadata|"
    r"captions?|annotations?|labels|notation|tags?|prompt|timestamps?|time stamps?)"
)
_FACTS = rf"(?:{_PAPER}|information|details|data|facts)"
_GIVEN = r"(?:provided|given|supplied|shared|accompanying|attached)"
_TEXT = re.compile(
    rf"\b{_GIVEN}\s+(?:\w+\s+)?{_FACTS}\b(?! of\b)|\babove\s+{_PAPER}\b"
    rf"|\b{_FACTS}\s+(?:that\s+)?(?:(?:is|was|are|were|you(?:'ve| have)?|i (?:was|am|have been))\s+)?{_GIVEN}\b(?! "
    rf"by\b)"
    rf"|\b{_PAPER}\s+above\b|\bwritten description\b|\bin (?:the|this|your) (?:audio|given|sound) description\b"
    rf"|\b(?:the|this|your)\s+{_PAPER}(?:\s+\w+:\s*\w+)?\s+(?:only\s+|also\s+|simply\s+)?(?:says?|states?|mentions?|"
    r"indicates?|specif(?:y|ies)|describes?|notes?|tells?|suggests?|reads?(?! out)|shows?|contains?|includes?|lists?|"
    r"(?:does|did|do)(?:n't| not))\b"
    rf"|\b(?:based on|according to|judging (?:by|from)|per|as (?:described|noted|stated|indicated|given) (?:in|by))\s+"
    rf"(?:the|this|your)\s+{_PAPER}\b"
    rf"|(?<!read )(?<!reads )(?<!reading )\bfrom\s+(?:the|this|your)\s+{_PAPER}\b(?!-)|\bin\s+(?:the|your)\s+"
    r"(?:description|metadata|annotations?|captions?)\s*[,.;]"
    r"|\binformation in\b|\bmetadata\b|\b(?:square |round |curly )?brackets?\b|\bparenthes[ei]s\b|\b(?:given|"
    r"provided|presented|described|available) in text form\b"
    r"|\bas (?:described|written|noted) above\b",
    re.IGNORECASE,
)
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ´`＇", "'"))
_QUOTED = re.compile(
    r"\"[^\"\n]*\"|“[^”\n]*”|«[^»\n]*»|„[^“”\n]*[“”]|「[^」\n]*」|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w))*'(?!\w)"
)
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")  # Thai, Lao, Japanese, Chinese


class Drop(NamedTuple):
    """Why a response is not kept: the filter's name, and what it saw."""

    reason: str
    seen: str = ""


def chosen(names: Collection[str] | None) -> tuple[str, ...]:
    """The filters of these names; all for None.

    Raises:
        AkbError: there is no filter of a name.
    """
    for name in names or ():
        if name not in FILTERS:
            raise unknown("filter", name, FILTERS, see=f"There are: {', '.join(FILTERS)}.")
    return FILTERS if names is None else tuple(name for name in FILTERS if name in names)


def drop(
    response: Response,
    description: str,
    asked: Type,
    names: Collection[str] = FILTERS,
    marks: Sequence[str] = (),
    prompt: str = "",
) -> Drop | None:
    """Why a response does not become a target; None where it does.

    Args:
        description: that was answered about.
        asked: the prompt's type.
        names: the filters that count; the first that objects is told.
        marks: what stands around audio in the prompt.
        prompt: words that it uses itself may be used in the answer.
    """
    if response.finish == Finish.ERROR:
        return Drop("error", response.error)
    text = (response.text or "").strip()
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        return Drop("broken")
    told = f"{description}\n{prompt}".casefold()
    found = (_one(name, response, text, description, told, asked, marks) for name in FILTERS if name in names)
    return next((one for one in found if one is not None), None)


def _one(name: str, response: Response, text: str, description: str, told: str, asked: Type,
         marks: Sequence[str]) -> Drop | None:  # fmt: skip
    if name == "empty":
        return None if _WORD.search(text) else Drop(name)
    if name == "truncated":
        cut = response.finish in (Finish.LENGTH, Finish.THINKING)
        return Drop(name, f"after {response.completion_tokens} tokens") if cut else None
    if name == "refusal":
        return Drop(name, "by a filter") if response.finish == Finish.REFUSAL else _refusal(text, told)
    if name == "brackets":
        found_form = echoed(text, description, (*marks, AUDIO))
        return Drop(name, found_form) if found_form else None
    if name == "text":
        return next((Drop(name, found[0]) for found in _TEXT.finditer(_unquoted(text))
                     if found[0].casefold() not in told), None)  # fmt: skip
    if name == "short":
        words = len(_UNSPACED.findall(text)) // 2 + len(_WORD.findall(_UNSPACED.sub(" ", text)))
        return Drop(name, f"{words} words") if words < LEAST[asked] else None
    return _loop(text)


def _refusal(text: str, told: str) -> Drop | None:
    """A refusal in the reply's own words. That nothing can be heard is the answer on a silent clip."""
    known = spelled_out(told.translate(_APOSTROPHES))
    silent = "anything" if "silen" in known else None
    return next((Drop("refusal", words) for words in refusals(_unquoted(text))
                 if words not in known and words.rpartition(" ")[2] != silent), None)  # fmt: skip


def _unquoted(text: str) -> str:
    """A reply without what it quotes; all of it where it is nothing but a quotation."""
    level = text.translate(_APOSTROPHES)
    left = _QUOTED.sub(" ", level)
    return left if _WORD.search(left) else level


def _loop(text: str) -> Drop | None:
    """A phrase that follows itself again and again."""
    words = [word.casefold() for word in _WORD.findall(text)]
    for period in range(1, len(words) // (TURNS + 1) + 1):
        if (end := _run(words, period, max(TURNS * period, LOOP_WORDS - period))) is not None:
            return Drop("loop", " ".join(words[end - period : end])[:80])
    signs = _UNSPACED.findall(text)
    for period in range(1, min(_LETTERS_IN_LOOP, len(signs) // (TURNS + 1)) + 1):
        if (end := _run(signs, period, max(TURNS * period, LOOP_SIGNS - period))) is not None:
            return Drop("loop", "".join(signs[end - period : end]))
    return None


def _run(items: Sequence[str], period: int, wanted: int) -> int | None:
    """Where a run of `wanted` items ends each of which is the one `period` before it; None where there is none."""
    run = 0
    for place in range(period, len(items)):
        run = run + 1 if items[place] == items[place - period] else 0
        if run >= wanted:
            return place + 1
    return None
