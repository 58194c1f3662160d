"""akb bank check and agreement: what holds of a bank, and how far its readers agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options
from akb.cli.bank.places import Places
from akb.errors import EXIT_ERROR, AkbError

if TYPE_CHECKING:
    from akb.bank.balance import Gate
    from akb.bank.readings import Agreement

DETAILS = 20  # of a gate, that are shown


def check(
    places: Places = None,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", help="A file of other people's questions, none of which may be in the bank."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Hold a bank to its gates: nothing but knowledge may lead to a key.

    What akb validate looks at in each question is not looked at again. A gate that does not hold ends with exit code 2.
    """
    from dataclasses import asdict

    from akb import report
    from akb.bank.gates import hold
    from akb.cli.bank.places import items_of, questions_of

    items = items_of(places)
    found = hold(items, {path.name: questions_of(path) for path in against or []})
    if json:
        report.print_json({"items": len(items), "gates": [asdict(gate) for gate in found]})
    else:
        _show(found, len(items))
    if any(gate.passed is False for gate in found):
        raise typer.Exit(EXIT_ERROR)


def agreement(
    logs: Annotated[
        list[Path] | None, typer.Argument(help="Logs of readings (JSONL) [default: akb-open's reviews].")
    ] = None,
    json: options.Json = False,
) -> None:
    """Tell how far blind readers agree with the keys and with one another.

    raw: pairs of readings that are the same; kappa: Cohen's, the mean over pairs of readers,
    weighted by the items that both have read; AC1: Gwet's; alpha: Krippendorff's.
    """
    from dataclasses import asdict

    from akb import report
    from akb.bank import readings
    from akb.cli.bank.places import bank

    found = readings.read(logs or sorted((bank().path / "reviews").glob("*.jsonl")))
    if not found:
        raise AkbError("there are no readings", where="akb bank agreement")
    groups, by = list(readings.agreements(found)), list(readings.readers(found))
    if json:
        names = ("by", "readings", "key", "unclear")
        readers = [dict(zip(names, row, strict=True)) for row in by]
        shares = [{name: _known(value) for name, value in asdict(group).items()} for group in groups]
        report.print_json({"readers": readers, "agreement": shares})
        return
    rows = [(name, count, report.percent(key), report.percent(unclear)) for name, count, key, unclear in by]
    report.show(report.listing(("reader", "readings", "the key %", "not clear %"), rows))
    table = [_agreed(group) for group in groups]
    heads = ("", "item versions", "read twice", "the key %", "raw %", "95 % interval", "kappa", "AC1", "alpha")
    report.show(report.listing(heads, table, "\nagreement of readers"))


def _known(value: Any) -> Any:
    """None in place of NaN, which JSON has not."""
    if isinstance(value, tuple):
        return [_known(one) for one in value]
    return None if value != value else value


def _agreed(group: Agreement) -> tuple[object, ...]:
    from akb import report

    beyond = ("-" if value != value else f"{value:.3f}" for value in (group.cohen, group.gwet, group.krippendorff))
    low, high = group.interval
    shares = (report.percent(group.key), report.percent(group.raw), f"{report.percent(low)}-{report.percent(high)}")
    return (group.name, group.items, group.twice, *shares, *beyond)


def _show(found: list[Gate], count: int) -> None:
    from akb import report

    marks = {True: "holds", False: "DOES NOT HOLD", None: ""}
    rows = [(gate.name, gate.figure, gate.wanted, marks[gate.passed]) for gate in found]
    report.show(report.listing(("gate", "found", "wanted", ""), rows, f"{count} items"))
    for gate in found:
        if gate.details:
            more = len(gate.details) - DETAILS
            told = [*gate.details[:DETAILS], *([f"and {more} more (all with --json)"] if more > 0 else [])]
            report.show("\n".join([f"\n{gate.name}:", *(f"  {detail}" for detail in told)]))
