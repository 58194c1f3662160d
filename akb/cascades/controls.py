"""What belongs beside a score on audio questions: the same questions asked without the audio, without themselves, and
with another item's audio or caption. What a model still gets right then, it does not owe to what it heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from akb.plan import RunConfig
from akb.run import Run
from akb.stats.intervals import Estimate, average
from akb.stats.paired import difference, holm, permutation
from akb.stats.scores import Scores
from akb.tasks.listening import Listening
from akb.tasks.string_match import JUDGES
from akb.types import Status

QUESTION, OPTIONS = "question only", "options only"
FEW_CLUSTERS = 30  # templates below which it is told that there are few
OFFICIAL = "mmau-string-match"


def controls(config: RunConfig) -> dict[str, RunConfig]:
    """The runs that belong beside one in which audio is heard, by what they are called; none beside a control.

    Args:
        config: the settings of the run.
    """
    way = Listening.parse(config.listen)
    if config.control != "none" or way.way not in ("audio", "caption"):
        return {}
    other = f"shuffled-caption:{way.captioner}" if way.captioner else "shuffled"
    label = "another item's caption" if way.captioner else "another item's audio"
    alone: dict[str, Any] = {"listen": "none", "captioner_args": {}}
    return {
        QUESTION: config.model_copy(update=alone),
        OPTIONS: config.model_copy(update={**alone, "control": "choices-only"}),
        label: config.model_copy(update={"listen": other}),
    }


@dataclass(frozen=True)
class Beside:
    """A control beside a score; shares from 0 to 1.

    Attributes:
        low, high: the control's 95 % interval, cluster-robust.
        gain: accuracy of the run less that of the control, on the same questions, with its 95 % interval.
        p: of the paired permutation of clusters; holm: adjusted over the controls shown.
        same: of another item's captions, how many say the same as the item's own.
        else_gain, else_low, else_high: the gain where they do not; None where that is all or none.
    """

    label: str
    n: int
    accuracy: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    p: float
    holm: float = 1.0
    same: int = 0
    else_gain: float | None = None
    else_low: float | None = None
    else_high: float | None = None


def beside(run: Run, others: Mapping[str, Run]) -> list[Beside]:
    """Each control beside the run, on the questions that both were asked."""
    found = [_beside(run, label, control) for label, control in others.items()]
    return [replace(one, holm=p) for one, p in zip(found, holm([one.p for one in found]), strict=True)]


def _beside(run: Run, label: str, control: Run) -> Beside:
    scores = Scores.of({"run": run, label: control})
    (own, other), clusters = scores.values, scores.clusters
    mean, gain = average(other, clusters), difference(own, other, clusters)
    p = permutation(own, other, clusters)
    found = Beside(label, len(own), mean.value, mean.low, mean.high, gain.value, gain.low, gain.high, p)
    same = alike(run, control)
    others = scores.part(i not in same for i in scores.items)
    found = replace(found, same=len(scores.items) - len(others.items))
    if not found.same or not others.items:
        return found
    gain = difference(others.values[0], others.values[1], others.clusters)
    return replace(found, else_gain=gain.value, else_low=gain.low, else_high=gain.high)


def as_heard(run: Run) -> Estimate:
    """The accuracy of a run, from 0 to 1, with the kind of interval that its controls have."""
    scores = Scores.of({"run": run})
    return average(scores.values[0], scores.clusters)


def alike(run: Run, other: Run) -> set[str]:
    """The questions to which two runs were told the very same captions: clips differ, and what is said of them may not
    (an empty transcript, "A person speaks.")."""
    told = [{trial.id: trial.ask.get("captions") for trial, _ in one.judged()} for one in (run, other)]
    return {i for i, captions in told[0].items() if captions is not None and captions == told[1].get(i)}


def official(run: Run) -> float | None:
    """The accuracy of replies by the string match of MMAU and MMAR, for comparison with published numbers; None for a
    run whose protocol does not name that judge (it knows no letters: where these are asked for it says nothing) or
    without replies in words. Every question counts, also one that could not be asked."""
    if OFFICIAL not in (run.manifest.identity.get("protocol") or {}).get("also", ()):
        return None
    replies: dict[str, list[str]] = {}
    for trial, _, response in run.responses():
        if response.text is not None:
            replies.setdefault(trial, []).append(response.text)
    if not replies:
        return None
    shares = []
    for asked, _ in run.judged():
        question, texts = asked.question, replies.get(asked.id, [])
        key = question.options[question.answer]
        right = [JUDGES[OFFICIAL](text, question.options, key) for text in texts]
        shares.append(sum(right) / len(right) if right else 0.0)
    return float(np.mean(shares))


def unheard(run: Run) -> int:
    """How many of a run's questions could not be heard: audio missing or not readable, or no caption."""
    return sum("unheard" in trial.ask and outcome.status == Status.ERROR for trial, outcome in run.judged())
