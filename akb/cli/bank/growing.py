"""akb bank compute and admit: candidates from templates, and candidates that become items."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from akb.cli import options
from akb.cli.bank.places import Places
from akb.errors import AkbError


def compute(
    out: Annotated[Path, typer.Argument(help="Folder for the candidates, a file a subcategory.")],
    places: Places = None,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    json: options.Json = False,
) -> None:
    """Make candidates from all templates, as many as each gives a bank, about nothing that the bank asks already."""
    from datetime import date

    from akb import report
    from akb.bank.admitting import line
    from akb.bank.making import candidates
    from akb.cli.bank.places import items_of, names_used
    from akb.files import explained, write_whole
    from akb.tasks.items import Item, read_items

    if out.exists() and not out.is_dir():
        raise AkbError("this is a file; a folder is wanted", where=str(out))
    old = [item for _, item in read_items(sorted(out.glob("*.jsonl")))] if out.is_dir() else []
    made = candidates(seed, [*items_of(places), *old], date.today(), taken=names_used(places))
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in (*old, *made):
        groups[item.subcategory].append(item)
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    for name, items in groups.items():
        write_whole(out / f"{name}.jsonl", map(line, items))
    told = {"candidates": len(made), "subcategories": len({item.subcategory for item in made}), "folder": str(out)}
    if json:
        report.print_json(told)
    else:
        report.show(f"{len(made)} computed candidates were written to {out}")


def admit(
    files: Annotated[list[Path], typer.Argument(help="Files of candidates.")],
    log: Annotated[
        list[Path] | None,
        typer.Option(
            "--log", help="A log of readings that count as reviews, of akb bank verify or review. May be repeated."
        ),
    ] = None,
    into: Annotated[Path | None, typer.Option(help="The bank's folder [default: akb-open].")] = None,
    json: options.Json = False,
) -> None:
    """Make candidates items of a bank: what is proved, or was read blind by two who agree with the key.

    They get an id for good and a place for their key; the logs of readings follow them, and what was read of them in
    those named by --log is copied into the bank's reviews/. The rest stays where it is. A command that was cut off is
    finished by giving it again.
    """
    from akb import report
    from akb.bank import admitting
    from akb.cli.bank.places import bank

    found = admitting.admit(into or bank().path, files, log or [])
    if json:
        report.print_json({"admitted": {old: new.id for old, new in found.admitted.items()}, "refused": found.refused})
        return
    for name, why in found.refused.items():
        report.show(f"not admitted: {name}: {why}")
    report.show(f"{len(found.admitted)} items admitted, {len(found.refused)} not")
