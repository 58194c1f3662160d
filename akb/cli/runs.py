"""akb runs: the runs that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akb.cli import options


def runs(
    folder: Annotated[Path | None, typer.Argument(help="A run, or a folder with runs [default: runs/]")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of run.json instead.")] = False,
    json: options.Json = False,
) -> None:
    """List runs with their accuracy; for a single run's folder, its table."""
    from akb import records
    from akb.cli import tables
    from akb.errors import AkbError
    from akb.run import Run
    from akb.settings import load

    if schema:
        tables.print_json(records.Manifest.model_json_schema(by_alias=True))
        return
    base = folder if folder is not None else load().runs
    if not base.is_dir():
        raise AkbError("there is no such folder", where=str(base), fix="Runs are made by: akb eval")
    if (base / records.MANIFEST).is_file():
        run = Run.load(base)
        tables.print_json(run.to_dict()) if json else tables.show(tables.run_table(run))
        return
    found = [_row(path.parent) for path in sorted(base.rglob(records.MANIFEST))]
    if json:
        tables.print_json(found)
        return
    columns = ["model", "task", "protocol", "n", "accuracy", "95 % interval", "not readable", "status", "folder"]
    tables.show(tables.listing(columns, [[row[name] for name in columns] for row in found]))


def _row(path: Path) -> dict[str, object]:
    """A run in one line; one that cannot be read says why, and hides no other."""
    from akb.cli.tables import percent
    from akb.errors import AkbError
    from akb.run import Run

    empty = dict.fromkeys(("model", "task", "protocol", "n", "accuracy", "95 % interval", "not readable"), "")
    try:
        run = Run.load(path)
        m = run.manifest
        told: dict[str, object] = {"model": m.model, "task": m.task, "protocol": m.protocol, "status": m.status}
        if m.status != "finished":
            return {**empty, **told, "folder": str(path)}
        whole = run.summary.rows[0]
        numbers = {
            "n": whole.n,
            "accuracy": percent(whole.accuracy),
            "95 % interval": f"{percent(whole.low)} - {percent(whole.high)}",
            "not readable": percent(whole.not_ok),
        }
        return {**told, **numbers, "folder": str(path)}
    except AkbError as error:
        return {**empty, "status": f"cannot be read: {error.what}", "folder": str(path)}
