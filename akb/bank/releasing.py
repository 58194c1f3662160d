"""A release of a bank: its card, its metadata, its hashes, under a version."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import jinja2

from akb.bank import croissant, readings
from akb.bank.balance import Gate
from akb.bank.figures import figures
from akb.errors import AkbError
from akb.files import file_sha256, write_whole
from akb.run import Run
from akb.strict import Strict, parse, read_text
from akb.tasks.folder import Folder
from akb.tasks.items import Item

CARD, METADATA, RELEASE, NOTES = "README.md", "croissant.json", "release.json", "card-notes.md"


class Release(Strict):
    """release.json.

    Attributes:
        files: sha256 of every data file, by its path in the folder.
    """

    name: str
    version: str
    date: str
    items: int
    files: dict[str, str]


@dataclass(frozen=True)
class Contents:
    """What a release tells.

    Attributes:
        gates: all of them, as they were found.
        runs: of baselines on the whole bank, to be shown on the card.
    """

    folder: Folder
    items: Sequence[Item]
    gates: Sequence[Gate]
    runs: Sequence[Run] = ()


def write(contents: Contents, version: str, day: date) -> Release:
    """Write card, metadata and hashes, and the version into task.yaml.

    Raises:
        AkbError: a gate does not hold, or this version has been released with other data.
    """
    folder, path = contents.folder, contents.folder.path
    _look_over(contents, version)
    files = hashes(folder)
    known = read(path)
    if known is not None and known.version == version and known.files != files:
        raise AkbError(f"version {version} was released on {known.date} with other data", where=str(path / RELEASE),
                       fix="Give this release a version of its own.")  # fmt: skip
    cite = _citation(folder, version, day)
    told = croissant.metadata(
        files, path, name=folder.file.name, title=folder.file.title, version=version, day=day.isoformat(), cite=cite
    )
    release = Release(
        name=folder.file.name, version=version, date=day.isoformat(), items=len(contents.items), files=files
    )
    task = path / "task.yaml"
    write_whole(task, re.sub(r"^version:.*$", f'version: "{version}"', read_text(task), count=1, flags=re.M))
    write_whole(path / METADATA, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    write_whole(path / CARD, card(contents, version, day, cite))
    write_whole(path / RELEASE, release.model_dump_json(indent=1) + "\n")
    return release


def _look_over(contents: Contents, version: str) -> None:
    """The version is one, every gate holds, and what runs are shown were asked these very questions."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise AkbError(f"{version!r} is no version", where="akb bank release", fix="Wanted: three numbers, e.g. 0.2.0.")
    failed = [f"{gate.name} {gate.figure} (wanted: {gate.wanted})" for gate in contents.gates if gate.passed is False]
    path = contents.folder.path
    if failed:
        raise AkbError("gates that do not hold: " + "; ".join(failed), where=str(path), fix="See: akb bank check")
    data = contents.folder.sha256(contents.folder.data_files)
    for run in contents.runs:
        asked, config = run.manifest.identity["task"].get("data_sha256"), run.manifest.config
        if asked != data:
            raise AkbError("this run was not asked the questions as they are now", where=str(run.path),
                           fix="Run it again.")  # fmt: skip
        whole = run.manifest.status == "finished" and run.summary.rows[0].n == len(contents.items)
        if not whole or config.get("control") != "none":
            raise AkbError("a finished run on the whole bank is wanted", where=str(run.path))


def read(path: Path) -> Release | None:
    """The release of a bank's folder; None if it has none yet."""
    file = path / RELEASE
    if not file.is_file():
        return None
    try:
        return parse(Release, json.loads(read_text(file)), str(file))
    except json.JSONDecodeError as error:
        raise AkbError(f"not valid JSON: {error.msg}", where=f"{file}:{error.lineno}") from None


def hashes(folder: Folder) -> dict[str, str]:
    """sha256 of every data file, by its path in the folder."""
    return {file.relative_to(folder.path).as_posix(): file_sha256(file) for file in folder.data_files}


def card(contents: Contents, version: str, day: date, cite: str) -> str:
    """The bank's card, which is a dataset card of the hub as well."""
    folder, items = contents.folder, contents.items
    found = figures(items, folder.taxonomy)
    logs = readings.read(sorted((folder.path / "reviews").glob("*.jsonl")))
    notes = folder.path / NOTES
    source = (Path(__file__).parent / "card.md.j2").read_text("utf-8")
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True).from_string(source)
    return template.render(
        name=folder.file.name,
        title=folder.file.title,
        version=version,
        day=day.isoformat(),
        items=len(items),
        size="1K<n<10K" if len(items) >= 1000 else "n<1K",
        fewshot=folder.file.fewshot,
        lines=found.lines,
        sources=_listed(found.sources),
        reviews=_listed(found.reviews),
        notes=read_text(notes).strip() if notes.is_file() else "",
        gates=contents.gates,
        agreement=list(readings.agreements(logs)) if logs else [],
        runs=[_shown(run) for run in contents.runs],
        percent=lambda share: f"{100 * share:.1f}",
        fine=lambda share: f"{100 * share:.2f}",
        cite=cite,
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _shown(run: Run) -> dict[str, Any]:
    rows = [row for row in run.summary.rows if row.level != "subcategory"]
    return {"model": run.manifest.model, "protocol": run.manifest.protocol, "rows": rows}


def _citation(folder: Folder, version: str, day: date) -> str:
    name = folder.file.name.replace("-", "")
    return (
        f"@misc{{{name}{day.year},\n  title  = {{{folder.file.title}}},\n  author = {{{{The akb authors}}}},\n"
        f"  year   = {{{day.year}}},\n  note   = {{Version {version}, CC BY 4.0}}\n}}"
    )
