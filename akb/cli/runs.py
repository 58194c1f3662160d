"""akb runs: the runs that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from akb.cli import options


def runs(
    folder: Annotated[Path | None, typer.Argument(help="A run, or a folder with runs [default: runs/]")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of run.json instead.")] = False,
    json: options.Json = False,
) -> None:
    """List runs with their accuracy; for a single run's folder, its table."""
    from akb import records, report
    from akb.errors import AkbError
    from akb.run import Run
    from akb.settings import load

    if schema:
        report.print_json(records.Manifest.model_json_schema(by_alias=True))
        return
    base = folder if folder is not None else load().runs
    if not base.is_dir():
        raise AkbError("there is no such folder", where=str(base), fix="Runs are made by: akb eval")
    if (base / records.MANIFEST).is_file():
        run = Run.load(base)
        report.print_json(run.to_dict()) if json else report.show(report.run_table(run))
        return
    found = [_row(path.parent) for path in sorted(base.rglob(records.MANIFEST))]
    if json:
        report.print_json(found)
        return
    columns = ["model", "task", "protocol", "n", "accuracy", "95 % interval", "not readable", "status", "path"]
    report.show(report.listing(columns, [_cells(row) for row in found]))


def _cells(row: dict[str, Any]) -> list[object]:
    from akb.report import percent

    head = [row.get(name, "") for name in ("model", "task", "protocol")]
    numbers: list[object] = ["", "", "", ""]
    if "n" in row:
        between = f"{percent(row['low'])}-{percent(row['high'])}"
        numbers = [row["n"], percent(row["accuracy"]), between, percent(row["not_ok"])]
    return [*head, *numbers, row["status"], row["path"]]


def _row(path: Path) -> dict[str, Any]:
    """A run in one line; one that cannot be read says why, and hides no other. Shares are from 0 to 1."""
    from akb import files, records
    from akb.errors import AkbError
    from akb.run import Run

    try:
        run = Run.load(path)
        m = run.manifest
        told = {"model": m.model, "task": m.task, "protocol": m.protocol, "status": m.status, "path": str(path)}
        if m.status == "running":
            asked, answered = (_lines(path / name) for name in (records.TRIALS, records.RESPONSES))
            state = "running" if files.is_written_to(path) else "interrupted"
            return {**told, "status": f"{state}: {answered} responses, {asked} questions"}
        whole = run.summary.rows[0]
        numbers = ("n", "accuracy", "low", "high", "chance", "not_ok")
        return {**told, **{name: getattr(whole, name) for name in numbers}}
    except AkbError as error:
        return {"status": f"cannot be read: {error.what}", "path": str(path)}


def _lines(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)
