"""Pieces of a description's form in a reply about it (akb.lalm.data.describing tells of the form).

A list of the kind "Genre: reggae", one to a line, is an answer to a prompt that asks for one, and so is JSON. Two such
pairs of the description in one line, or a single one in brackets, are copied.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

_SEEN = 80  # characters of what was found that are told
_TIMED = re.compile(  # [00:00-00:05], [00:00 to 00:05], [0-10s], [00:00.0-00:05.0], [00:03]
    r"[\[【〔{]\s*(?:\d{1,3}(?::\d{2}){1,2}(?:\.\d+)?|\d{1,4}(?:\.\d+)?\s*s?\s*(?:[-–—~]|"
    r"to)\s*\d{1,4}(?:\.\d+)?\s*s)\b[^\]】〕}]*"
)
_BRACKETED = re.compile(r"[(\[{【〔]([^()\[\]{}【】〔〕]*)[)\]}】〕]")
_ROUND = re.compile(r"\(([^()]*)\)")
_NAME = r"[^:(),;\[\]{}\"\n]{2,40}"
_NAMED = re.compile(rf"(?:^|[,;])\s*({_NAME}):")
_PAIR = re.compile(rf"(?:^|,)\s*({_NAME}):\s*([^:]*?)\s*(?=,{_NAME}:|$)")


def echoed(text: str, description: str, marks: Sequence[str]) -> str:
    """What of the form of a description, or of the marks around audio, stands in a reply; empty where nothing does."""
    told, shown = _level(description), _level(text)
    if mark := next((mark for mark in marks if _marked(shown, _level(mark))), ""):
        return mark
    if timed := _TIMED.search(shown):
        return timed[0][:_SEEN]
    parts = [" ".join(part.split()) for part in _ROUND.findall(told)]
    names = {name.strip() for part in parts for name in _NAMED.findall(part)}
    for found in _BRACKETED.finditer(shown):
        inner = " ".join(found[1].split())
        if inner in parts or any(name.strip() in names for name in _NAMED.findall(inner)):
            return found[0][:_SEEN]
    return _paired(shown, [pair for part in parts for pair in _PAIR.findall(part)])


def _level(text: str) -> str:
    """In one case and one width."""
    return unicodedata.normalize("NFKC", text).casefold()


def _marked(text: str, mark: str) -> bool:
    """Whether a mark is there, be it in other brackets or with other spaces. One without words is none."""
    if not re.search(r"\w", mark):
        return False
    mark = mark.strip()
    if mark[0] not in "<[{" or mark[-1] not in ">]}":
        return mark in text
    return re.search(rf"[<\[{{]\s*{re.escape(mark[1:-1].strip())}\s*[>\]}}]", text) is not None


def _paired(text: str, pairs: Sequence[tuple[str, str]]) -> str:
    """A line with two of the pairs side by side."""
    for line in text.splitlines():
        told = (rf"(?<!\w){re.escape(name)}\s*:\s*{re.escape(value)}(?!\w)" for name, value in pairs if value)
        spans = sorted(match.span() for pair in told for match in re.finditer(pair, line))
        for (start, end), (after, last) in pairwise(spans):
            if line[end:after].strip(" ,;|/") == "":
                return line[start:last][:_SEEN]
    return ""
