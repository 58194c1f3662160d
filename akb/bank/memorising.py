"""Whether a model knows the public items better than it should: its gap to fresh items of the same templates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from akb.errors import AkbError
from akb.run import Run

DRAWS = 2000
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Gap:
    """A model on public and fresh items of the same templates; shares from 0 to 1.

    Attributes:
        public, fresh: means over the templates of the share of their items that were answered rightly; a template
            counts alike in both.
        gap: public minus fresh.
        interval: 95 %, percentiles of a bootstrap over templates and over their items within.
    """

    templates: int
    public_items: int
    fresh_items: int
    public: float
    fresh: float
    gap: float
    interval: tuple[float, float]


def compare(public: Run, fresh: Run) -> Gap:
    """The gap between two runs of one model.

    Raises:
        AkbError: the runs differ in model or protocol, or have no template in common.
    """
    if public.manifest.model != fresh.manifest.model or public.manifest.protocol != fresh.manifest.protocol:
        raise AkbError(
            f"two runs of one model under one protocol are wanted, found {public.manifest.model} "
            f"({public.manifest.protocol}) and {fresh.manifest.model} ({fresh.manifest.protocol})",
            where="akb bank gap",
        )
    one, other = _scores(public), _scores(fresh)
    shared = sorted(one.keys() & other.keys())
    if not shared:
        raise AkbError("the runs have no template in common", where="akb bank gap",
                       fix="Wanted: a run on akb-open and one on akb-fresh.")  # fmt: skip
    pairs = [(np.array(one[name]), np.array(other[name])) for name in shared]
    means = [(a.mean(), b.mean()) for a, b in pairs]
    return Gap(
        templates=len(shared),
        public_items=sum(len(a) for a, _ in pairs),
        fresh_items=sum(len(b) for _, b in pairs),
        public=float(np.mean([a for a, _ in means])),
        fresh=float(np.mean([b for _, b in means])),
        gap=float(np.mean([a - b for a, b in means])),
        interval=_interval(pairs),
    )


def _scores(run: Run) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for trial, outcome in run.judged():
        if trial.question.template_id:
            found[trial.question.template_id].append(outcome.score)
    return found


def _interval(pairs: Sequence[tuple[Scores, Scores]]) -> tuple[float, float]:
    random = np.random.default_rng(0)

    def mean(scores: Scores) -> float:
        return float(random.choice(scores, len(scores)).mean())

    draws = [
        np.mean([mean(pairs[n][0]) - mean(pairs[n][1]) for n in random.integers(len(pairs), size=len(pairs))])
        for _ in range(DRAWS)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
