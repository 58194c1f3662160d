"""The correlation page of a board: does what models know in text foretell what they do with audio?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from akb.columns import Column, Columns, board, from_csv
from akb.correlating import LEAST, Choice, Pair, report, sentence
from akb.errors import AkbError
from akb.leaderboards.board import Data, Sheet
from akb.stats import intervals
from akb.stats.dependence import LeftOut
from akb.stats.proportion import wilson

MOST = 60  # pairs shown of a table that does not say which are meant
Ends = Mapping[tuple[str, str], tuple[float, float]]  # in per cent, by column and model


def of_sheets(sheets: Sequence[Sheet], draws: int, seed: int) -> Data | None:
    """CORRELATION of every text column with every other column that has four or more models with it in common, without
    baselines; None where there is no such pair. A LALM stands for its backbone (`backbone` in board.yaml)."""
    models = list(dict.fromkeys(name for sheet in sheets for name in _names(sheet)))
    known = {name: sheet.facts[raw] for sheet in sheets for raw, name in _raw(sheet)}
    known |= {name: sheet.facts[name] for sheet in sheets for raw, name in _raw(sheet) if raw == name}
    columns: dict[str, Column] = {}
    ends: dict[tuple[str, str], tuple[float, float]] = {}
    for sheet in sheets:
        column, own = _column(sheet, sheets, models)
        columns[sheet.column.key] = column
        ends.update(own)
    table = Columns(
        models=tuple(models),
        families=tuple(known[name].family or "" for name in models),
        sizes=np.array([known[name].params_b or math.nan for name in models]),
        columns=columns,
        source="the runs of this board",
    )
    pairs = [
        (x.column.key, y.column.key)
        for y in sheets
        for x in sheets
        if x.column.setting == "text" and y.column.setting != "text" and _enough(table, x.column.key, y.column.key)
    ]
    return _told(table, pairs, ends, draws, seed) if pairs else None


def of_table(source: str, include: Iterable[Path], draws: int, seed: int) -> Data:
    """CORRELATION of a CSV's columns, all with all, or of a board with published figures such as akb-paper.

    Raises:
        AkbError: there is no such table, or no two of its columns have four models in common.
    """
    if Path(source).suffix == ".csv":
        table = from_csv(Path(source))
        names = [name for name in table.columns if name != "params_b"]
        pairs = [(x, y) for place, y in enumerate(names) for x in names[:place]]
    else:
        table = board(source, include)
        pairs = list(table.printed)
    pairs = [(x, y) for x, y in pairs if _enough(table, x, y)]
    if not 0 < len(pairs) <= MOST:
        raise AkbError(f"{len(pairs)} pairs of columns can be correlated; 1 to {MOST} are wanted", where=source,
                       fix=f"Give columns of scores with {LEAST} or more models in common.")  # fmt: skip
    ends = {}
    for name, column in table.columns.items():
        for model, value in zip(table.models, column.values, strict=True):
            if column.items and math.isfinite(value):
                low, high = wilson(value / 100 * column.items, column.items)
                ends[name, model] = (100 * low, 100 * high)
    return _told(table, pairs, ends, draws, seed)


def _raw(sheet: Sheet) -> list[tuple[str, str]]:
    """(name, the name under which it is correlated) of a column's models, without baselines."""
    return [
        (entry.model, sheet.facts[entry.model].backbone or entry.model)
        for entry in sheet.entries
        if sheet.facts[entry.model].access != "baseline"
    ]


def _names(sheet: Sheet) -> list[str]:
    return [name for _, name in _raw(sheet)]


def _column(sheet: Sheet, sheets: Sequence[Sheet], models: Sequence[str]) -> tuple[Column, Ends]:
    """A sheet as a column in per cent, and the intervals of its accuracies."""
    key, names = sheet.column.key, _names(sheet)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise AkbError(f"{key}: {twice} is the backbone of several of its models", fix="Mend it in board.yaml.")
    rows = [sheet.scores.models.index(raw) for raw, _ in _raw(sheet)]
    scores = replace(sheet.scores, models=tuple(names), values=sheet.scores.values[rows])
    place, asked = {name: number for number, name in enumerate(names)}, {item.sha for item in sheet.items}
    means = scores.values.mean(axis=1)
    values = np.array([100 * means[place[name]] if name in place else math.nan for name in models])
    shares = [o.column.key for o in sheets if o is not sheet and asked & {item.sha for item in o.items}]
    found = {}
    for name, row in zip(names, scores.values, strict=True):
        one = intervals.average(row, scores.clusters)
        found[key, name] = (100 * one.low, 100 * one.high)
    return Column(key, values, len(sheet.items), tuple(shares), scores), found


def _enough(table: Columns, x: str, y: str) -> bool:
    values = np.array([table.column(name).values for name in (x, y)])
    both = values[:, np.isfinite(values).all(axis=0)]
    return both.shape[1] >= LEAST and bool((np.ptp(both, axis=1) > 0).all())


def _told(table: Columns, pairs: Sequence[tuple[str, str]], ends: Ends, draws: int, seed: int) -> Data:
    found = report(table, pairs, draws=draws, seed=seed)
    choices = {choice.y: choice for choice in found.choices}
    told = [_pair(table, pair, choices.get(pair.y), ends) for pair in found.pairs]
    return {"source": ", ".join(text for text in (table.title, table.source) if text), "pairs": told}


def _pair(table: Columns, pair: Pair, choice: Choice | None, ends: Ends) -> Data:
    size, joint = pair.partial.get("log size"), pair.joint
    return {
        "x": pair.x,
        "y": pair.y,
        "xunit": _unit(table.column(pair.x)),
        "yunit": _unit(table.column(pair.y)),
        "n": pair.n,
        "pearson": pair.pearson.value,
        "fisher": [pair.pearson.low, pair.pearson.high],
        "bca": [pair.bca.low, pair.bca.high] if math.isfinite(pair.bca.low) else None,
        "joint": [joint.low, joint.high] if joint is not None else None,
        "disattenuated": pair.disattenuated,
        "shares": pair.shares,
        "p_perm": pair.pearson.p,
        "p_holm": pair.p_holm,
        "spearman": pair.spearman.value,
        "spearman_interval": [pair.spearman.low, pair.spearman.high],
        "kendall": pair.kendall.value,
        "lofo": _left_out(pair.without_family),
        "lomo": _left_out(pair.without_model),
        "partial_size": {"r": size.r, "p": size.p} if size is not None else None,
        "printed": pair.printed,
        "sentence": sentence(pair),
        "warnings": list(pair.warnings),
        "points": [_point(table, model, pair, ends) for model in pair.models],
        "regret": _regrets(choice),
    }


def _unit(column: Column) -> str:
    """Of a share of questions "%"; nothing where nobody says what the numbers are."""
    return "%" if column.items else ""


def _left_out(left: LeftOut | None) -> list[Any] | None:
    return [left.low, left.high, left.low_without] if left is not None else None


def _point(table: Columns, model: str, pair: Pair, ends: Ends) -> dict[str, Any]:
    place = table.models.index(model)
    found: dict[str, Any] = {"name": model, "family": table.families[place]}
    for axis, name in (("x", pair.x), ("y", pair.y)):
        low, high = ends.get((name, model), (None, None))
        found |= {axis: float(table.column(name).values[place]), f"{axis}low": low, f"{axis}high": high}
    return found


def _regrets(choice: Choice | None) -> Data | None:
    if choice is None:
        return None
    losses = [{"predictor": r.predictor, "loss": r.points, "low": r.low, "high": r.high} for r in choice.regrets]
    return {"n": choice.n, "among": choice.among, "losses": losses}
