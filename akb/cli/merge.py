"""akb merge: one run out of its shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akb.cli import options


def merge(
    shards: Annotated[
        list[Path],
        typer.Argument(help="The shards' folders; or the folder of the run without --shard, beside which they lie."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The merged run's folder [default: the shards', less .shard-*].")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", "--replace", help="Replace the run that is there.")] = False,
    json: options.Json = False,
) -> None:
    """Put a run's shards together. E.g. akb merge runs/akb-tiny/akb-open.akb-v1.1a2b3c4d.shard-*

    The shards are those of `akb eval --shard 1/4 ...` to `4/4`; they stay as they are. The merged run is what the
    command without --shard would have made, and the same command finds it.
    """
    from akb import report
    from akb.merging import merge

    run, new = merge(shards, out, fresh=fresh)
    if json:
        report.print_json(run.to_dict())
        return
    if not new:
        report.show("The merged run is there already; nothing was written.\n")
    report.show(report.run_table(run))
