"""akb bank stats and gap: what a bank holds, and what a model does on public and on fresh items."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akb.cli import options
from akb.cli.bank.places import Only, Places


def stats(
    places: Places = None,
    only: Only = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture into this file (.png, .svg, .pdf).")] = None,
    json: options.Json = False,
) -> None:
    """Count what a bank holds: items by subcategory and kind, who looked at them, where their facts come from."""
    from dataclasses import asdict

    from akb import report
    from akb.bank import figures
    from akb.cli.bank.places import bank, items_of

    items = items_of(places, only)
    found = figures.figures(items, bank().taxonomy)
    if plot is not None:
        figures.plot(found, items, plot)
    if json:
        report.print_json(asdict(found))
        return
    rows = [
        ("  " * (line.level == "subcategory") + line.name, line.items, line.target, *line.kinds.values(),
         line.templates,
         " ".join(map(str, line.places)))
        for line in found.lines if line.items
    ]  # fmt: skip
    report.show(report.listing(("", "items", "target", *figures.KINDS, "templates", "keys at"), rows))
    for name, counts in (("looked at by", found.reviews), ("first source", found.sources)):
        report.show(f"{name}: " + ", ".join(f"{kind} {count}" for kind, count in counts.items()))
    report.show(
        f"median length: stem {found.stem:.0f}, option {found.option:.0f} characters; options that are numbers: "
        f"{found.numeric} items; in a later version than the first: {found.changed}"
    )


def gap(
    public: Annotated[Path, typer.Argument(help="Folder of a run on akb-open.")],
    fresh: Annotated[Path, typer.Argument(help="Folder of a run of the same model on akb-fresh.")],
    json: options.Json = False,
) -> None:
    """Compare a model on public and on fresh items of the same templates: a gap is a sign of memorisation.

    The interval takes templates as the sample, since items of one template are not independent.
    """
    from dataclasses import asdict

    from akb import report
    from akb.bank.memorising import compare
    from akb.run import Run

    found = compare(Run.load(public), Run.load(fresh))
    if json:
        report.print_json(asdict(found))
        return
    low, high = found.interval
    report.show(
        f"{found.templates} templates: public {report.percent(found.public)} % of {found.public_items}, fresh "
        f"{report.percent(found.fresh)} % of {found.fresh_items}\n"
        f"gap {100 * found.gap:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
    )
