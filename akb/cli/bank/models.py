"""akb bank verify and generate: models that read items blind, and models that write candidates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akb.cli import options
from akb.cli.bank.places import Only, Places
from akb.errors import AkbError, unknown

if TYPE_CHECKING:
    from akb.run import Run
    from akb.tasks.asking import Asking
    from akb.tasks.folder import Category, Folder, Subcategory
    from akb.types import Task

Reader = Annotated[str, typer.Option("--with", "-w", help="The model, by a name as in akb eval --model.")]
LOG = "File that its readings are added to [default: readings-MODEL.jsonl]."
SETTINGS = ("protocol", "model")
Set = Annotated[list[str] | None, options.set_option(*SETTINGS)]
Most = Annotated[
    float | None, typer.Option("--max-cost", min=0.0, help="Stop before this has cost more than so many US dollars.")
]


def verify(
    with_: Reader,
    places: Places = None,
    only: Only = None,
    round_: Annotated[int, typer.Option("--round", min=1, help="Of building the bank.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", "-o", help=LOG)] = None,
    max_cost: Most = None,
    seed: Annotated[int, typer.Option(help="Of the option orders.")] = 0,
    set_: Set = None,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """Have a model read items blind: stem and shuffled options alone, and it may say that an item is not sound.

    Its readings are added to a log that akb bank agreement reads, and akb bank admit with --log. An interrupted run
    goes on when the command is given again.
    """
    from akb import report
    from akb.bank import blind
    from akb.bank.readings import add, words
    from akb.cli.bank.places import items_of
    from akb.files import file_name

    items = items_of(places, only)
    task = blind.BlindReading(_asking(blind.PROTOCOL, seed, set_, include), items)
    run = _ask(with_, task, max_cost, set_, include)
    by = f"{run.manifest.model}, a language model ({blind.PROTOCOL})"
    read = {item.id: words(item) for item in items}
    found = [one.model_copy(update={"words": read[one.item]}) for one in blind.readings(run, by, round_)]
    target = out or Path(f"readings-{file_name(with_)}.jsonl")
    add(target, found)
    agreed = sum(reading.agrees for reading in found)
    unclear = [reading for reading in found if reading.verdict != "clear"]
    told = {
        "items": len(items),
        "readings": len(found),
        "agree": agreed,
        "not clear": len(unclear),
        "unreadable": len(items) - len(found),
        "log": str(target),
    }
    if json:
        report.print_json(told)
        return
    rows = [(r.item, r.key, "-" if r.answer is None else r.answer, r.verdict) for r in found if not r.agrees]
    if rows:
        report.show(report.listing(("disagrees", "key", "answer", "verdict"), rows))
    report.show(", ".join(f"{name}: {value}" for name, value in told.items()))


def generate(
    subcategory: Annotated[str, typer.Option("--subcategory", help="For which candidates are wanted.")],
    count: Annotated[int, typer.Option("--n", "-n", min=1, max=500, help="How many.")],
    with_: Reader,
    places: Places = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File that they are added to [default: candidates-SUBCATEGORY.jsonl]."),
    ] = None,
    max_cost: Most = None,
    seed: Annotated[int, typer.Option(help="Of sampling; another seed asks anew.")] = 0,
    set_: Set = None,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """Have a model write candidates for a subcategory. They go to a file of their own, never into the bank.

    What comes next: akb bank check of bank and candidates together, and akb bank verify by other models.
    """
    from akb import report
    from akb.bank import writing
    from akb.cli.bank.places import bank, items_of, names_used
    from akb.files import write_whole
    from akb.tasks.items import read_items

    folder = bank()
    target = out or Path(f"candidates-{subcategory.replace('_', '-')}.jsonl")
    if (folder.path / "questions").resolve() in target.resolve().parents:
        raise AkbError("candidates never go straight into the bank", where=str(target), fix="Name another file.")
    place = _place(folder, subcategory)
    old = [item for _, item in read_items([target])] if target.exists() else []
    there = [item for item in (*items_of(places), *old) if item.subcategory == place[1].name]
    task = writing.Writing(_asking(writing.PROTOCOL, seed, set_, include), place, count, there)
    run = _ask(with_, task, max_cost, set_, include)
    found = writing.harvest(run, there, run.manifest.model, names_used(places))
    write_whole(target, (item.model_dump_json() + "\n" for item in (*old, *found.items)))
    told = {"wanted": count, "candidates": len(found.items), "refused": list(found.refused), "file": str(target)}
    if json:
        report.print_json(told)
        return
    report.show(f"{len(found.items)} of {count} candidates were added to {target}")
    for why in found.refused:
        report.show(f"  refused: {why}")


def _ask(model: str, task: Task, max_cost: float | None, pairs: list[str] | None, include: list[Path] | None) -> Run:
    from akb.evaluation import evaluate

    changes = options.settings(pairs, SETTINGS)
    return evaluate(model, task, include=include or (), max_cost=max_cost, model_args=changes["model"],
                    protocol_args=changes["protocol"])  # fmt: skip


def _asking(protocol: str, seed: int, pairs: list[str] | None, include: list[Path] | None) -> Asking:
    from akb.tasks.asking import Asking

    changes = options.settings(pairs, SETTINGS)["protocol"]
    return Asking(*options.registry(include).protocol(protocol, changes), seed)


def _place(folder: Folder, wanted: str) -> tuple[Category, Subcategory]:
    name = wanted.replace("_", "-").casefold()
    assert folder.taxonomy is not None
    known = {sub.name: (category, sub) for category in folder.taxonomy.categories for sub in category.subcategories}
    if name not in known:
        raise unknown("subcategory", wanted, known, see="See them with: akb ls tasks")
    return known[name]
