"""akb cascade matrix: every captioner with every reader, the controls beside them, what explains the differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options
from akb.errors import EXIT_INCOMPLETE, AkbError

if TYPE_CHECKING:
    from akb.cascades.captions import Captions
    from akb.cascades.matrix import Matrix, Said, Share, Test
    from akb.cli.carrying import Carrying
    from akb.plan import RunConfig
    from akb.registry import Registry, Selection
    from akb.run import Run
    from akb.types import Clip

WHERE = "akb cascade matrix"

app = typer.Typer(
    help="Cascades: a captioner describes, a text model answers.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def _cascade() -> None:
    """Cascades: a captioner describes, a text model answers."""


@app.command()
def matrix(
    captioners: Annotated[
        list[str] | None,
        typer.Option(
            "--captioners", "--with", "-w", help="Who describes: names, or files of captions, with commas between."
        ),
    ] = None,
    readers: Annotated[
        list[str] | None,
        typer.Option("--readers", "--model", "-m", help="Who answers: models' names, with commas between."),
    ] = None,
    task: options.Tasks = None,
    protocol: options.ProtocolName = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="Only the first so many questions.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of option orders, sampling and draws [default: 0].")] = None,
    data: options.Data = None,
    set_: options.Set = None,
    include: options.Include = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do not use earlier responses.")] = False,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", min=0.0, help="Stop before all of it has cost so many US dollars.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell each run's requests, tokens and cost; ask nobody.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Every captioner with every reader. E.g. akb cascade matrix --captioners acoustic,gemini --readers a,b --task mmau

    Beside the captioners stand the controls: the question only, the options only, another item's caption. Captions are
    made once and used by all readers. Interrupted, it goes on where it was when given again.
    """
    from akb import report
    from akb.cascades.settings import check_named

    registry = options.registry(include)
    names = options.split_names(task)
    if not names:
        raise AkbError("no task is named", where=WHERE, fix="E.g. --task mmau; see them with: akb ls tasks")
    described_by = _by_name("captioner", options.split_names(captioners), registry)
    asked = _by_name("reader", options.split_names(readers), registry)
    given = {"protocol": protocol, "limit": limit, "seed": seed, "data": data}
    check_named(registry, described_by.values(), options.settings(set_)["captioner"])
    configs = {name: options.run_config(WHERE, options.settings(set_), task=names, model=typed, **given)
               for name, typed in asked.items()}  # fmt: skip
    if dry_run:
        _dry_run(configs, described_by, registry, json)
        return
    found = list(_matrices(configs, described_by, _carrying(registry, max_cost, cache=not no_cache, quiet=json)))
    if json:
        report.print_json([one.to_dict() for one in found])
    else:
        for one in found:
            _show(one)
    if any(one.incomplete for one in found):
        raise typer.Exit(EXIT_INCOMPLETE)


# -- carrying out --------------------------------------------------------------------------------------------------


def _by_name(kind: str, typed: list[str], registry: Registry) -> dict[str, str]:
    """What was typed, by the name that stands in the table.

    Raises:
        AkbError: none, one twice, or a name that means nothing.
    """
    if not typed:
        see = "captioners" if kind == "captioner" else "models"
        raise AkbError(f"no {kind} is named", where=WHERE, fix=f"E.g. --{kind}s A,B; see them with: akb ls {see}")
    found: dict[str, str] = {}
    for one in typed:
        name = (registry.cascades.card(one) if kind == "captioner" else registry.card(one)).name
        if name in found:
            raise AkbError(f"two {kind}s are called {name}: {found[name]} and {one}", where=f"--{kind}s",
                           fix="Name each once; give files of captions different names.")  # fmt: skip
        found[name] = one
    return found


def _carrying(registry: Registry, most: float | None, *, cache: bool, quiet: bool) -> Carrying:
    from akb.calling import Budget
    from akb.cli.carrying import Carrying

    return Carrying(registry, budget=None if most is None else Budget(most), cache=cache, quiet=quiet, bare=True)


