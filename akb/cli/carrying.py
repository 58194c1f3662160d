"""Carrying out the runs that commands ask for: captions first where a cascade needs them, then the run, then the
controls that belong beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from akb.calling import Budget
from akb.cascades.captioning import Describing
from akb.cascades.controls import controls
from akb.cascades.settings import check_named
from akb.cli.progress import watching
from akb.engine import Progress
from akb.errors import AkbError
from akb.evaluation import described, execute, plans, unmanned
from akb.plan import Plan, RunConfig
from akb.registry import Registry
from akb.run import Run
from akb.tasks.listening import Listening


@dataclass
class Done:
    """A run, and the controls that belong beside it."""

    run: Run
    controls: dict[str, Run] = field(default_factory=dict)

    def all(self) -> Sequence[Run]:
        """The run and its controls."""
        return (self.run, *self.controls.values())


@dataclass
class Carrying:
    """How the runs of a command are carried out.

    Attributes:
        out: the folder of the only run; its controls lie beside it.
        fresh: ask anew; captions are kept, for they are made anew by `akb caption --fresh` alone.
        bare: without controls.
    """

    registry: Registry
    out: Path | None = None
    budget: Budget | None = None
    cache: bool = True
    fresh: bool = False
    quiet: bool = False
    bare: bool = False

    def __post_init__(self) -> None:
        self.describing = Describing(self.registry, self._watch, self.cache, budget=self.budget)

    def carry_out(self, configs: Sequence[RunConfig]) -> Iterator[Done]:
        """Each run with its controls."""
        if self.out is not None and sum(len(self.registry.select(config.task)) for config in configs) > 1:
            raise AkbError("several runs cannot share one folder", where="--out", fix="Leave --out away.")
        for config in configs:
            if captioner := Listening.parse(config.listen).captioner:
                check_named(self.registry, [captioner], config.captioner_args)
        for config in configs:
            for plan in plans(config, self.registry):
                run = self.one(plan, self.out)
                beside = {} if self.bare else controls_of(plan, self.registry)
                yield Done(run, {label: self.one(one, self._beside(label)) for label, one in beside.items()})

    def one(self, plan: Plan, out: Path | None = None) -> Run:
        """A run with its captions, without controls; in its own place below the runs folder, or in `out`."""
        plan = described(plan, self.describing)
        folder = out if out is not None else self.registry.settings.runs / plan.folder_name
        with watching(f"{plan.model} on {plan.task_label}", folder, quiet=self.quiet) as progress:
            return execute(plan, folder, self.registry.settings, cache=self.cache, progress=progress, fresh=self.fresh,
                           budget=self.budget)  # fmt: skip

    def _watch(self, label: str, folder: Path) -> AbstractContextManager[Progress]:
        return watching(label, folder, quiet=self.quiet, what="clips", scored="described")

    def _beside(self, label: str) -> Path | None:
        """Where a control lies: beside the run's folder, if that was named."""
        name = label.replace(" ", "-").replace("'", "")
        return None if self.out is None else self.out.with_name(f"{self.out.name}.{name}")


def controls_of(plan: Plan, registry: Registry) -> dict[str, Plan]:
    """The plans of the controls that belong beside a plan, with the same model; none where nothing is heard."""
    if not plan.clips():
        return {}
    found = {label: unmanned(config, registry, plan.selection) for label, config in controls(plan.config).items()}
    return {label: replace(one, model=plan.model, parties=plan.parties) for label, one in found.items()}
