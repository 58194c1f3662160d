"""akb bank release: card, metadata and hashes of a version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akb.cli import options
from akb.errors import AkbError


def release(
    version: Annotated[str, typer.Option(help="Of the bank, e.g. 0.2.0.")],
    place: Annotated[Path | None, typer.Argument(help="The bank's folder [default: akb-open].")] = None,
    run: Annotated[
        list[Path] | None, typer.Option("--run", help="A baseline's run on the whole bank, for the card.")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", help="A file of other people's questions, none of which may be in the bank."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Release a bank under a version: every question is validated, every gate must hold, and then card, metadata and
    hashes are written.

    What the card says beside figures is taken from card-notes.md.
    """
    from datetime import date

    from akb import report
    from akb.bank import releasing
    from akb.bank.gates import hold
    from akb.cli.bank.places import bank, items_of, questions_of
    from akb.run import Run
    from akb.tasks.folder import Folder
    from akb.validation import check_content

    folder = Folder.read(place) if place is not None else bank()
    if errors := check_content(folder.path).errors:
        first = "; ".join(f"{error.where}: {error.what}" for error in errors[:3])
        raise AkbError(f"{len(errors)} errors: {first}", where=str(folder.path), fix="See: akb validate")
    items = items_of([folder.path])
    gates = hold(items, {path.name: questions_of(path) for path in against or []})
    contents = releasing.Contents(folder, items, gates, [Run.load(path) for path in run or []])
    made = releasing.write(contents, version, date.today())
    if json:
        report.print_json(made.model_dump(mode="json"))
    else:
        report.show(f"{made.name} {made.version}: {made.items} items, {len(made.files)} files, in {folder.path}")
