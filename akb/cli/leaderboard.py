"""akb leaderboard: build, serve, add: boards made from runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akb.cli import options

app = typer.Typer(help="Boards made from runs: who may enter, what is computed, a site to read.", no_args_is_help=True)

Board = Annotated[Path, typer.Option("--board", "-b", help="The board's folder; it is made if it is not there.")]


@app.command()
def add(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    board: Board,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of the same model's run in the same column.")
    ] = False,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """Check runs, and let them into a board: all of them, or none.

    A run must be finished, whole and undamaged, no control, and asked the same items in the same way as the others of
    its column. What is merely notable is told as a flag.
    """
    from akb import report
    from akb.leaderboards import admission

    done = admission.add(board, runs, options.registry(include), replace=replace)
    if json:
        told = [
            {"model": one.entry.model, "column": one.entry.column.key, "n": len(one.entry.answers.ids),
             "path": str(one.path), "replaced": one.replaced, "flags": one.flags}
            for one in done
        ]  # fmt: skip
        report.print_json(told)
        return
    rows = [
        (one.entry.model, one.entry.column.key, len(one.entry.answers.ids), "replaced" if one.replaced else "added",
         "; ".join(one.flags))
        for one in done
    ]  # fmt: skip
    report.show(report.listing(("model", "column", "n", "", "flags"), rows))


@app.command()
def build(
    board: Annotated[Path, typer.Argument(help="The board's folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The site's folder.")],
    formats: Annotated[
        list[str] | None,
        typer.Option("--formats", "-f", help="Also: md, latex, csv, json, dataset; into OUT/exports."),
    ] = None,
    correlate: Annotated[
        str, typer.Option(help="For the correlation page: a CSV with scores of models, or akb-paper.")
    ] = "",
    draws: Annotated[int, typer.Option(min=100, help="Draws of each bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """Compute a board from its entries, and write a site that can be read without a server."""
    from akb import report
    from akb.leaderboards import exports, sitedata
    from akb.leaderboards.entries import Store

    store = Store(board)
    wanted = options.split_names(formats)
    exports.check(wanted)
    registry = options.registry(include)
    made = sitedata.build(store, out, registry, draws=draws, seed=seed, correlate=correlate)
    files = exports.write(made, wanted, out / "exports") if wanted else []
    if json:
        report.print_json(made)
        return
    for column in made["columns"]:
        rows = [
            (exports.rank(found), model["name"], f"{100 * found['accuracy']:.1f}",
             f"{100 * found['low']:.1f}-{100 * found['high']:.1f}", "; ".join(found["flags"]))
            for model, found in exports.ranked(made, column["key"])
        ]  # fmt: skip
        report.show(report.listing(("rank", "model", "acc. %", "95 % interval", "flags"), rows, title=column["key"]))
    report.show("\n".join([f"site: {out / 'index.html'}", *(f"export: {path}" for path in files)]))


@app.command()
def serve(
    site: Annotated[Path, typer.Argument(help="A folder made by: akb leaderboard build")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8008,
) -> None:
    """Show a site to this machine alone, until Ctrl-C."""
    from akb.leaderboards.serving import serve as run

    run(site, port)
