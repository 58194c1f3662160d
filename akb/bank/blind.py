"""Blind verification by a model: it sees stem and shuffled options, and may say that an item is not sound.

It is a task like others, so that it is resumed, counted and recorded as every run is; what comes of it is no score but
readings (see `akb.bank.readings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from akb.bank.canary import CANARY
from akb.bank.readings import Reading, Verdict
from akb.run import Run
from akb.tasks.asking import Asking
from akb.tasks.drawing import item_random
from akb.tasks.items import Item
from akb.tasks.multiple_choice import MultipleChoice
from akb.types import Question, Status, Trial

PROTOCOL = "bank-verify-v1"
# The options after an item's own, in their order, and the verdicts that they are.
FAULTS: dict[str, Verdict] = {
    "The question is ambiguous": "ambiguous",
    "None of the options above is right": "none right",
    "More than one of the options above is right": "more than one",
}


class BlindReading(MultipleChoice):
    """Items with their own options in a random order, and then the ways to say that an item is not sound."""

    name = "akb-bank-verify"

    def __init__(self, asking: Asking, items: Sequence[Item]) -> None:
        super().__init__(asking)
        self.items = items

    def questions(self) -> Iterable[Question]:
        for item in self.items:
            yield replace(item.question_(), options=(*item.options, *FAULTS))

    def trial(self, question: Question) -> Trial:
        order = list(range(len(question.options)))
        own = order[: -len(FAULTS)]
        item_random(self.asking.seed, self.name, question.id).shuffle(own)
        return Trial(question.id, question, {"orders": [[*own, *order[-len(FAULTS) :]]]})


def readings(run: Run, by: str, number: int) -> Iterator[Reading]:
    """What a run of `BlindReading` says of each item. A reply that could not be read says nothing.

    Args:
        by: who read.
        number: of the round of building the bank.
    """
    for trial, outcome in run.judged():
        question, chosen = trial.question, outcome.answers[0].chosen
        if outcome.status != Status.OK or chosen is None:
            continue
        fault = FAULTS.get(question.options[chosen])
        yield Reading(
            round=number,
            item=question.id,
            version=int(question.meta["version"]),
            category=question.category,
            by=by,
            kind="model",
            blind=True,
            date=date.today().isoformat(),
            answer=None if fault else chosen,
            key=question.answer,
            verdict=fault or "clear",
            canary=CANARY,
        )
