"""The multiple-choice task: questions from anywhere, asked and judged under a protocol.

A task of one's own is a subclass with a name, a version and `questions()`; see docs/adding-a-task.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from akb.errors import AkbError
from akb.tasks import asking as ask
from akb.tasks.asking import Asking
from akb.tasks.judging import judge_choice, judge_reply, outcome
from akb.types import Generate, Outcome, Question, Request, Response, Trial


class MultipleChoice:
    """A task whose questions have options. Subclasses give `questions()`, and `examples()` if there are any."""

    name: str = ""
    version: str = "1"

    def __init__(self, asking: Asking) -> None:
        self.asking = asking

    def questions(self) -> Iterable[Question]:
        """All questions, in a fixed order."""
        raise TypeError(f"{type(self).__name__} does not define questions()")

    def examples(self) -> Sequence[Question]:
        """Questions for few-shot prompts; never test items."""
        return ()

    def describe(self) -> Mapping[str, Any]:
        return {"name": self.name, "version": self.version}

    def trial(self, question: Question) -> Trial:
        a, many = self.asking, len(question.options)
        if not 2 <= many <= len(ask.LABELS):
            raise AkbError(f"options: 2 to {len(ask.LABELS)} are wanted, found {many}", where=question.id)
        if not 0 <= question.answer < many:
            raise AkbError(f"answer: {question.answer} is out of range for {many} options", where=question.id)
        orders = ask.orders(question, a.protocol.order, a.seed, self.name)
        return Trial(question.id, question, {"orders": orders})

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        if responses:
            return ()
        question, orders = trial.question, trial.ask["orders"]
        shots = self._shots_for(question)
        asked: list[Request] = [ask.request(question, order, self.asking, shots) for order in orders]
        if self.asking.protocol.unconditional:
            asked += [ask.unconditional(question, order, self.asking) for order in orders]
        return asked

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        question, orders, protocol = trial.question, trial.ask["orders"], self.asking.protocol
        answers, others = [], dict[str, float]()
        for number, order in enumerate(orders):
            if protocol.ask == "generate":
                options = ask.shown(question, order)
                answers.append(judge_reply(question, order, options, responses[number], protocol.extraction))
                continue
            without = responses[len(orders) + number] if protocol.unconditional else None
            answer, by_rule = judge_choice(question, order, responses[number], protocol, without)
            answers.append(answer)
            for rule, other in by_rule.items():
                others[rule] = others.get(rule, 0.0) + other.correct / len(orders)
        return outcome(answers, others)

    @cached_property
    def _shots(self) -> tuple[Question, ...]:
        wanted, examples = self.asking.protocol.shots, tuple(self.examples())
        if wanted > len(examples):
            raise AkbError(
                f"{wanted} worked examples are wanted, the task has {len(examples)}",
                where=f"task {self.name}",
                fix="Ask for fewer shots, or add examples to the task's few-shot file.",
            )
        return examples

    def _shots_for(self, question: Question) -> Sequence[Question]:
        """The worked examples: those of the question's category first, so that every category has some of its
        own; the same for all questions of a category, so that the prefix can be shared."""
        wanted = self.asking.protocol.shots
        if not wanted:
            return ()
        own = [e for e in self._shots if e.category == question.category]
        rest = [e for e in self._shots if e.category != question.category]
        return (own + rest)[:wanted]


def asks_by_reply(requests: Sequence[Request]) -> bool:
    """Whether any of the requests wants a reply in words."""
    return any(isinstance(request, Generate) for request in requests)
