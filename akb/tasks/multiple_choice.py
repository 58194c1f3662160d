"""The multiple-choice task: questions from anywhere, asked and judged under a protocol.

A task of one's own is a subclass with a name, a version and `questions()`; see docs/adding-a-task.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import chain
from typing import Any

from akb.errors import AkbError
from akb.tasks import asking as ask
from akb.tasks.asking import Asking
from akb.tasks.judging import judge_choice, judge_reply, outcome
from akb.tasks.listening import Hearing, Listening
from akb.tasks.string_match import JUDGES
from akb.types import Clip, Outcome, Question, Request, Response, Status, Trial


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
        """Name, version and the hash of every question and example: other questions are another run."""
        digest = hashlib.sha256()
        for question in (*self.questions(), *self.examples()):
            told_of = asdict(question)
            for clip in told_of["audio"]:
                del clip["path"]  # a clip is known by its bytes
            digest.update(json.dumps(told_of, sort_keys=True, default=str).encode())
        told = {"name": self.name, "version": self.version, "questions_sha256": digest.hexdigest()}
        return told | self._way_of_asking()

    def _way_of_asking(self) -> dict[str, str]:
        """Whether this class's own requests and judgement hold, so that a record can be judged without the task."""
        kind = type(self)
        own = kind.requests is MultipleChoice.requests and kind.judge is MultipleChoice.judge
        return {"asks": "multiple-choice"} if own else {}

    def trial(self, question: Question) -> Trial:
        a, many = self.asking, len(question.options)
        if not 2 <= many <= len(ask.LABELS):
            raise AkbError(f"options: 2 to {len(ask.LABELS)} are wanted, found {many}", where=question.id)
        if not 0 <= question.answer < many:
            raise AkbError(f"answer: {question.answer} is out of range for {many} options", where=question.id)
        if a.protocol.shots and any(_alike(question, example) for example in self._shots):
            raise AkbError(f"the question {question.id} is also a worked example", where=f"task {self.name}",
                           fix="Take it out of the few-shot file, or ask without --shots.")  # fmt: skip
        orders = ask.orders(question, a.protocol.order, a.seed, self.name)
        return Trial(question.id, question, {"orders": orders, **self.hearing.told(question)})

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        if responses or "unheard" in trial.ask:
            return ()
        question, orders = trial.question, trial.ask["orders"]
        shots = self._shots_for(question)
        asked: list[Request] = [ask.request(question, order, self.asking, shots, trial.ask) for order in orders]
        if self.asking.protocol.unconditional:
            asked += [ask.unconditional(question, order, self.asking) for order in orders]
        return asked

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        if "unheard" in trial.ask:
            return Outcome(Status.ERROR, 0.0, reason=trial.ask["unheard"])
        question, orders, protocol = trial.question, trial.ask["orders"], self.asking.protocol
        answers, others = [], dict[str, float]()
        for number, order in enumerate(orders):
            if protocol.ask == "generate":
                options = ask.shown(question, order)
                answers.append(judge_reply(question, order, options, responses[number], protocol.extraction))
                for name in protocol.also:
                    right = JUDGES[name](
                        responses[number].text or "", question.options, question.options[question.answer]
                    )
                    others[name] = others.get(name, 0.0) + right / len(orders)
                continue
            without = responses[len(orders) + number] if protocol.unconditional else None
            answer, by_rule = judge_choice(question, order, responses[number], protocol, without)
            answers.append(answer)
            for rule, other in by_rule.items():
                others[rule] = others.get(rule, 0.0) + other.correct / len(orders)
        return outcome(answers, others)

    @cached_property
    def hearing(self) -> Hearing:
        """How each question is heard."""
        a = self.asking
        return Hearing(Listening.parse(a.listen), self.name, a.seed, self.questions, a.captions)

    def clips(self, questions: Iterable[Question]) -> Iterator[Clip]:
        """Every clip that is played or described when these questions are asked, once each."""
        shots = self._shots if self.asking.protocol.shots else ()
        seen = set[str]()
        for clips in chain((shot.audio for shot in shots), map(self.hearing.clips, questions)):
            for clip in clips:
                if clip.sha256 not in seen:
                    seen.add(clip.sha256)
                    yield clip

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

    def _shots_for(self, question: Question) -> Sequence[ask.Shot]:
        """The worked examples: those of the question's category first, so that every category has some of its
        own; the same for all questions of a category, so that the prefix can be shared."""
        wanted = self.asking.protocol.shots
        if not wanted:
            return ()
        own = [e for e in self._shots if e.category == question.category]
        rest = [e for e in self._shots if e.category != question.category]
        return [(example, self.hearing.of_example(example)) for example in (own + rest)[:wanted]]


def _alike(question: Question, example: Question) -> bool:
    """Whether a question and an example are the same: the same words about the same clips."""
    texts = [" ".join(q.text.split()).casefold() for q in (question, example)]
    clips = [[clip.sha256 for clip in q.audio] for q in (question, example)]
    return texts[0] == texts[1] and clips[0] == clips[1]
