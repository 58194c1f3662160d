"""akb caption: have a task's clips described, once for all readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options
from akb.errors import EXIT_INCOMPLETE, AkbError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from akb.cascades.captions import Captions
    from akb.registry import Registry
    from akb.types import Clip

SETTINGS = ("protocol", "task", "captioner")  # of a protocol, its shots: they are heard too


def caption(
    task: Annotated[list[str] | None, options.task_option("Whose clips: mmau, lab-audio")] = None,
    with_: Annotated[
        str | None,
        typer.Option(
            "--with",
            "-w",
            help="Who describes: a name from `akb ls captioners`, whisper:FOLDER, hf-audio:ORG/NAME, openai:NAME, "
            "google:NAME, a file of captions.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="Only of the first so many questions.")] = None,
    data: options.Data = None,
    set_: Annotated[list[str] | None, options.set_option(*SETTINGS)] = None,
    include: options.Include = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do not use earlier responses.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Describe anew what is described already.")] = False,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", min=0.0, help="Stop before it has cost more than so many US dollars.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell how many are to be described, and what it may cost; ask nobody.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Describe the clips of tasks in words. E.g. akb caption --task mmar --with whisper-large-v3

    Captions are kept by the hash of the audio, and made once for all tasks and readers; `akb eval --listen
    caption:NAME` makes those that are missing. Interrupted, it goes on where it was when given again.
    """
    from akb import report
    from akb.calling import Budget
    from akb.cascades.captioning import Describing
    from akb.cascades.settings import check_named
    from akb.cli.progress import watching

    names = options.split_names(task)
    if not names or not with_:
        raise AkbError("a task and a captioner are wanted", fix="E.g. akb caption --task lab-audio --with acoustic")
    registry = options.registry(include)
    changes = options.settings(set_, SETTINGS)
    args = changes["captioner"]
    check_named(registry, [with_], args)
    clips = _clips(registry, names, changes, limit=limit, data=data)
    if dry_run:
        _dry_run(registry, with_, clips, args, json=json)
        return

    def watch(label: str, folder: Path) -> Any:
        return watching(label, folder, quiet=json, what="clips", scored="described")

    budget = None if max_cost is None else Budget(max_cost)
    describing = Describing(registry, watch, not no_cache, fresh, budget)
    found = describing.captions(with_, clips, args)
    told = _told(found, clips)
    if kept := sum(clip.sha256 in describing.failed and found.of(clip).state != "error" for clip in clips):
        told["notes"].append(f"{kept:,} clips could not be described anew: what was said of them before stands")
    if json:
        report.print_json(told)
    else:
        for line in told["notes"]:
            report.show(line)
        for folder in told["folders"]:
            report.show(f"captions: {folder}")
    if describing.failed or told["states"].get("error"):
        raise typer.Exit(EXIT_INCOMPLETE)


def _dry_run(registry: Registry, name: str, clips: list[Clip], args: dict[str, Any], *, json: bool) -> None:
    """What would be described, and what that may cost."""
    from akb import report
    from akb.cascades.foreseeing import foreseen, told

    found = foreseen(registry, name, clips, args)
    lines, price = told([found])
    if json:
        ahead = {one: len(parts) for one, parts in found.ahead.items()}
        report.print_json({"captioner": found.card.name, "clips": len(clips), "to describe": ahead,
                           "cost at most, $": None if price is None else round(price, 4)})  # fmt: skip
        return
    report.show("\n".join(lines) or f"all {len(clips):,} clips are described by {found.card.name}")


def _clips(registry: Any, names: list[str], changes: dict[str, dict[str, Any]], **given: Any) -> list[Clip]:
    """The clips of tasks, each once."""
    from akb.evaluation import unmanned

    config = options.run_config("akb caption", {**changes, "captioner": {}}, task=names, **given)
    plans = [unmanned(config, registry, selection) for selection in registry.select(config.task)]
    found = list({clip.sha256: clip for plan in plans for clip in plan.clips()}.values())
    if not found:
        raise AkbError("no question has audio at hand", where=f"task {', '.join(names)}",
                       fix="Get a benchmark's audio with akb fetch, or name its folder with --data.")  # fmt: skip
    return found


def _told(found: Captions, clips: Sequence[Clip]) -> dict[str, Any]:
    from collections import Counter

    states = Counter(found.known[clip.sha256].state for clip in clips if clip.sha256 in found.known)
    folders = [str(folder) for folder in found.folders]
    told = {"captioner": found.card.name, "clips": len(clips), "states": dict(states)}
    return {**told, "notes": list(found.notes(clips)), "folders": folders}
