"""Models on the same questions: the table from which comparisons, ranks and boards are computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from akb.errors import AkbError
from akb.run import Run
from akb.types import AUDIO_NAMES, Question

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Ties = tuple[str, ...]
ITEM, CLIP, NAME = "\0", "\1", "\2"  # mark what is no template


@dataclass(frozen=True)
class Scores:
    """Scores of models on questions.

    Attributes:
        models: names, one a row.
        items: ids of the questions, one a column.
        values: (models, items), strict scores from 0 to 1; NaN where a model was not asked.
        ties: of each question what ties it to others, which are then not independent of it (`ties`).
        categories, subcategories: of each question.
        chance: of each question, the score of guessing.
    """

    models: tuple[str, ...]
    items: tuple[str, ...]
    values: Floats
    ties: tuple[Ties, ...]
    categories: tuple[str, ...]
    subcategories: tuple[str, ...]
    chance: Floats

    @cached_property
    def clusters(self) -> Integers:
        """For each question the number of its cluster, from 0."""
        return clustered(self.items, self.ties)

    @classmethod
    def of(cls, runs: Mapping[str, Run], common: bool = True) -> Scores:
        """The scores of runs, by the name that each is to have.

        Args:
            common: keep only questions that all were asked; else those missing are NaN.

        Raises:
            AkbError: the runs share no question, or a question was not the same in two of them.
        """
        asked = {name: {trial.id: (trial, outcome) for trial, outcome in run.judged()} for name, run in runs.items()}
        order = dict.fromkeys(i for own in asked.values() for i in own)
        items = [i for i in order if not common or all(i in own for own in asked.values())]
        if not items:
            raise AkbError("the runs have no question in common", where=", ".join(runs))
        questions: dict[str, Question] = {}
        for name, own in asked.items():
            for i in items:
                if i in own:
                    question = own[i][0].question
                    known = questions.setdefault(i, question)
                    if (known.text, known.options, known.answer) != (question.text, question.options, question.answer):
                        raise AkbError(f"question {i} is another one in this run", where=str(runs[name].path),
                                       fix="Compare runs on the same version of the task.")  # fmt: skip
        found = [questions[i] for i in items]
        values = [[own[i][1].score if i in own else np.nan for i in items] for own in asked.values()]
        return cls(
            models=tuple(runs),
            items=tuple(items),
            values=np.array(values, dtype=np.float64),
            ties=tuple(_ties(q) for q in found),
            categories=tuple(q.category for q in found),
            subcategories=tuple(q.subcategory for q in found),
            chance=np.array([_chance(q.options, q.answer) for q in found]),
        )

    def part(self, keep: Iterable[bool]) -> Scores:
        """Only some of the questions."""
        chosen = np.flatnonzero(np.fromiter(keep, dtype=bool, count=len(self.items)))
        return Scores(
            self.models,
            _pick(self.items, chosen),
            self.values[:, chosen],
            tuple(self.ties[number] for number in chosen),
            _pick(self.categories, chosen),
            _pick(self.subcategories, chosen),
            self.chance[chosen],
        )


def ties(template: str, clips: Iterable[str] = (), names: Iterable[str] = ()) -> Ties:
    """What ties a question to others: its template, else each clip that it is about.

    Args:
        clips: the hashes of their bytes; none where no audio was at hand.
        names: what the task's records call them, which is known without audio too.
    """
    return (template,) if template else (*(f"{CLIP}{one}" for one in clips), *(f"{NAME}{one}" for one in names))


def clustered(items: Sequence[str], tied: Sequence[Ties]) -> Integers:
    """For each question the number of its cluster, from 0: all that hang together, by what they share or by way of
    others. What nothing ties is a cluster of its own.

    Args:
        items: their ids.
    """
    of: dict[str, str] = {}  # a tie -> another one of its cluster, nearer to the first by name

    def first(name: str) -> str:
        while (other := of.setdefault(name, name)) != name:
            of[name] = name = of[other]
        return name

    own = [found or (f"{ITEM}{item}",) for item, found in zip(items, tied, strict=True)]
    for names in own:
        low, *others = sorted({first(name) for name in names})
        of.update(dict.fromkeys(others, low))
    return np.unique([first(names[0]) for names in own], return_inverse=True)[1].astype(np.int64)


def _ties(question: Question) -> Ties:
    names = question.meta.get(AUDIO_NAMES)
    clips = (clip.sha256 for clip in question.audio)
    return ties(question.template_id, clips, names if isinstance(names, list | tuple) else ())


def _pick(values: Sequence[str], chosen: Integers) -> tuple[str, ...]:
    return tuple(values[number] for number in chosen)


def _chance(options: Sequence[str], answer: int) -> float:
    from akb.tasks.judging import same_text

    if not options:
        return 0.0
    return sum(same_text(option, options[answer]) for option in options) / len(options)
