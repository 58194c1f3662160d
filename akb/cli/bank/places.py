"""Which items a command means: those of tasks' folders and of files in the bank's format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akb.cli import options
from akb.errors import AkbError, unknown

if TYPE_CHECKING:
    from akb.tasks.folder import Folder
    from akb.tasks.items import Item
    from akb.types import Question

Places = Annotated[
    list[Path] | None,
    typer.Argument(help="Tasks' folders or JSONL files in the bank's format [default: akb-open]."),
]
Only = Annotated[
    list[str] | None, typer.Option("--only", help="A category, a subcategory or an item's id. May be repeated.")
]


def bank() -> Folder:
    """akb's own bank."""
    return options.registry(None).folders["akb-open"]


def items_of(places: list[Path] | None, only: list[str] | None = None) -> list[Item]:
    """The items of all places, or those of a category, subcategory or id.

    Raises:
        AkbError: there are none, or a file is damaged.
    """
    from akb.tasks.folder import Folder
    from akb.tasks.items import read_items

    files: list[Path] = []
    for place in places or [bank().path]:
        files += Folder.read(place).data_files if place.is_dir() else [place]
    wanted = {name.replace("_", "-").casefold() for name in only or []}
    items = [item for _, item in read_items(files) if not wanted or wanted & {item.category, item.subcategory, item.id}]
    if not items and wanted:
        named = {part for _, item in read_items(files) for part in (item.category, item.subcategory, item.id)}
        raise unknown("category, subcategory or item", ", ".join(only or []), named)
    if not items:
        raise AkbError("there are no items", where=", ".join(map(str, files)) or "akb bank")
    return items


def names_used(places: list[Path] | None) -> list[str]:
    """Ids that were given in banks' folders besides those of their items: in the logs of readings, and of what was
    dropped. A candidate's is never given again, for a reading may name it.

    Raises:
        AkbError: a file is damaged.
    """
    from akb.strict import read_jsonl

    found: list[str] = []
    for place in {path.resolve() for path in (bank().path, *(places or [])) if path.is_dir()}:
        found += [str(row.get("item")) for log in place.glob("reviews/*.jsonl") for _, row in read_jsonl(log)]
        dropped = [row.get("item") for log in place.glob("dropped.jsonl") for _, row in read_jsonl(log)]
        found += [str(item.get("id")) for item in dropped if isinstance(item, dict)]
    return found


def questions_of(path: Path) -> list[Question]:
    """The questions of a file of any shape that tasks read."""
    from akb.tasks.items import Fields, question_from, read_records

    rows = enumerate(read_records(path), 1)
    return [question_from(row, Fields(), where, number) for number, (where, row) in rows]
