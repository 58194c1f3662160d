"""Does one score foretell another, and how surely? Everything that is owed to the reader of a correlation, and the
sentence that a paper could print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from akb.columns import Column, Columns
from akb.errors import AkbError
from akb.stats import correlation as c
from akb.stats import dependence as d
from akb.stats.decision import Regret, regrets
from akb.stats.paired import holm
from akb.stats.resampling import Joint, item_noise, joint
from akb.stats.scores import Floats

LEAST = 4  # models that a pair must have in common


@dataclass(frozen=True)
class Coefficient:
    """A coefficient over models: its 95 % interval (Pearson: Fisher; Spearman: Bonett-Wright; Kendall: none), and its
    permutation p, exact up to 9 models."""

    value: float
    low: float
    high: float
    p: float
    exact: bool


@dataclass(frozen=True)
class Pair:
    """A pair of columns, over the models that have both.

    Attributes:
        x, y: names of the columns; titles: theirs.
        n, models, families: models, their names, and how many families they are of (0 where none is known).
        p_t: p of Pearson's r by Student's t.
        p_holm: the permutation p adjusted over all claims, shown or not; None for a pair that is no claim.
        family: over how many claims.
        bca: interval of Pearson's r by bootstrap.
        without_model, without_family: r without each model or family in turn; None where it cannot be.
        within: r within families.
        partial: r given log size, or given another column.
        reliability: of x and y, where their numbers of questions are known.
        disattenuated: r freed of noise; it assumes independent errors (not so where `shares`).
        shares: the two ask the same questions.
        noise: between what r moves by the questions alone (binomial).
        joint: over models and questions, where runs are at hand.
        smallest: the least |r| that is significant at 5 %; needed: the true r for 80 % power.
        printed: as published.
        warnings: in words.
    """

    x: str
    y: str
    titles: tuple[str, str]
    n: int
    models: tuple[str, ...]
    families: int
    pearson: Coefficient
    p_t: float
    p_holm: float | None
    family: int
    bca: c.Bootstrap
    spearman: Coefficient
    kendall: Coefficient
    without_model: d.LeftOut | None
    without_family: d.LeftOut | None
    within: d.Partial | None
    partial: dict[str, d.Partial]
    reliability: tuple[float, float] | None
    disattenuated: float | None
    shares: bool
    noise: tuple[float, float] | None
    joint: Joint | None
    smallest: float
    needed: float
    printed: float | None
    warnings: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the published figure is not the computed one, rounded to two decimals."""
        return self.printed is not None and abs(self.pearson.value - self.printed) > 0.005 + 1e-9


@dataclass(frozen=True)
class Rivals:
    """Williams' test: two predictors of one outcome, over the models that have all three."""

    y: str
    first: str
    second: str
    n: int
    r_first: float
    r_second: float
    test: d.Difference


@dataclass(frozen=True)
class Choice:
    """What choosing by each predictor costs in points of the outcome; see `akb.stats.decision`."""

    y: str
    title: str
    n: int
    among: int
    regrets: tuple[Regret, ...]


