"""akb score: judge again what was recorded, asking nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akb.cli import options


def score(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    extraction: Annotated[str | None, typer.Option(help="Read replies by this rule, e.g. strict-letter.")] = None,
    normalise: Annotated[
        str | None, typer.Option(help="Length normalisation: none, tokens, characters, unconditional.")
    ] = None,
    also: Annotated[
        str | None, typer.Option(help="Judge replies by this rule as well: mmau-string-match, MMAU's official one.")
    ] = None,
    errata: Annotated[
        bool, typer.Option("--errata", help="Leave out questions that were found wrong since, in the version asked.")
    ] = False,
    policy: Annotated[
        str, typer.Option(help="What was not readable is: strict (wrong), chance, or excluded.")
    ] = "strict",
    save: Annotated[
        Path | None, typer.Option(help="Write the run, judged by the other rule, to this new folder.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Judge runs again from their records.

    Without a rule the run's own is used (by the code as it is now), and its outcomes are written anew. With another
    rule, or --errata, the run is left as it is: its table is printed under a name that says so, and kept only with
    --save.
    """
    from akb import report
    from akb.errors import AkbError
    from akb.records import read_manifest
    from akb.scoring import POLICIES, by_policy, errata_of, rescore

    if policy not in POLICIES:
        raise AkbError(f"no policy is called {policy!r}", fix=f"Wanted: {', '.join(POLICIES)}.")
    if save is not None and len(runs) > 1:
        raise AkbError("several runs cannot share one folder", where="--save")
    pairs = {"extraction": extraction, "normalise": normalise, "also": also}
    changes = {name: value for name, value in pairs.items() if value is not None}
    found = []
    for folder in runs:
        run = rescore(folder, changes, save, errata_of(read_manifest(folder)) if errata else None)
        if json:
            found.append({**run.to_dict(), "policy": policy, "by_policy": by_policy(run.summary, policy)})
            continue
        report.show(report.run_table(run))
        if policy != "strict":
            report.show(f"accuracy by policy {policy}: {report.percent(by_policy(run.summary, policy))}")
    if json:
        report.print_json(found)
