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
DRAWN = {"filters", "descriptions", "per_clip", "seed"}  # which rows there are; changed, no answer is asked for twice
READ = (".jsonl", ".ndjson", ".json", ".parquet", ".arrow", "")  # files that rows are read from


def sha256(data: Path) -> str:
    """The hash of a file of rows, or of the names and hashes of a folder's."""
    with explained_read(data):
        if not data.is_dir():
            return file_sha256(data)
        files = sorted(file for file in data.rglob("*") if file.is_file() and file.suffix.lower() in READ)
        told = "\n".join(f"{file.relative_to(data).as_posix()}\t{file_sha256(file)}" for file in files)
    return hashlib.sha256(told.encode()).hexdigest()


def notes(
    data: Path, data_sha256: str, recipe: Recipe, name: str, include: Sequence[Path] = (), revision: str | None = None
) -> tuple[str, ...]:
    """What is odd about rows that `akb lalm data` made, by the report beside them.

    Args:
        name: of the recipe by which they are made.
        include: folders of the user's, in which the pool of prompts may lie.
        revision: of the backbone that is trained; None: not compared.

    Raises:
        AkbError: they were made for another backbone or another version of it, with other prompts, filters or seeds,
            or in another way than the recipe says, or changed since; names what differs.
    """
    path = data.parent / REPORT
    if not path.is_file():
        return (f"there is no {REPORT} beside the data: how it was made is not known",)
    report = parse_json(read_text(path), str(path))
    if not isinstance(report, dict):
        raise AkbError("an object is wanted", where=str(path), fix=f"Make the data anew: akb lalm data {name} --fresh")
    changed = [one for one in _compared(report, recipe, include, revision) if one[1] != one[2]]
    faults = [f"{what} was {was} and is {now}" for what, was, now in changed]
    if report.get("train_sha256", data_sha256) != data_sha256:
        faults.append(f"{data.name} was changed since, or making it did not end")
    if faults:
        fresh = "" if changed and {what for what, _, _ in changed} <= DRAWN else " --fresh"
        raise AkbError(f"the data was made otherwise than the recipe says: {'; '.join(faults)}", where=str(path),
                       fix=f"Make it anew: akb lalm data {name}{fresh}. Or train on it as it is: --data {data}",
                       )  # fmt: skip
    return tuple(_odd(report, recipe, name))


def _compared(
    report: Mapping[str, Any], recipe: Recipe, include: Sequence[Path], revision: str | None
) -> Iterator[tuple[str, str, str]]:
    """What, as it was, as it is; of what the report tells."""
    from akb.lalm.data import describing, filtering
    from akb.lalm.data.pool import find
    from akb.registry import Registry

    pool, data = find(recipe.data.prompts, Registry(include=tuple(include)).roots), recipe.data.model_dump(mode="json")
    now = {
        "backbone": recipe.backbone,
        "pool": {"name": pool.name, "version": pool.version, "sha256": pool.sha256},
        "generation": data["generation"],
        "marks": [recipe.prompt.start, recipe.prompt.end],
        "manifests": data["manifests"],
        "descriptions": describing.VERSION,
        "filters": {"version": filtering.VERSION, "names": list(filtering.chosen(recipe.data.filters))},
        "per_clip": recipe.data.per_clip,
        "seed": recipe.seeds.data,
    }
    for name, value in now.items():
        if name in report:
            yield name, json.dumps(report[name]), json.dumps(value)
    if revision is not None and report.get("revision") and report.get("writer") == report.get("backbone"):
        yield "the backbone's version", str(report["revision"]), revision


def _odd(report: Mapping[str, Any], recipe: Recipe, name: str) -> Iterator[str]:
    """What the user should know of rows that suit."""
    if (writer := report.get("writer")) != report.get("backbone"):
        yield f"the responses are those of {writer}, not of the backbone {report.get('backbone')}"
    if limit := report.get("limit"):
        yield f"the data is of the first {limit:,} rows alone (akb lalm data --limit)"
    rows = report.get("rows")
    made = rows.get("wanted") if isinstance(rows, dict) else None
    if isinstance(made, int) and not limit and made < (recipe.data.rows or 0):
        yield f"the data is of {made:,} rows, and the recipe's is of {recipe.data.rows:,}; more: akb lalm data {name}"
    dropped = report.get("dropped")
    if missing := dropped.get("error") if isinstance(dropped, dict) else None:
        yield f"{missing:,} rows had no response and are not there; asked again by: akb lalm data {name}"