@dataclass(frozen=True)
class Report:
    """Everything that `akb correlate` tells."""

    title: str
    source: str
    pairs: tuple[Pair, ...]
    rivals: tuple[Rivals, ...]
    choices: tuple[Choice, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For --json; what is not defined is null."""
        told = _plain(asdict(self))
        assert isinstance(told, dict)
        for entry, pair in zip(told["pairs"], self.pairs, strict=True):
            entry["differs"] = pair.differs
            entry["sentence"] = sentence(pair)
        told["verdict"] = verdict(self.pairs)
        return told


def report(
    table: Columns, pairs: Sequence[tuple[str, str]], controls: Sequence[str] = (), among: int = 4,
    draws: int = 10_000, seed: int = 0,
) -> Report:  # fmt: skip
    """Everything about these pairs of columns.

    Args:
        controls: columns to hold constant, each by itself; log size is held constant wherever it is known.
        among: candidates at hand in the decision (fewer where there are fewer models).
        draws: of each bootstrap.

    Raises:
        AkbError: a column is not there, a pair has fewer than four models in common, or its score is constant.
    """
    for name in controls:
        table.column(name)
    found = [_pair(table, x, y, controls, draws, seed) for x, y in pairs]
    claims = {frozenset(pair): pair for pair in table.claims or pairs}
    seen = {frozenset((p.x, p.y)): p.pearson.p for p in found}
    tested = [seen[key] if key in seen else _p(table, *pair, seed) for key, pair in claims.items()]
    adjusted = dict(zip(claims, holm(tested), strict=True))
    told = [
        Pair(**{**vars(p), "p_holm": adjusted.get(frozenset((p.x, p.y))), "family": len(claims)}) for p in found
    ]  # fmt: skip
    predictors: dict[str, list[str]] = {}
    for key in seen:
        if key in claims:
            x, y = claims[key]
            predictors.setdefault(y, []).append(x)
    rivals = [r for y, xs in predictors.items() for r in _rivals(table, y, xs)]
    choices = [choice for y, xs in predictors.items() if (choice := _choice(table, y, [*xs, *controls], among))]
    notes = (*table.notes, *_left_out(table, found, controls))
    return Report(table.title, table.source, tuple(told), tuple(rivals), tuple(choices), notes)


def _p(table: Columns, x: str, y: str, seed: int) -> float:
    """The permutation p of a claim that is not shown; 1 where it cannot be tested, which never helps the others."""
    _, (one, other) = _common(table, (x, y))
    if len(one) < LEAST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return 1.0
    return c.permutation(one, other, seed=seed).p


def _left_out(table: Columns, pairs: Sequence[Pair], controls: Sequence[str]) -> list[str]:
    """What was given but could not be used, in words."""
    told = []
    for name in dict.fromkeys(name for pair in pairs for name in (pair.x, pair.y)):
        others = [pair.y if name == pair.x else pair.x for pair in pairs if name in (pair.x, pair.y)]
        if not table.column(name).items and any(table.column(other).items for other in others):
            told.append(f"how many questions {name} has is not known: noise and true r of its pairs are not told")
    for name in dict.fromkeys(controls):
        own = [f"{p.x} ~ {p.y}" for p in pairs if name in (p.x, p.y)]
        if own:
            told.append(f"{name} is not held constant where it is itself correlated: {', '.join(own)}")
        bare = [f"{p.x} ~ {p.y}" for p in pairs if name not in (p.x, p.y) and name not in p.partial]
        if bare:
            told.append(f"{name} cannot be held constant, too few models have it or it tells them not apart: "
                        f"{', '.join(bare)}")  # fmt: skip
    return told


def _common(table: Columns, names: Sequence[str]) -> tuple[np.ndarray, list[Floats]]:
    """Which models have all of these columns, and their scores there."""
    values = [table.column(name).values for name in names]
    keep = np.asarray(np.isfinite(np.array(values)).all(axis=0))
    return keep, [v[keep] for v in values]


def _pair(table: Columns, x: str, y: str, controls: Sequence[str], draws: int, seed: int) -> Pair:
    keep, (one, other) = _common(table, (x, y))
    n, columns = int(keep.sum()), (table.column(x), table.column(y))
    if n < LEAST:
        raise AkbError(f"{x} and {y} have {n} models in common; {LEAST} or more are wanted",
                       fix="For a LALM and its backbone: --backbone LALM=BACKBONE")  # fmt: skip
    for name, values in ((x, one), (y, other)):
        if np.ptp(values) == 0:
            raise AkbError(f"{name}: all {n} models have the same score, so nothing correlates with it")
    families = [table.families[i] for i in np.flatnonzero(keep)]
    names = tuple(table.models[i] for i in np.flatnonzero(keep))
    r, rho = c.pearson(one, other), c.spearman(one, other)
    drawn = {kind: c.permutation(one, other, kind, seed=seed) for kind in c.COEFFICIENTS}
    counts = [column.items for column in columns]
    sure = _sure(r, one, other, *counts) if counts[0] and counts[1] else None
    shares = y in columns[0].shares or x in columns[1].shares
    known = any(families)
    return Pair(
        x=x, y=y, titles=(columns[0].title, columns[1].title), n=n, models=names, families=len({f for f in families if
        f}), pearson=Coefficient(r, *c.fisher(r, n), drawn["pearson"].p, drawn["pearson"].exact),
        p_t=c.p_value(r, n - 2), p_holm=None, family=0, bca=c.bca(one, other, draws=draws, seed=seed),
        spearman=Coefficient(rho, *c.bonett_wright(rho, n), drawn["spearman"].p, drawn["spearman"].exact),
        kendall=Coefficient(c.kendall(one, other), math.nan, math.nan, drawn["kendall"].p, drawn["kendall"].exact),
        without_model=d.leave_out(one, other, names),
        without_family=d.leave_out(one, other, families) if known else None,
        within=d.within(one, other, families) if known else None,
        partial=_partials(table, keep, one, other, [name for name in controls if name not in (x, y)]),
        reliability=sure[:2] if sure else None, disattenuated=sure[2] if sure else None, shares=shares,
        noise=item_noise(one / 100, other / 100, counts[0], counts[1], seed=seed) if counts[0] and counts[1] else None,
        joint=_joint(columns, draws, seed), smallest=d.smallest_significant(n), needed=d.rho_needed(n),
        printed=table.printed.get((x, y), table.printed.get((y, x))), warnings=tuple(d.warnings(one, other, families)),
    )  # fmt: skip


def _sure(r: float, x: Floats, y: Floats, items_x: int | None, items_y: int | None) -> tuple[float, float, float]:
    first, second = d.reliability(x / 100, items_x or 1), d.reliability(y / 100, items_y or 1)
    return first, second, d.disattenuated(r, first, second)


def _joint(columns: tuple[Column, Column], draws: int, seed: int) -> Joint | None:
    x, y = (column.scores for column in columns)
    return None if x is None or y is None else joint(x, y, draws=draws, seed=seed)


def _partials(
    table: Columns, keep: np.ndarray, x: Floats, y: Floats, controls: Sequence[str]
) -> dict[str, d.Partial]:  # fmt: skip
    found = {}
    for name, values in {"log size": np.log(table.sizes), **{n: table.column(n).values for n in controls}}.items():
        known = np.isfinite(values[keep])
        if known.sum() >= LEAST and np.ptp(values[keep][known]) > 0:
            got = d.partial(x[known], y[known], values[keep][known])
            if got is not None:
                found[name] = got
    return found


def _rivals(table: Columns, y: str, predictors: Sequence[str]) -> list[Rivals]:
    found = []
    for place, second in enumerate(predictors):
        for first in predictors[:place]:
            keep, (one, other, outcome) = _common(table, (first, second, y))
            n = int(keep.sum())
            if n >= LEAST:
                a, b = c.pearson(one, outcome), c.pearson(other, outcome)
                found.append(Rivals(y, first, second, n, a, b, d.williams(a, b, c.pearson(one, other), n)))
    return found


def _choice(table: Columns, y: str, predictors: Sequence[str], among: int) -> Choice | None:
    names = [name for name in dict.fromkeys(predictors) if name != y]
    keep, (outcome, *values) = _common(table, (y, *names))
    n = int(keep.sum())
    if n < LEAST:
        return None
    by = dict(zip(names, values, strict=True))
    if np.isfinite(table.sizes[keep]).all():
        by["size"] = table.sizes[keep]
    among = min(among, n - 1)
    return Choice(y, table.column(y).title, n, among, tuple(regrets(by, outcome, among)))


def decimals(value: float | None, places: int = 2) -> str:
    """A correlation or p as papers print it: .75, -.12, < .001; "-" for none. Only what rounds to 1 has a leading 1."""
    if value is None or math.isnan(value):
        return "-"
    text = f"{value:z.{places}f}"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def between(low: float, high: float, places: int = 2) -> str:
    """An interval, or "-" where there is none."""
    return "-" if math.isnan(low) else f"{decimals(low, places)} to {decimals(high, places)}"


def p_text(p: float | None, places: int = 3) -> str:
    """A p with its relation: "= .039", "< .001"."""
    if p is None or math.isnan(p):
        return "= -"
    return "< .001" if p < 0.001 else f"= {decimals(p, places)}"


def sentence(pair: Pair) -> str:
    """What a paper could say of a pair, with its caveats."""
    r, kind = pair.pearson, "exact permutation" if pair.pearson.exact else "permutation"
    of = f" of {pair.families} families" if pair.families > 1 else ""
    adjusted = (
        ""
        if pair.p_holm is None or pair.family < 2
        else f", p {p_text(pair.p_holm)} after Holm over {pair.family} claims"
    )
    parts = [
        f"Across {pair.n} models{of}, {pair.titles[0]} and {pair.titles[1]} correlate at r = {decimals(r.value)} (95 % "
        f"interval {between(r.low, r.high)}; {kind} p {p_text(r.p)}{adjusted}; Spearman "
        f"{decimals(pair.spearman.value)})."
    ]
    final = r.p if pair.p_holm is None else pair.p_holm
    if final >= 0.05:
        after = "After this adjustment it" if r.p < 0.05 else "It"
        parts.append(f"{after} is not significant at the 5 % level.")
    if (left := pair.without_family) is not None:
        low, high = (
            f"{decimals(v)} without {w}" for v, w in ((left.low, left.low_without), (left.high, left.high_without))
        )
        parts.append(f"Leaving one family out gives from {low} to {high}.")
    if pair.within is not None and not math.isnan(pair.within.r):
        parts.append(f"Within families r = {decimals(pair.within.r)} ({pair.within.n} models).")
    parts += [
        f"Given {name}, r = {decimals(p.r)} (p {p_text(p.p)}, n = {p.n})."
        for name, p in pair.partial.items() if not math.isnan(p.r)
    ]  # fmt: skip
    return " ".join(parts)


def verdict(pairs: Sequence[Pair]) -> str:
    """What holds of the claims that are shown together, after Holm over all."""
    claims = [pair for pair in pairs if pair.p_holm is not None]
    if len(claims) < 2:
        return ""
    held = [f"{pair.x} ~ {pair.y}" for pair in claims if (pair.p_holm or 0) < 0.05]
    least = min(pair.p_holm or 0 for pair in claims)
    told = ", ".join(held) if held and len(held) < len(claims) else "all" if held else "none"
    of = f"{len(claims)} claims" if len(claims) >= claims[0].family else f"{len(claims)} of {claims[0].family} claims"
    return f"Of {of}, below .05 after Holm: {told} (smallest p {p_text(least)})."


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
