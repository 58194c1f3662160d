"""akb export: tasks for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akb.cli import options
from akb.errors import AkbError

SETTINGS = ("protocol", "task")

app = typer.Typer(help="Write tasks for other programs.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _export() -> None:
    """Write tasks for other programs."""


@app.command("lm-eval")
def lm_eval(
    folder: Annotated[Path, typer.Argument(help="Where to write; then: lm_eval --include_path FOLDER --tasks NAME")],
    task: options.Tasks = None,
    protocol: options.ProtocolName = None,
    shots: options.Shots = None,
    seed: Annotated[int, typer.Option(help="Of the option order.")] = 0,
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="Only the first so many questions.")] = None,
    listen: options.Listen = None,
    data: options.Data = None,
    set_: Annotated[list[str] | None, options.set_option(*SETTINGS)] = None,
    include: options.Include = None,
) -> None:
    """Write tasks that lm-eval runs to the same log-probabilities."""
    from akb.evaluation import unmanned
    from akb.tasks.export import export_lm_eval
    from akb.tasks.multiple_choice import MultipleChoice

    registry = options.registry(include)
    changes = options.settings(set_, SETTINGS, shots=shots)
    config = options.run_config(
        "akb export lm-eval", changes, task=options.split_names(task) or ["akb-open"],
        protocol=protocol or "akb-v1-loglik", seed=seed, limit=limit, listen=listen, data=data,
    )  # fmt: skip
    for selection in registry.select(config.task):
        plan = unmanned(config, registry, selection)
        if not isinstance(plan.task, MultipleChoice):
            raise AkbError("only multiple-choice tasks can be told to lm-eval", where=f"task {selection.task}")
        name = f"{selection.label}_{plan.task.asking.protocol.name}"
        for path in export_lm_eval(plan.task, plan.trials(), folder, name):
            print(path)
