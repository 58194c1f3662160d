"""akb compare: models on the same questions, what their differences are worth, and where they differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options
from akb.errors import AkbError, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from akb.run import Run
    from akb.stats.scores import Floats, Scores
    from akb.types import Outcome, Trial

FAMILIES, GROUPS = ("neighbours", "all"), ("category", "subcategory")
NOTE = (
    "p: paired permutation of templates; Holm p: adjusted for {adjusted};\n"
    "alone right: questions that only the first, only the second has right; shows: the smallest difference in points\n"
    "found with power 80 % by one test alone, before Holm: among several pairs it takes more"
)
FEWEST, FEW_ITEMS, FEW_CLUSTERS, UNREAD = 2, 200, 30, 0.02
LARGE = 0.1  # a template with a larger share of the questions is warned of


@dataclass(frozen=True)
class Model:
    """A model's line. Shares from 0 to 1; the interval is cluster-robust, ranks as in `stats.ranks`."""

    name: str
    accuracy: float
    low: float
    high: float
    above_chance: float
    rank: int
    rank_low: int
    rank_high: int
    best: float
    not_ok: float


@dataclass(frozen=True)
class Pair:
    """Two models on the same questions. Shares from 0 to 1.

    Attributes:
        part: the category; empty for all questions.
        first_only, second_only: questions that one alone has right; None with McNemar's p where scores are not 0 or 1.
        p: of the cluster permutation test; holm: adjusted within the family.
        detectable: the smallest difference found with power 80 %, at this discordance and design effect (at least 1),
            before Holm.
    """

    part: str
    first: str
    second: str
    n: int
    difference: float
    low: float
    high: float
    first_only: int | None
    second_only: int | None
    mcnemar: float | None
    p: float
    holm: float
    design: float
    detectable: float | None


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more runs' folders.")],
    reference: Annotated[str | None, typer.Option(help="Hold all models against this one.")] = None,
    family: Annotated[
        str | None,
        typer.Option(
            help="The pairs that are compared: neighbours in rank, or all against the reference (all: give "
            "--reference) [default: neighbours; all with --reference]."
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Compare in each category or subcategory as well.")] = None,
    items: Annotated[int, typer.Option(min=0, help="Questions on which they differ, to show.")] = 5,
    draws: Annotated[int, typer.Option(min=100, help="Of the bootstrap of ranks.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    across_listening: Annotated[
        bool,
        typer.Option("--across-listening", help="Runs may differ in how audio was heard (a cascade, its control)."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Compare models on the same questions. E.g. akb compare runs/one/... runs/two/...

    p is that of the paired permutation of clusters (questions of one template change together), adjusted by Holm
    within the family of pairs shown; McNemar's p beside it takes all questions as independent. A reference is to be
    chosen before the results are seen.
    """
    from akb import report

    family = family or ("all" if reference is not None else "neighbours")
    for option, value, known in (("family", family, FAMILIES), ("grouping", by or GROUPS[0], GROUPS)):
        if value not in known:
            raise unknown(option, value, known, see="Known: " + ", ".join(known))
    if family == "all" and reference is None:
        raise AkbError(
            "--family all is against a reference, and none is named; the first in rank will not do: it is first in "
            "part by luck in these very questions, so that p and intervals against it would be too good",
            where="akb compare", fix="Name a model chosen beforehand: --reference MODEL",
        )  # fmt: skip
    loaded = _load(runs, across_listening)
    if reference is not None and reference not in loaded:
        raise unknown("run here", reference, loaded, see="Here are: " + ", ".join(loaded))
    found, records = _compared(loaded, reference if family == "all" else None, by, draws, seed)
    differing = _differing(found["scores"])
    if json:
        again = [asdict(item) for item in found["again"][:items]]
        told = {**found, "again": again, "items": [_item(i, records) for i in differing[:items]]}
        told = {name: _plain(value) for name, value in told.items() if name != "scores"}
        report.print_json({**told, "differing": len(differing)})
        return
    _show(found)
    for i in differing[:items]:
        report.show(_told(_item(i, records)))
    if len(differing) > items:
        report.show(f"\nThey differ on {len(differing)} questions; more with --items N.")


# -- what is compared ----------------------------------------------------------------------------------------------


def _load(paths: Sequence[Path], across_listening: bool) -> dict[str, Run]:
    """The runs by name, if they can be compared.

    Raises:
        AkbError: fewer than two, one twice, or runs that were not asked alike (`alike.differences`).
    """
    from akb import alike
    from akb.run import Run

    if len(paths) < 2:
        raise AkbError("two or more runs are wanted", where="akb compare", fix="See the runs with: akb runs")
    if len({path.resolve() for path in paths}) < len(paths):
        raise AkbError("a run is given twice", where="akb compare")
    runs = [Run.load(path) for path in paths]
    may_differ = alike.HEARD if across_listening else ()
    for run in runs[1:]:
        if changes := alike.differences(runs[0].manifest, run.manifest, may_differ):
            raise AkbError(
                "not comparable with the first run; it differs in " + "; ".join(changes[:4]), where=str(run.path),
                fix="Ask both models the same version of a task by the same protocol; to compare ways of hearing add "
                "--across-listening.",
            )  # fmt: skip
    names = [run.manifest.model for run in runs]
    if across_listening:
        names = [f"{name}, {run.manifest.identity.get('listen')}" for name, run in zip(names, runs, strict=True)]
    return {
        name if names.count(name) == 1 else f"{name} ({run.path})": run for name, run in zip(names, runs, strict=True)
    }


Judged = dict[str, dict[str, tuple["Trial", "Outcome"]]]


def _compared(
    runs: Mapping[str, Run], reference: str | None, by: str | None, draws: int, seed: int
) -> tuple[dict[str, Any], Judged]:
    """All that is shown, and what each model answered.

    Raises:
        AkbError: fewer than two questions that all models were asked.
    """
    from akb.stats import difficulty
    from akb.stats.paired import cochran
    from akb.stats.scores import Scores

    scores = Scores.of(runs)
    if len(scores.items) < FEWEST:
        raise AkbError(
            f"questions that all models were asked: {len(scores.items)}; from fewer than {FEWEST} nothing can be said",
            where="akb compare", fix="Ask all models more of the same questions.",
        )  # fmt: skip
    kept = set(scores.items)
    records = {name: {t.id: (t, o) for t, o in run.judged() if t.id in kept} for name, run in runs.items()}
    models = _models(scores, records, draws, seed)
    order = [model.name for model in models]
    pairs = _pairs_of(order, reference)
    whole = _family(scores, pairs, [("", scores)], seed)
    divided = _parts(scores, by) if by else []
    parts = _family(scores, pairs, [(name, own) for name, own in divided if len(own.items) >= FEWEST], seed)
    again = difficulty.to_look_at(difficulty.items(scores.values, scores.items))
    told = _warnings(runs, scores, models, records)
    if short := [name for name, own in divided if len(own.items) < FEWEST]:
        told.append(f"parts of fewer than {FEWEST} questions are left out: {', '.join(short)}")
    q = asdict(cochran(scores.values)) if _binary(scores.values) else None
    return {
        "scores": scores, "n": len(scores.items), "clusters": int(scores.clusters.max()) + 1, "models": models,
        "family": "neighbours in rank" if reference is None else f"all against {reference}",
        "pairs": whole, "parts": parts, "cochran": q, "again": again,
        "to_look_at": dict(Counter(item.look for item in again)), "warnings": told,
    }, records  # fmt: skip


def _models(scores: Scores, records: Judged, draws: int, seed: int) -> list[Model]:
    """The models, best first."""
    from akb.stats.intervals import averages
    from akb.stats.ranks import ranks

    found = []
    for name, rank in zip(scores.models, ranks(scores.values, scores.clusters, draws, seed), strict=True):
        own = averages(scores, name)
        bad = _not_ok([outcome for _, outcome in records[name].values()])
        micro = (own.micro.value, own.micro.low, own.micro.high)
        found.append(Model(name, *micro, own.above_chance.value, rank.rank, rank.low, rank.high, rank.best, bad))
    return sorted(found, key=lambda model: (model.rank, model.name))


def _not_ok(outcomes: Sequence[Outcome]) -> float:
    from akb.types import Status

    statuses = [one.status for outcome in outcomes for one in (outcome.answers or (outcome,))]
    return sum(status != Status.OK for status in statuses) / len(statuses)


def _pairs_of(order: Sequence[str], reference: str | None) -> list[tuple[str, str]]:
    """Neighbours in rank, better first; against a reference the reference second."""
    if reference is None:
        return list(pairwise(order))
    return [(name, reference) for name in order if name != reference]


def _parts(scores: Scores, by: str | None) -> list[tuple[str, Scores]]:
    subs = [f"{one}/{other}" for one, other in zip(scores.categories, scores.subcategories, strict=True)]
    names = scores.categories if by == "category" else subs
    return [(name, scores.part(one == name for one in names)) for name in dict.fromkeys(names)]


def _family(
    scores: Scores, pairs: Sequence[tuple[str, str]], parts: Sequence[tuple[str, Scores]], seed: int
) -> list[Pair]:
    """The pairs in each part, with Holm's p over all of them."""
    from dataclasses import replace

    from akb.stats.paired import holm

    place = {name: number for number, name in enumerate(scores.models)}
    found = [_pair(name, own, (a, b), (place[a], place[b]), seed) for name, own in parts for a, b in pairs]
    adjusted = holm([pair.p for pair in found])
    return [replace(pair, holm=one) for pair, one in zip(found, adjusted, strict=True)]


def _pair(part: str, scores: Scores, names: tuple[str, str], places: tuple[int, int], seed: int) -> Pair:
    from akb.stats import paired
    from akb.stats.intervals import design_effect
    from akb.stats.power import detectable_between

    a, b = (scores.values[place] for place in places)
    own, p = paired.difference(a, b, scores.clusters), paired.permutation(a, b, scores.clusters, seed=seed)
    test = paired.mcnemar(a, b) if _binary(scores.values[list(places)]) else None
    design = design_effect(a - b, scores.clusters)
    least = detectable_between([a - b], scores.clusters)
    return Pair(
        part=part, first=names[0], second=names[1], n=len(a), difference=own.value, low=own.low, high=own.high,
        first_only=None if test is None else test.first, second_only=None if test is None else test.second,
        mcnemar=None if test is None else test.p, p=p, holm=p, design=design, detectable=least,
    )  # fmt: skip


def _binary(values: Floats) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _warnings(runs: Mapping[str, Run], scores: Scores, models: Sequence[Model], records: Judged) -> list[str]:
    """What a reader should know before believing the table, in words."""
    import numpy as np

    n, clusters = len(scores.items), int(scores.clusters.max()) + 1
    told = [f"{name}: the run is {run.manifest.status}" for name, run in runs.items()
            if run.manifest.status != "finished"]  # fmt: skip
    for name, run in runs.items():
        if more := sum(1 for _ in run.judged()) - n:
            told.append(f"{name}: {more} questions are left out that not all models were asked")
    if n < FEW_ITEMS:
        told.append(f"few questions ({n}): only large differences can be seen")
    if clusters < FEW_CLUSTERS and clusters < n:
        told.append(f"few templates ({clusters}): intervals rest on few independent questions")
    if 1 < (most := int(np.bincount(scores.clusters).max())) > LARGE * n:
        told.append(f"one template holds {most} of the {n} questions: if these are right or wrong together, intervals "
                    "may be too short")  # fmt: skip
    for one, other in pairwise(models):
        if one.accuracy == other.accuracy:
            told.append(f"{one.name} and {other.name} have exactly the same accuracy")
    told += [f"{one} and {other} gave the same answers to all {n} questions: is one run a copy of the other?"
             for one, other in combinations(records, 2) if _alike(records[one], records[other])]  # fmt: skip
    low, high = min(models, key=lambda m: m.not_ok), max(models, key=lambda m: m.not_ok)
    if high.not_ok - low.not_ok > UNREAD:
        told.append(
            f"not readable: {100 * high.not_ok:.1f} % of {high.name}'s answers, {100 * low.not_ok:.1f} % of "
            f"{low.name}'s; part of their difference may be format, not knowledge"
        )
    return told


def _alike(one: Mapping[str, tuple[Trial, Outcome]], other: Mapping[str, tuple[Trial, Outcome]]) -> bool:
    """Whether two models answered every question alike: the same status and the same option in every order."""
    pairs = [(outcome, other[name][1]) for name, (_, outcome) in one.items()]
    return all(
        a.answers and [(x.status, x.chosen) for x in a.answers] == [(x.status, x.chosen) for x in b.answers]
        for a, b in pairs
    )


# -- the questions on which they differ --------------------------------------------------------------------------


def _differing(scores: Scores) -> list[str]:
    """Ids of questions on which not all models scored the same, those that split them most evenly first."""
    import numpy as np

    apart = np.ptp(scores.values, axis=0) > 0
    uneven = np.abs(scores.values.mean(axis=0) - 0.5)
    return [scores.items[i] for i in np.argsort(uneven, kind="stable") if apart[i]]


def _item(name: str, records: Judged) -> dict[str, Any]:
    """A question with what each model chose: texts of options; None for an answer that was not readable."""
    from akb.tasks.judging import same_text

    question = next(iter(records.values()))[name][0].question
    key = question.options[question.answer] if question.options else ""
    chosen = {model: [one.chosen for one in own[name][1].answers] for model, own in records.items()}
    return {
        "id": name, "category": question.category, "subcategory": question.subcategory, "question": question.text,
        "options": list(question.options), "key": key,
        "right": {model: own[name][1].score for model, own in records.items()},
        "chosen": {m: [None if c is None else question.options[c] for c in own] for m, own in chosen.items()},
        "keys": [option for option in question.options if same_text(option, key)],
    }  # fmt: skip


def _told(item: dict[str, Any]) -> str:
    place = "/".join(name for name in (item["category"], item["subcategory"]) if name)
    lines = ["", f"{item['id']}" + (f" ({place})" if place else ""), item["question"]]
    for option in dict.fromkeys([*item["options"], None]):
        by = [
            model + (f" x{own.count(option)}" if len(own) > 1 else "")
            for model, own in item["chosen"].items() if option in own
        ]  # fmt: skip
        if option is None and not by:
            continue
        label = "not readable" if option is None else option
        lines.append(f"  {'*' if option in item['keys'] else ' '} {label}" + (f"  <- {', '.join(by)}" if by else ""))
    return "\n".join(lines)


# -- shown ---------------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """For JSON: dataclasses as dicts, None in place of NaN."""
    if isinstance(value, (Model, Pair)):
        value = asdict(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if value != value else value


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _chance(p: float | None) -> str:
    return "-" if p is None else "<0.0001" if p < 1e-4 else f"{p:.4f}"


def _show(found: dict[str, Any]) -> None:
    from akb import report
    from akb.report import percent

    title = f"{found['n']} questions, {found['clusters']} templates (a question without one counts as its own)"
    rows = [
        (f"{m.rank_low}-{m.rank_high}" if m.rank_low < m.rank_high else m.rank_low, m.name, percent(m.accuracy),
         f"{percent(m.low)}-{percent(m.high)}", percent(m.above_chance), percent(m.best), percent(m.not_ok))
        for m in found["models"]
    ]  # fmt: skip
    columns = ("rank", "model", "acc. %", "95 % interval", "above chance %", "first in draws %", "not readable %")
    report.show(report.listing(columns, rows, title))
    report.show(report.listing(_COLUMNS, [_cells(pair) for pair in found["pairs"]], f"\npairs: {found['family']}"))
    if found["parts"]:
        parts = [(pair.part, *_cells(pair)) for pair in found["parts"]]
        report.show(report.listing(("part", *_COLUMNS), parts, f"\nby part (Holm over all {len(parts)})"))
    if found["cochran"] and found["cochran"]["df"]:
        q = found["cochran"]
        report.show(f"\nall alike? Cochran's Q {q['q']:.2f}, df {q['df']}, p {_chance(q['p'])}")
    if found["to_look_at"]:
        told = "; ".join(f"{look}: {n}" for look, n in found["to_look_at"].items())
        report.show(f"\nquestions to look at (which ones: --json): {told}")
    adjusted = f"the {len(found['pairs'])} pairs shown ({found['family']})"
    if found["parts"]:
        adjusted += f", by part for all {len(found['parts'])} (pairs times parts)"
    report.show(NOTE.format(adjusted=adjusted))
    if found["warnings"]:
        report.show("\n".join(f"warning: {one}" for one in found["warnings"]))


_COLUMNS = ("first", "second", "points", "95 % interval", "alone right", "McNemar p", "p", "Holm p", "shows")


def _cells(pair: Pair) -> tuple[object, ...]:
    alone = "-" if pair.first_only is None else f"{pair.first_only}, {pair.second_only}"
    least = "-" if pair.detectable is None else f"{100 * pair.detectable:.1f}"
    between = f"{_points(pair.low)} to {_points(pair.high)}"
    tests = (_chance(pair.mcnemar), _chance(pair.p), _chance(pair.holm))
    return (pair.first, pair.second, _points(pair.difference), between, alone, *tests, least)
