"""akb lalm data: from audio with metadata to what the backbone itself says of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options
from akb.errors import EXIT_INCOMPLETE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Contaminated(StrEnum):
    """What to do with clips of evaluations."""

    refuse = "refuse"
    drop = "drop"
    keep = "keep"


def data(
    name: Annotated[str, typer.Argument(help="A recipe: a name from `akb lalm show`, or a file.")],
    with_: Annotated[
        str | None,
        typer.Option(
            "--with", "-w", help="Where the backbone is reached, e.g. vllm:NAME or openai:NAME [default: here]."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Only the first so many rows.")] = None,
    skip_faulty: Annotated[
        bool, typer.Option("--skip-faulty", help="Leave out records that cannot be used; the report names them.")
    ] = False,
    contaminated: Annotated[
        Contaminated, typer.Option(help="Clips that are audio of an evaluation: refuse all, drop them, or keep them.")
    ] = Contaminated.refuse,
    set_: Annotated[list[str] | None, options.set_option("model")] = None,
    include: options.Include = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do not use earlier responses.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Read and ask everything anew.")] = False,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", min=0.0, help="Stop before it has cost more than so many US dollars.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the manifests; tell requests, tokens and cost; ask nothing.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Make a recipe's training data. E.g. akb lalm data desta-qwen2.5-7b

    Clips are described in words, the backbone answers prompts about them, and answers that a listener could not have
    given are left out. Interrupted, it goes on where it was when given again; more rows are added to those there.
    """
    from akb import report
    from akb.calling import Budget
    from akb.cli.progress import watching
    from akb.lalm.data.making import Making, data_folder, incomplete
    from akb.lalm.recipe import find

    registry = options.registry(include)
    recipe = find(name, registry.roots)
    making = Making(
        recipe,
        registry,
        data_folder(registry, recipe.name),
        writer=with_ or "",
        model_args=options.settings(set_, ("model",))["model"],
        limit=limit,
        skip_faulty=skip_faulty,
        contaminated=contaminated.value,
        cache=not no_cache,
        fresh=fresh,
        budget=None if max_cost is None else Budget(max_cost),
    )
    if dry_run:
        _show_foreseen(making.foreseen(), json)
        return

    def watch(label: str, folder: Path) -> Any:
        return watching(label, folder, quiet=json, what="rows", scored="kept")

    made = making.make(watch)
    if json:
        report.print_json({key: value for key, value in made.items() if key != "drops"})
    else:
        report.show("\n".join(_told(made)))
    if incomplete(made):
        raise typer.Exit(EXIT_INCOMPLETE)


def _show_foreseen(found: Mapping[str, Any], json: bool) -> None:
    from akb import report

    if json:
        report.print_json(found)
        return
    report.show("\n".join(f"{key}: {value}" for key, value in found.items() if key != "first" and value))
    report.show(f"the first request, as plain text:\n\n{found['first']}\n")


def _told(made: Mapping[str, Any]) -> list[str]:
    """The report in lines."""
    rows, overlap = made["rows"], made["contamination"]
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(made["dropped"].items()))
    clips = ", ".join(f"{count:,} {kind}" for kind, count in made["clips"].items())
    lines = [
        f"clips: {clips} ({sum(made['hours'].values()):.2f} hours)",
        f"rows: {rows['kept']:,} of {rows['wanted']:,} kept" + (f"; dropped: {dropped}" if dropped else ""),
        f"contamination: {len(overlap['clips'])} clips of evaluations ({overlap['clips are']}), "
        f"{len(overlap['descriptions']):,} descriptions like a question of one, "
        f"{len(overlap['prompts']):,} prompts like one ({overlap['rows']:,} of the kept rows ask such a prompt)",
    ]
    if absent := overlap["not compared"]:
        lines.append("not compared: " + "; ".join(f"{task} ({why})" for task, why in absent.items()))
    if made["faults"]:
        lines.append(f"records left out as faulty: {len(made['faults']):,}")
    if long := made["clips over 30 s"]:
        lines.append(f"clips over 30 s, described whole though an encoder hears 30 s at once: {long:,}")
    if "note" in made:
        lines.append(f"note: {made['note']}")
    return [*lines, f"data: {made['folder']}/train.jsonl, and report.json beside it"]
