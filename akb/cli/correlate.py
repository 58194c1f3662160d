"""akb correlate: does one score foretell another, and how surely?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akb.cli import options
from akb.errors import AkbError

if TYPE_CHECKING:
    from akb.columns import Columns
    from akb.correlating import Pair, Report
    from akb.stats.decision import Regret


def correlate(
    runs: Annotated[list[Path] | None, typer.Argument(help="Folders of runs, as many as there are.")] = None,
    board: Annotated[str | None, typer.Option(help="A board instead: akb-paper, or a folder.")] = None,
    table: Annotated[Path | None, typer.Option(help="A CSV instead, a line a model.")] = None,
    x: Annotated[
        list[str] | None, typer.Option("--x", help="The predictor: akb-open, or a CSV's column. May be repeated.")
    ] = None,
    y: Annotated[list[str] | None, typer.Option("--y", help="The outcome, e.g. mmau@audio. May be repeated.")] = None,
    control: Annotated[
        list[str] | None, typer.Option(help="A score to hold constant, e.g. mmlu. May be repeated.")
    ] = None,
    family: Annotated[str | None, typer.Option(help="The CSV's column of families [default: family].")] = None,
    size: Annotated[str | None, typer.Option(help="The CSV's column of sizes [default: params_b].")] = None,
    items: Annotated[
        list[str] | None, typer.Option(help="COLUMN=N: the CSV's column is per cent of N questions. May be repeated.")
    ] = None,
    backbone: Annotated[
        list[str] | None, typer.Option(help="LALM=BACKBONE: the two are one model here. May be repeated.")
    ] = None,
    among: Annotated[int, typer.Option(min=2, help="Candidates at hand in the decision.")] = 4,
    plot: Annotated[Path | None, typer.Option(help="Draw the pairs into this file (.png, .svg, .pdf).")] = None,
    heat: Annotated[Path | None, typer.Option(help="Draw all columns against one another into this file.")] = None,
    draws: Annotated[int, typer.Option(min=100, help="Of each bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of bootstraps and permutations.")] = 0,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """Correlate scores across models, with what a bare r hides: intervals, exact p adjusted for the number of claims,
    single models and families left out, size and other scores held constant, noise, power, and the points that are
    lost when a backbone is chosen by each predictor."""
    from akb import correlating, plotting, report

    if sum(source is not None for source in (runs or None, board, table)) != 1:
        raise AkbError("one source is wanted", fix="Give folders of runs, or --board NAME, or --table FILE.")
    if table is None and (family or size or items):
        raise AkbError("--family, --size and --items are for --table")
    if backbone and not runs:
        raise AkbError("--backbone is for runs")
    found = _columns(runs, board, table, [*(x or ()), *(y or ()), *(control or ())], family, size,
                     _pairs_of(items, "--items"), _pairs_of(backbone, "--backbone"), include)  # fmt: skip
    pairs = _wanted(found, x or [], y or [])
    told = correlating.report(found, pairs, control or [], among, draws, seed)
    if plot is not None:
        plotting.scatter(found, told.pairs, plot)
    if heat is not None:
        names = list(dict.fromkeys([*(n for pair in pairs for n in pair), *(control or ())]))
        plotting.heat(found, names if x or board else list(found.columns), heat)
    report.print_json(told.to_dict()) if json else _show(told)


def _pairs_of(values: list[str] | None, option: str) -> dict[str, str]:
    found = {}
    for value in values or []:
        name, equals, other = value.partition("=")
        if not (name and equals and other):
            raise AkbError(f"{value!r} is not of the form NAME=VALUE", where=option)
        found[name] = other
    return found


def _columns(
    runs: list[Path] | None, board: str | None, table: Path | None, names: list[str], family: str | None,
    size: str | None, items: dict[str, str], backbones: dict[str, str], include: list[Path] | None,
) -> Columns:  # fmt: skip
    from akb import columns

    if board is not None:
        return columns.board(board, include or ())
    if table is not None:
        wrong = [value for value in items.values() if not value.isdecimal() or int(value) == 0]
        if wrong:
            raise AkbError(f"a number of questions is wanted, found {wrong[0]!r}", where="--items")
        return columns.from_csv(table, family, size, {name: int(value) for name, value in items.items()})
    if not names:
        raise AkbError("which scores?", fix="Give --x and --y, e.g. --x akb-open --y mmau@audio")
    return columns.from_runs(runs or [], names, backbones, include or ())


def _wanted(found: Columns, x: list[str], y: list[str]) -> list[tuple[str, str]]:
    """The pairs asked for: each x with each y; of a board without these, the published ones."""
    if not x and not y and found.printed:
        return list(found.printed)
    if not x or not y:
        raise AkbError("which scores?", fix=f"Give --x and --y; there are: {', '.join(found.columns)}")
    pairs = [(one, other) for other in y for one in x if one != other]
    if not pairs:
        raise AkbError(f"{x[0]} with itself says nothing", fix=f"There are: {', '.join(found.columns)}")
    once: dict[frozenset[str], tuple[str, str]] = {}
    for pair in pairs:
        once.setdefault(frozenset(pair), pair)
    return list(once.values())


def _show(told: Report) -> None:
    from akb import report
    from akb.correlating import sentence, verdict

    report.show(f"{told.title}{': ' + told.source if told.source else ''}\n")
    _show_pairs(told)
    _show_more(told)
    _show_choices(told)
    report.show("")
    for pair in told.pairs[:3] if len(told.pairs) > 10 else told.pairs:
        report.show(f"{pair.x} ~ {pair.y}. {sentence(pair)}")
    report.show("")
    lines = [verdict(told.pairs)]
    lines += [
        f"{p.x} ~ {p.y}: printed {p.printed:.2f}, but the tables give {p.pearson.value:.4f}"
        for p in told.pairs if p.differs
    ]  # fmt: skip
    warned: dict[str, list[str]] = {}
    for pair in told.pairs:
        for warning in pair.warnings:
            warned.setdefault(warning, []).append(f"{pair.x} ~ {pair.y}")
    for warning, where in warned.items():
        few = f"{len(where)} pairs" if len(where) > 2 else ", ".join(where)
        of = "" if len(where) == len(told.pairs) else f" ({few})"
        lines.append(f"mind: {warning}{of}")
    if any(pair.shares for pair in told.pairs):
        lines.append(
            "mind: true r assumes independent errors; for pairs marked * the questions are the same, so it is too high"
        )
    lines += [f"note: {note}" for note in told.notes]
    report.show("\n".join(line for line in lines if line))


def _show_pairs(told: Report) -> None:
    from akb import report
    from akb.correlating import between, decimals

    rows = [
        (f"{p.x} ~ {p.y}", p.n, decimals(p.printed), decimals(p.pearson.value, 4),
         between(p.pearson.low, p.pearson.high), between(p.bca.low, p.bca.high), _p(p.pearson.p), _p(p.p_holm),
         decimals(p.spearman.value),
         between(p.spearman.low, p.spearman.high), decimals(p.kendall.value))
        for p in told.pairs
    ]  # fmt: skip
    head = ("", "n", "printed", "r", "95 % Fisher", "95 % BCa", "p", "p Holm", "Spearman", "95 %", "Kendall")
    keep = [i for i in range(len(head)) if i != 2 or any(p.printed is not None for p in told.pairs)]
    report.show(report.listing([head[i] for i in keep], [[row[i] for i in keep] for row in rows]))


def _p(value: float | None) -> str:
    from akb.correlating import p_text

    return p_text(value, 4).removeprefix("= ")


def _show_more(told: Report) -> None:
    """What r hangs on."""
    from akb import report
    from akb.correlating import between, decimals

    controls = list(dict.fromkeys(name for pair in told.pairs for name in pair.partial))

    def row(p: Pair) -> list[str]:
        model, of = p.without_model, p.without_family
        given = [f"{decimals(q.r)} ({_p(q.p)})" if (q := p.partial.get(name)) else "-" for name in controls]
        spread = (p.joint.items_low, p.joint.items_high) if p.joint else p.noise
        return [
            f"{p.x} ~ {p.y}", between(model.low, model.high) if model else "-",
            f"{between(of.low, of.high)} (least: {of.low_without})" if of else "-",
            decimals(p.within.r) if p.within else "-", *given, between(*spread) if spread else "-",
            decimals(p.disattenuated) + "*" * p.shares, decimals(p.smallest), decimals(p.needed),
            *([between(p.joint.low, p.joint.high)] if p.joint else []),
        ]  # fmt: skip

    head = ["", "less a model", "less a family", "within families", *(f"given {name} (p)" for name in controls),
            "by questions alone", "true r", "significant from", "80 % power at"]  # fmt: skip
    if any(p.joint for p in told.pairs):
        head.append("95 % models and questions")
    report.show("")
    report.show(report.listing(head, [row(p) for p in told.pairs]))


def _show_choices(told: Report) -> None:
    from akb import report
    from akb.correlating import decimals

    for choice in told.choices:
        rows = [
            (g.predictor, f"{g.points:.2f}", _points(g.low, g.high), *_saved(g),
             report.percent(g.best))
            for g in choice.regrets
        ]  # fmt: skip
        report.show(f"\nchoosing the best for {choice.title} among {choice.among} of these {choice.n}, in points:")
        report.show(report.listing(("by", "lost", "95 %", "better than chance", "95 %", "best taken %"), rows))
    if told.rivals:
        report.show("\nwhich predictor is better? (Williams' test; p not adjusted)")
        cells = [(r.y, r.first, decimals(r.r_first), r.second, decimals(r.r_second), f"{r.test.t:+.2f}", _p(r.test.p))
                 for r in told.rivals]  # fmt: skip
        report.show(report.listing(("outcome", "first", "r", "second", "r", "t", "p"), cells))


def _points(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}" if low == low else "-"


def _saved(found: Regret) -> tuple[str, str]:
    if found.predictor == "chance":
        return "-", "-"
    return f"{found.saved:+.2f}", _points(found.saved_low, found.saved_high)
