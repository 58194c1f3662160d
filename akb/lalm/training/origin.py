"""Where the rows come from: their hash, and whether the recipe that is trained is the one by which they were made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from akb.errors import AkbError
from akb.files import explained_read, file_sha256
from akb.lalm.recipe import Recipe
from akb.strict import parse_json, read_text

REPORT = "report.json"
READ = (".jsonl", ".ndjson", ".json", ".parquet", ".arrow", "")  # files that rows are read from


def sha256(data: Path) -> str:
    """The hash of a file of rows, or of the names and hashes of a folder's."""
    with explained_read(data):
        if not data.is_dir():
            return file_sha256(data)
        files = sorted(file for file in data.rglob("*") if file.is_file() and file.suffix.lower() in READ)
        told = "\n".join(f"{file.relative_to(data).as_posix()}\t{file_sha256(file)}" for file in files)
    return hashlib.sha256(told.encode()).hexdigest()


def notes(data: Path, data_sha256: str, recipe: Recipe, name: str, include: Sequence[Path] = ()) -> tuple[str, ...]:
    """What is odd about rows that `akb lalm data` made, by the report beside them.

    Args:
        name: of the recipe by which they are made.
        include: folders of the user's, in which the pool of prompts may lie.

    Raises:
        AkbError: they were made for another backbone, with other prompts or in another way than the recipe says, or
            changed since; names what differs.
    """
    path = data.parent / REPORT
    if not path.is_file():
        return (f"there is no {REPORT} beside the data: how it was made is not known",)
    report = parse_json(read_text(path), str(path))
    if not isinstance(report, dict):
        raise AkbError("an object is wanted", where=str(path), fix=f"Make the data anew: akb lalm data {name} --fresh")
    faults = [f"{what} was {was} and is {now}" for what, was, now in _compared(report, recipe, include) if was != now]
    if report.get("train_sha256", data_sha256) != data_sha256:
        faults.append(f"{data.name} was changed since, or making it did not end")
    if faults:
        raise AkbError(f"the data was made otherwise than the recipe says: {'; '.join(faults)}", where=str(path),
                       fix=f"Make it anew: akb lalm data {name} --fresh. Or train on it as it is: --data {data}",
                       )  # fmt: skip
    return tuple(_odd(report, name))


def _compared(report: Mapping[str, Any], recipe: Recipe, include: Sequence[Path]) -> Iterator[tuple[str, str, str]]:
    """What, as it was, as it is; of what the report tells."""
    from akb.lalm.data.pool import find
    from akb.registry import Registry

    pool, data = find(recipe.data.prompts, Registry(include=tuple(include)).roots), recipe.data.model_dump(mode="json")
    now = {
        "backbone": recipe.backbone,
        "pool": {"name": pool.name, "version": pool.version, "sha256": pool.sha256},
        "generation": data["generation"],
        "marks": [recipe.prompt.start, recipe.prompt.end],
        "manifests": data["manifests"],
    }
    for name, value in now.items():
        if name in report:
            yield name, json.dumps(report[name]), json.dumps(value)


def _odd(report: Mapping[str, Any], name: str) -> Iterator[str]:
    """What the user should know of rows that suit."""
    if (writer := report.get("writer")) != report.get("backbone"):
        yield f"the responses are those of {writer}, not of the backbone {report.get('backbone')}"
    if limit := report.get("limit"):
        yield f"the data is of the first {limit:,} rows alone (akb lalm data --limit)"
    dropped = report.get("dropped")
    if missing := dropped.get("error") if isinstance(dropped, dict) else None:
        yield f"{missing:,} rows had no response and are not there; asked again by: akb lalm data {name}"
