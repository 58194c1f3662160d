"""The backbone's own answers about descriptions (self-distillation; arXiv 2507.02768).

It is a task like others, so that it is batched, cached, paid, counted and resumed as every run is; its record lies in
the data's folder. Rows may be added to it at any time: what was answered is not asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from akb.lalm.data import filtering
from akb.lalm.data.filtering import Drop
from akb.lalm.data.pool import Template, Type
from akb.lalm.data.preparing import Wanted
from akb.types import Decoding, Generate, Message, Outcome, Question, Request, Response, Status, Trial

_STATUS = {"error": Status.ERROR, "empty": Status.EMPTY, "truncated": Status.TRUNCATED, "refusal": Status.REFUSED}


@dataclass
class Responding:
    """The task: a description and a prompt, and words to come back.

    Attributes:
        decoding: how replies are generated.
        marks: what stands before and after audio.
        rows: gives the rows to be made, in their order.
        replies: responses that were judged and not taken up yet, by the trial's id, with why they are not kept.
    """

    template: Template
    decoding: Decoding
    marks: tuple[str, str]
    filters: Sequence[str]
    rows: Callable[[], Iterable[Wanted]]
    replies: dict[str, tuple[Response, Drop | None]] = field(default_factory=dict)

    name = "lalm-data"
    version = "1"

    def describe(self) -> Mapping[str, Any]:
        """What can move a response. Which clips and prompts there are cannot, nor the filters."""
        return {
            "name": self.name,
            "version": self.version,
            "template": self.template.model_dump(mode="json"),
            "marks": self.marks,
            "decoding": {name: getattr(self.decoding, name) for name in ("max_tokens", "temperature", "top_p", "seed")},
        }

    def questions(self) -> Iterable[Question]:
        for row in self.rows():
            told = {"description": row.clip.description, "prompt": row.prompt.id}
            yield Question(row.id, row.prompt.text, (), 0, row.clip.kind, row.prompt.type, meta=told)

    def trial(self, question: Question) -> Trial:
        """Its id tells of the very words of description and prompt: what was changed is asked anew."""
        return Trial(f"{question.id}~{_short(question.meta['description'] + question.text)}", question)

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        if responses:
            return ()
        description, prompt = trial.question.meta["description"], trial.question.text
        system = self.template.shown("system", *self.marks).strip()
        user = self.template.shown("user", *self.marks, description, prompt)
        turns = ([Message("system", (system,))] if system else []) + [Message("user", (user,))]
        return [Generate(tuple(turns), self.decoding)]

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        """Score 1 for a response that is kept; else the reason names the filter that objected."""
        kind: Any = trial.question.subcategory
        asked: Type = kind
        response, description = responses[0], trial.question.meta["description"]
        dropped = filtering.drop(response, description, asked, self.filters, self.marks, trial.question.text)
        self.replies[trial.id] = (response, dropped)
        if dropped is None:
            return Outcome(Status.OK, 1.0)
        status = _STATUS.get(dropped.reason, Status.WRONG_FORMAT)
        return Outcome(status, 0.0, reason=": ".join(filter(None, dropped)))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