def _matrices(configs: Mapping[str, RunConfig], captioners: Mapping[str, str], carrying: Carrying) -> Iterator[Matrix]:
    """A table for each task: first all captions, so that a captioner's model is loaded once, then reader by reader."""
    from akb.cascades.matrix import Matrix, rows

    first = next(iter(configs.values()))
    selections = carrying.registry.select(first.task)
    clips = {one.label: _clips(first, captioners, one, carrying.registry) for one in selections}
    for config in configs.values():
        _check(config, carrying.registry)
    captions: dict[tuple[str, str], Captions] = {}
    for name, typed in captioners.items():
        for task, own in clips.items():
            captions[task, name] = carrying.describing.captions(typed, own, first.captioner_args)
    runs: dict[str, dict[tuple[str, str], Run]] = {task: {} for task in clips}
    for reader, config in configs.items():
        for task, row, run in _runs(rows(config, captioners), carrying):
            runs[task][row, reader] = run
    for task, own in clips.items():
        by_name = {name: captions[task, name] for name in captioners}
        yield Matrix(task, tuple(captioners), tuple(configs), runs[task], by_name, own, first.seed)


def _clips(config: RunConfig, captioners: Mapping[str, str], selection: Selection, registry: Registry) -> list[Clip]:
    """Every clip of a task that is described in any row: with another item's caption also those beyond a limit."""
    from akb.cascades.matrix import rows
    from akb.evaluation import unmanned

    heard = [unmanned(one, registry, selection) for one in rows(config, dict(list(captioners.items())[:1])).values()]
    found = {clip.sha256: clip for plan in heard for clip in plan.clips()}
    if not found:
        raise AkbError("no question has audio at hand", where=f"task {selection.label}",
                       fix="Get a benchmark's audio with akb fetch, or name its folder with --data.")  # fmt: skip
    return list(found.values())


def _check(config: RunConfig, registry: Registry) -> None:
    """See to it that a reader can answer, before captions are made that it could not use."""
    from akb.engine import check_capabilities
    from akb.evaluation import plans
    from akb.types import MODEL

    for plan in plans(config.model_copy(update={"listen": "none"}), registry):
        trial = next(plan.trials())
        check_capabilities(f"reader {plan.model}", plan.parties[MODEL], plan.task.requests(trial, ()))


def _runs(configs: Mapping[str, RunConfig], carrying: Carrying) -> Iterator[tuple[str, str, Run]]:
    """(task, row, run) of one reader, whose model is loaded once for all rows."""
    from akb.evaluation import plans, unmanned

    for plan in plans(next(iter(configs.values())), carrying.registry):
        for row, config in configs.items():
            own = unmanned(config, carrying.registry, plan.selection)
            own = replace(own, model=plan.model, parties=plan.parties)
            yield plan.selection.label, row, carrying.one(own)


def _dry_run(configs: Mapping[str, RunConfig], captioners: Mapping[str, str], registry: Registry, json: bool) -> None:
    """What each run would ask and take."""
    from akb import report
    from akb.cascades.captions import Foreseen
    from akb.cascades.foreseeing import told as told_ahead
    from akb.cascades.matrix import rows
    from akb.cli.eval import foretold
    from akb.evaluation import foreseen, plans

    found, ahead = [], []
    for config in configs.values():
        for row, own in rows(config, captioners).items():
            for plan in (foreseen(plan, registry) for plan in plans(own, registry)):
                found.append({"heard": row, **foretold(plan, registry, "")})
                ahead += [plan.captions] if isinstance(plan.captions, Foreseen) else []
    if json:
        report.print_json(found)
        return
    columns = ("task", "model", "heard", "questions", "requests", "prompt tokens, about", "reply tokens, at most",
               "cost at most, $")  # fmt: skip
    report.show(report.listing(columns, [[one[name] for name in columns] for one in found]))
    captions, price = told_ahead(ahead)
    for line in captions:
        report.show(line)
    costs = [*(one["cost at most, $"] for one in found), price]
    if any(costs):
        missing = "" if None not in costs else ", without those whose price is not known"
        report.show(f"cost of all at most: ${sum(cost or 0 for cost in costs):.2f}{missing}")


# -- shown ---------------------------------------------------------------------------------------------------------

ABOUT = (
    "mean: over the readers, or over the captioners; without the controls. p: paired permutation of templates;\n"
    "Holm p: adjusted over the tests of one heading; differences are means over the other factor;\n"
    "key alone, other alone: captions that hold the words of that option and of no other; told apart: those of some\n"
    "options and not of all; gain: over the question only, of all other questions (looking for words is no help there)"
)
TESTS = ("first", "second", "points", "95 % interval", "p", "Holm p")
ABOUT_FACTORS = (
    "sd: of the true effects, sampling noise taken off; sum of squares: of accuracies in points, and how much of it\n"
    "sampling alone gives; share: of the three, noise taken off. Of these captioners and readers, not of others"
)


