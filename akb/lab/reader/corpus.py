"""The corpus of akb-reader: captions of rendered scenes with questions and answers, as akb itself asks them.

Two kinds of document: `practice` (a description and several questions on everything that is known of its scene) and
`answer` (one question of lab-audio's kind on another clip; a share without the description, from which what is usual
is learned, so that the question alone is a fair control).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from akb.lab.corpus import ANSWER, ASSISTANT, BOS, END, USER, Document
from akb.lab.reader.practice import Pair, pairs
from akb.lab.sound import Scene, truth
from akb.tasks.asking import Asking, messages
from akb.types import Question

if TYPE_CHECKING:
    from akb.lab.audio import AudioItem

PROTOCOL = "akb-v1-cloze"
READ = 0.03  # what a caption's or a question's token weighs in the loss; an answer's weighs 1
WITHOUT = 0.12  # share of questions asked without their description


@cache
def asking() -> Asking:
    """How akb asks by cloze."""
    from akb.registry import Registry

    return Asking(*Registry().protocol(PROTOCOL))


def turn(question: str, caption: str = "") -> str:
    """The user's message: the question as akb puts it, with the caption's block before it if there is one."""
    told = {"captions": [caption]} if caption else {}
    return messages(Question("", question, ("",), 0), (0,), asking(), told=told)[-1].text


def document(kind: str, caption: str, asked: Sequence[Pair]) -> Document:
    """Questions with their answers in one chat, the caption before the first; an empty caption is left out."""
    start = asking().prompt.reply_start
    pieces: list[tuple[str, float]] = [(BOS, 0.0)]
    for number, (question, answer) in enumerate(asked):
        said = turn(question, "" if number else caption)
        pieces += [(f"{USER}{said}{END}{ASSISTANT}{start}", READ), (f" {answer}{END}", ANSWER)]
    return Document(kind, tuple(pieces))


def practice(scenes: Iterable[Scene], captions: Iterable[str], seed: int) -> list[Document]:
    """One document a scene: its description, and several questions."""
    rng = Random(seed)
    return [
        document("practice", caption, pairs(rng, truth(scene), caption))
        for scene, caption in zip(scenes, captions, strict=True)
    ]


def answers(items: Iterable[AudioItem], captions: Iterable[str], seed: int) -> list[Document]:
    """One document an item: its description (or, for a share, none), its question, its answer."""
    rng = Random(seed)
    return [
        document("answer", "" if rng.random() < WITHOUT else caption, [(item.question, item.options[item.answer])])
        for item, caption in zip(items, captions, strict=True)
    ]
