"""A run as its user sees it: what was measured, with the record behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akb import records, usage
from akb.errors import AkbError, missing_extra
from akb.stats.summary import Summary, summarise
from akb.types import MODEL, Outcome, Response, Trial

if TYPE_CHECKING:
    import pandas as pd

RUNS_IT = frozenset({"adapter", "transformers", "vllm", "lm_eval", "device_map", "engine_args"})  # of a fingerprint


@dataclass(frozen=True)
class Run:
    """A finished (or interrupted) run, read from its folder.

    Attributes:
        path: the run's folder.
        manifest: what was run.
        judged_already: a summary to show in place of the recorded outcomes' (`akb score` by another rule).
    """

    path: Path
    manifest: records.Manifest
    judged_already: Summary | None = None

    @classmethod
    def load(cls, path: Path | str) -> Run:
        """Read a run's folder; a finished run's files are checked against their hashes.

        Raises:
            AkbError: it is no run's folder, or its record is damaged.
        """
        folder = Path(path)
        manifest = records.read_manifest(folder)
        records.verify(folder, manifest)
        return cls(folder, manifest)

    def judged(self) -> Iterator[tuple[Trial, Outcome]]:
        """Each judged trial with its outcome, in the order asked.

        Raises:
            AkbError: the run has no outcomes yet.
        """
        if not (self.path / records.OUTCOMES).exists():
            raise AkbError("the run is not finished: it has no outcomes yet", where=str(self.path),
                           fix="Run the same command again to go on with it.")  # fmt: skip
        outcomes = records.read_outcomes(self.path)
        for trial, pair in zip_longest(records.read_trials(self.path), outcomes):
            name, outcome = pair or ("nothing", None)
            if trial is None or outcome is None or trial.id != name:
                asked = "nothing" if trial is None else trial.id
                raise AkbError(f"the record is damaged: outcome of {name!r} where {asked!r} was asked",
                               where=str(self.path / records.OUTCOMES), fix="Make it anew with: akb score")  # fmt: skip
            yield trial, outcome

    def responses(self) -> Iterator[tuple[str, int, Response]]:
        """(trial id, number of the request, response), in the order of arrival."""
        for line in records.read_responses(self.path):
            yield line.trial, line.request, line.response

    @cached_property
    def summary(self) -> Summary:
        """Accuracy with interval, chance, share not readable, baselines: of all, by category and subcategory."""
        if self.judged_already is not None:
            return self.judged_already
        return summarise(self.judged(), self.manifest.identity.get("categories", ()))

    @property
    def accuracy(self) -> float:
        """Strict accuracy over all questions (micro average), from 0 to 1."""
        return self.summary.rows[0].accuracy

    @property
    def strangers(self) -> tuple[str, ...]:
        """Notes on answers by another model than the one asked for, or by several."""
        return tuple(usage.strangers(self.manifest.usage, self.manifest.identity.get("parties", {})))

    def table(self) -> str:
        """The run's table as plain text."""
        from akb.report import as_text, run_table

        return as_text(run_table(self))

    def to_dataframe(self) -> pd.DataFrame:
        """One row a trial: id, category, subcategory, template_id, status, score, chosen, answer, and the other
        rules' scores. Needs the extra `data`."""
        try:
            import pandas as pd
        except ImportError:
            raise missing_extra("pandas", "data", needed_for="Run.to_dataframe()") from None
        return pd.DataFrame([_flat(trial, outcome) for trial, outcome in self.judged()])

    def to_dict(self) -> dict[str, Any]:
        """The run's summary for --json."""
        m = self.manifest
        head = {
            "path": str(self.path),
            "model": m.model,
            "task": m.task,
            "protocol": m.protocol,
            "status": m.status,
        }
        took = {name: party.model_dump() for name, party in m.usage.items()}
        notes = (*m.notes, *self.strangers)
        return {**head, "seconds": m.seconds, "notes": notes, "usage": took, **self.summary.to_dict()}


def names(runs: Sequence[Run]) -> list[str]:
    """Names under which one table shows several runs: the model's own. Where several models here have one name, as the
    folders `checkpoint-500` of two trainings, what was asked for stands behind it; where that is the same too (a folder
    whose files have changed), the first 8 digits of `model_hash`."""
    own: dict[str, dict[str, set[str]]] = {}  # name -> what was asked for -> which models that was
    for run in runs:
        own.setdefault(run.manifest.model, {}).setdefault(_asked_for(run), set()).add(model_hash(run.manifest))
    return [_among(own[run.manifest.model], run) for run in runs]


def _among(same: dict[str, set[str]], run: Run) -> str:
    """A run's name among all of that name."""
    if len(set().union(*same.values())) == 1:
        return run.manifest.model
    apart = all(len(models) == 1 for models in same.values())
    return f"{run.manifest.model} ({_asked_for(run) if apart else model_hash(run.manifest)[:8]})"


def _asked_for(run: Run) -> str:
    return str(run.manifest.config.get("model", ""))


def model_hash(manifest: records.Manifest) -> str:
    """A hash of what the model under test is, whatever ran it; two models of one name differ in it."""
    told = manifest.identity.get("parties", {}).get(MODEL, {})
    return records.digest({name: value for name, value in told.items() if name not in RUNS_IT})


def _flat(trial: Trial, outcome: Outcome) -> dict[str, Any]:
    question = trial.question
    first = outcome.answers[0] if outcome.answers else None
    return {
        "id": question.id,
        "category": question.category,
        "subcategory": question.subcategory,
        "template_id": question.template_id,
        "status": outcome.status.value,
        "score": outcome.score,
        "chosen": None if first is None else first.chosen,
        "answer": question.answer,
        "reason": outcome.reason,
        **{f"score_{rule}": score for rule, score in outcome.others.items()},
    }