def _show(found: Matrix) -> None:
    from akb import report
    from akb.cascades.matrix import MEAN

    n, count = len(found.scores.items), len(set(found.scores.clusters))
    title = f"{found.task}: accuracy in %, with 95 % intervals; {n:,} questions, {count:,} templates"
    by_place = {(one.row, one.reader): one for one in found.shares()}
    rows = [*found.captioners, *[MEAN] * (len(found.captioners) > 1), *found.rows[len(found.captioners) :]]
    readers = [*found.readers, *[MEAN] * (len(found.readers) > 1)]
    lines = [(row or "mean", *(_cell(by_place[row, reader]) for reader in readers)) for row in rows]
    report.show(report.listing(("heard", *(reader or "mean" for reader in readers)), lines, title))
    _show_groups(found)
    tests = found.tests()
    for family in dict.fromkeys(test.family for test in tests):
        told = [_told(test) for test in tests if test.family == family]
        report.show(report.listing(TESTS, told, f"\n{family}"))
    _show_factors(found)
    columns = ("captioner", "clips", "said nothing", "refused", "without", "cut", "not to the end",
               "questions", "key alone %", "other alone %", "told apart %",
               "gain where not told apart", "p")  # fmt: skip
    report.show(report.listing(columns, [_said(one) for one in found.said], "\nthe captions"))
    report.show("\n" + "\n".join([ABOUT, *(f"note: {note}" for note in found.notes())]))


def _show_groups(found: Matrix) -> None:
    """By the benchmark's own categories; intervals of these are in --json."""
    from akb import report
    from akb.report import percent

    by_place: dict[tuple[str, str], dict[str, Share]] = {}
    for one in found.groups():
        by_place.setdefault((one.row, one.reader), {})[one.group] = one
    if not by_place:
        return
    whole = {(one.row, one.reader): one for one in found.shares()}
    first = next(iter(by_place.values()))
    names = [f"{name} (n {one.n:,})" for name, one in first.items() if name != "macro"]
    lines: list[tuple[str, ...]] = [
        (row or "mean", reader or "mean", _cell(whole[row, reader]), _cell(own["macro"]),
         *(percent(one.accuracy) for name, one in own.items() if name != "macro"))
        for (row, reader), own in by_place.items()
        if (row or len(found.captioners) > 1) and (reader or len(found.readers) > 1)
    ]  # fmt: skip
    title = "\nby the benchmark's groups (their intervals: --json)"
    report.show(report.listing(("heard", "reader", "all (micro)", "mean of groups (macro)", *names), lines, title))


def _show_factors(found: Matrix) -> None:
    from akb import report
    from akb.cascades.matrix import FACTORS
    from akb.report import percent

    if found.factors is None:
        return
    lines: list[tuple[str, ...]] = [
        (name, percent(one.sd), f"{percent(one.low)}-{percent(one.high)}", percent(one.share),
         f"{1e4 * one.observed:.1f}", f"{1e4 * one.noise:.1f}")
        for name, one in zip(FACTORS, found.factors, strict=True)
    ]  # fmt: skip
    columns = ("factor", "sd, points", "95 % interval", "share %", "sum of squares", "by sampling")
    report.show(report.listing(columns, lines, "\nhow much each factor explains"))
    report.show(ABOUT_FACTORS)


def _cell(one: Share) -> str:
    from akb.report import percent

    return f"{percent(one.accuracy)} ({percent(one.low)}-{percent(one.high)})"


def _told(test: Test) -> tuple[str, ...]:
    from akb.cascades.report import p_value, signed

    between = f"{signed(test.low)} to {signed(test.high)}"
    return (test.first, test.second, signed(test.difference), between, p_value(test.p), p_value(test.holm))


def _said(one: Said) -> tuple[Any, ...]:
    from akb.cascades.report import p_value, signed
    from akb.report import percent

    counts: tuple[Any, ...] = (one.clips, one.empty, one.refused, one.without, one.cut, one.partly, one.questions)
    found = (one.given_away, one.wrong_way, one.apart)
    leaks = [percent(count / one.questions if one.questions else None) for count in found]
    if one.gain is None or one.gain_low is None or one.gain_high is None or one.p is None:
        return (one.captioner, *counts, *leaks, "-", "-")
    gain = f"{signed(one.gain)} ({signed(one.gain_low)} to {signed(one.gain_high)})"
    return (one.captioner, *counts, *leaks, gain, p_value(one.p))
