"""Candidates by a model: what is ordered, and what of the reply can be used.

It is a task like others, so that it is resumed, counted and recorded as every run is. Candidates are no items: they go
through the gates and are read blind before any of them may be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from akb.bank.canary import CANARY
from akb.bank.making import last_numbers
from akb.errors import AkbError
from akb.run import Run
from akb.strict import Strict, parse
from akb.tasks import asking as ask
from akb.tasks.asking import Asking
from akb.tasks.folder import Category, Subcategory
from akb.tasks.items import Item, Source
from akb.types import Finish, Outcome, Question, Request, Response, Status, Trial

PROTOCOL = "bank-write-v1"
AT_ONCE = 20  # questions asked for in one request
SHOWN = 120  # stems that are there already, as far as they are told


class Written(Strict):
    """A candidate as a model writes it."""

    question: str = Field(min_length=8)
    options: tuple[str, str, str, str]
    answer: int = Field(ge=0, le=3)
    kind: str = Field(pattern="^(table|authored)$")
    template_id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    rationale: str = Field(min_length=8)


@dataclass(frozen=True)
class Harvest:
    """What came of an order.

    Attributes:
        items: candidates, numbered on from those that are there.
        refused: what could not be used, each with why.
    """

    items: tuple[Item, ...]
    refused: tuple[str, ...]


class Writing:
    """A task whose trials are orders for candidates, at most twenty each."""

    name, version = "akb-bank-generate", "1"

    def __init__(self, asking: Asking, place: tuple[Category, Subcategory], count: int, there: Sequence[Item]) -> None:
        self.asking, self.place, self.count, self.there = asking, place, count, there

    def questions(self) -> Iterable[Question]:
        """The orders; each is told which part of the scope to begin with, so that they differ."""
        category, sub = self.place
        stems = "\n".join(f"- {item.question}" for item in self.there[-SHOWN:])
        parts = [part.strip() for part in sub.scope.split(",")] or [sub.title]
        for number, start in enumerate(range(0, self.count, AT_ONCE)):
            wanted = min(AT_ONCE, self.count - start)
            text = (
                f"Write {wanted} questions for the subcategory {sub.title!r} of the category {category.title!r}. "
                f"Its scope: {sub.scope}. Begin with: {parts[number % len(parts)]}.\n"
                + (f"These are there already; ask nothing of them again, from no side:\n{stems}" if stems else "")
            )
            yield Question(f"{sub.name}-order-{number + 1}", text, (), 0, category.name, sub.name)

    def trial(self, question: Question) -> Trial:
        return Trial(question.id, question, {})

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        return () if responses else (ask.request(trial.question, (), self.asking),)

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        """Scores the share of what was wanted that has the form of a candidate."""
        reply = responses[0]
        if reply.finish == Finish.ERROR:
            return Outcome(Status.ERROR, 0.0, reason=reply.error)
        found, refused = read_reply(reply.text or "")
        if not found:
            return Outcome(Status.WRONG_FORMAT, 0.0, reason="; ".join(refused))
        return Outcome(Status.OK, min(1.0, len(found) / min(AT_ONCE, self.count)))

    def describe(self) -> Mapping[str, Any]:
        orders = [question.text for question in self.questions()]
        return {"name": self.name, "version": self.version, "orders": orders}


def read_reply(text: str) -> tuple[list[Written], list[str]]:
    """The candidates of a reply, and what of it is none."""
    found = re.search(r"\[.*\]", text, re.S)
    if found is None:
        return [], ["no JSON list in the reply"]
    try:
        rows = json.loads(found[0])
    except json.JSONDecodeError as error:
        return [], [f"not valid JSON: {error.msg}"]
    written, refused = [], []
    for number, row in enumerate(rows, 1):
        try:
            written.append(parse(Written, row, f"element {number}"))
        except AkbError as error:
            refused.append(f"{error.where}: {error.what}")
    return written, refused


def harvest(run: Run, there: Sequence[Item], by: str, taken: Iterable[str] = ()) -> Harvest:
    """The candidates of a run of `Writing`: of the right form, with four different options, and not asked before.

    Args:
        taken: ids besides those of the items that are there, which no candidate may have again.
    """
    items: list[Item] = []
    refused: list[str] = []
    places = {trial.id: trial.question for trial, _ in run.judged()}
    numbers = last_numbers([*(item.id for item in there), *taken])
    stems = {_plain(item.question) for item in there}
    for trial_id, _, response in run.responses():
        written, wrong = read_reply(response.text or "")
        refused += wrong
        for one in written:
            if len({_plain(option) for option in one.options}) < 4:
                refused.append(f"options are not distinct: {one.question}")
            elif _plain(one.question) in stems:
                refused.append(f"asked before: {one.question}")
            else:
                stems.add(_plain(one.question))
                place = places[trial_id]
                numbers[place.subcategory] += 1
                items.append(_item(one, place, numbers[place.subcategory], by))
    return Harvest(tuple(items), tuple(refused))


def _item(one: Written, place: Question, number: int, by: str) -> Item:
    return Item(
        id=f"{place.subcategory}-c{number:02d}",
        version=1,
        category=place.category,
        subcategory=place.subcategory,
        question=one.question,
        options=one.options,
        answer=one.answer,
        kind="table" if one.kind == "table" else "authored",
        template_id=f"{place.subcategory}/{one.template_id}",
        sources=(Source(kind="general", ref="general knowledge", where=f"written by {by}"),),
        rationale=one.rationale,
        dialect="",
        reviews=(),
        check=None,
        canary=CANARY,
    )


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
