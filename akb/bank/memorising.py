"""Whether a model knows the public items better than it should: its gap to fresh items of the same templates."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from akb.errors import AkbError
from akb.run import Run


@dataclass(frozen=True)
class Gap:
    """A model on public and fresh items of the same templates; shares from 0 to 1.

    Attributes:
        public, fresh: means over the templates of the share of their items that were answered rightly; a template
            counts alike in both.
        gap: public minus fresh.
        interval: 95 %, Student's t over the templates' differences.
    """

    templates: int
    public_items: int
    fresh_items: int
    public: float
    fresh: float
    gap: float
    interval: tuple[float, float]


def compare(public: Run, fresh: Run) -> Gap:
    """The gap between a run on public and one on fresh items.

    Raises:
        AkbError: they are no such pair of one model under one protocol, one of them is not of all its items, or they
            have fewer than three templates in common.
    """
    _look_over(public, fresh)
    one, other = _scores(public), _scores(fresh)
    shared = sorted(one.keys() & other.keys())
    if len(shared) < 3:
        raise AkbError(f"the runs have {len(shared)} templates in common; three are the least", where="akb bank gap",
                       fix="Wanted: a run on akb-open and one on akb-fresh.")  # fmt: skip
    means = np.array([(np.mean(one[name]), np.mean(other[name])) for name in shared])
    differences = means[:, 0] - means[:, 1]
    return Gap(
        templates=len(shared),
        public_items=sum(len(one[name]) for name in shared),
        fresh_items=sum(len(other[name]) for name in shared),
        public=float(means[:, 0].mean()),
        fresh=float(means[:, 1].mean()),
        gap=float(differences.mean()),
        interval=interval(differences),
    )


def interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of (templates,) differences."""
    half = t.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences))
    return float(differences.mean() - half), float(differences.mean() + half)


def _look_over(public: Run, fresh: Run) -> None:
    for run, wanted, name in ((public, "item", "akb-open"), (fresh, "templates", "akb-fresh")):
        if run.manifest.identity.get("task", {}).get("format") != wanted:
            raise AkbError(f"this is a run on {run.manifest.task}", where=str(run.path),
                           fix=f"Wanted: a run on akb-open, then one on akb-fresh; here {name}.")  # fmt: skip
        config = run.manifest.config
        if run.manifest.status != "finished" or config.get("limit") or config.get("shard"):
            raise AkbError("a finished run on all of its items is wanted", where=str(run.path))
    one, other = public.manifest, fresh.manifest
    if (one.model, one.protocol) != (other.model, other.protocol):
        raise AkbError(
            f"two runs of one model under one protocol are wanted, found {one.model} ({one.protocol}) and "
            f"{other.model} ({other.protocol})",
            where="akb bank gap",
        )


def _scores(run: Run) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for trial, outcome in run.judged():
        if trial.question.template_id:
            found[trial.question.template_id].append(outcome.score)
    return found
