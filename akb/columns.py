"""Models beside columns of scores, to correlate: from runs, from a CSV, or from a board under leaderboards/."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from akb.errors import AkbError, unknown
from akb.stats.scores import Floats, Scores
from akb.strict import Strict, parse, read_text, read_yaml

if TYPE_CHECKING:
    from akb.adapters.cards import Card
    from akb.run import Run


@dataclass(frozen=True)
class Column:
    """A score of each model.

    Attributes:
        title: what it is called in sentences and plots.
        values: (models,), per cent or any unit; NaN where unknown.
        items: how many questions it is a share of, in per cent; None if it is no such share or this is not known.
        shares: names of columns that ask the same questions.
        scores: of every question, where runs are at hand.
    """

    title: str
    values: Floats
    items: int | None = None
    shares: tuple[str, ...] = ()
    scores: Scores | None = None


@dataclass(frozen=True)
class Columns:
    """Models beside columns of scores.

    Attributes:
        models: names.
        families: of each model; "" where unknown.
        sizes: in billions of parameters; NaN where unknown.
        columns: by name.
        title, source: of a board.
        printed: published correlations by pair of columns.
        claims: the pairs that are claimed together: p values are adjusted over these; empty: over all that are shown.
        notes: what a reader should know.
    """

    models: tuple[str, ...]
    families: tuple[str, ...]
    sizes: Floats
    columns: Mapping[str, Column]
    title: str = ""
    source: str = ""
    printed: Mapping[tuple[str, str], float] = field(default_factory=dict)
    claims: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """A column by its name.

        Raises:
            AkbError: there is none.
        """
        if name not in self.columns:
            raise unknown("column", name, self.columns, see=f"There are: {', '.join(self.columns)}")
        return self.columns[name]


class _BoardColumn(Strict):
    title: str = ""
    items: int | None = Field(default=None, ge=1)
    shares: tuple[str, ...] = ()


class _Board(Strict):
    """board.yaml; see leaderboards/akb-paper."""

    title: str
    source: str
    table: str
    printed: str | None = None
    columns: dict[str, _BoardColumn]
    claims: tuple[tuple[str, str], ...] = ()


def board(name: str, include: Iterable[Path] = ()) -> Columns:
    """A board by its name, or by its folder.

    Raises:
        AkbError: there is none, or one of its files is wrong.
    """
    from akb import content

    found = {p.parent.name: p for p in content.files(content.roots(include), "leaderboards", "*/board.yaml")}
    path = found.get(name) or Path(name) / "board.yaml"
    if not path.is_file():
        raise unknown("board", name, found, see=f"There are: {', '.join(found)}" if found else "")
    told = parse(_Board, read_yaml(path), str(path))
    table = from_csv(path.parent / told.table, items={n: c.items for n, c in told.columns.items() if c.items})
    columns = {}
    for key, about in told.columns.items():
        own = table.column(key)
        columns[key] = Column(about.title or key, own.values, about.items, about.shares)
    printed = {} if told.printed is None else _printed(path.parent / told.printed, columns)
    for pair in told.claims:
        for key in pair:
            if key not in columns:
                raise AkbError(f"claims: {key!r} is not among the columns", where=str(path))
    return Columns(
        table.models, table.families, table.sizes, columns, told.title, told.source, printed, told.claims, table.notes
    )  # fmt: skip


def _printed(path: Path, columns: Mapping[str, Column]) -> dict[tuple[str, str], float]:
    _, rows = _rows(path)
    found = {}
    for line, row in rows:
        if set(row) != {"x", "y", "r"} or row["x"] not in columns or row["y"] not in columns:
            raise AkbError("columns x, y (names of the board's columns) and r are wanted", where=f"{path}:{line}")
        found[row["x"], row["y"]] = _number(row["r"], f"{path}:{line}", "r")
    return found


def from_csv(
    path: Path, family: str | None = None, size: str | None = None, items: Mapping[str, int] | None = None
) -> Columns:
    """A table of models: the first column, or the one called `model`, has their names; every column of numbers can be
    correlated. An empty cell is unknown.

    Args:
        family, size: columns of the families and of the sizes in billions [default: `family` and `params_b`, if there].
        items: how many questions a column is a share of, in per cent.

    Raises:
        AkbError: the file cannot be read, has fewer than three models or one twice, or a column is not there.
    """
    header, rows = _rows(path)
    name = "model" if "model" in header else header[0]
    for asked in (family, size, *(items or {})):
        if asked is not None and asked not in header:
            raise unknown("column", asked, header, see=f"{path} has: {', '.join(header)}")
    asked_size = size
    family = family or ("family" if "family" in header else None)
    size = size or ("params_b" if "params_b" in header else None)
    models = tuple(row[name] for _, row in rows)
    for place, (line, row) in enumerate(rows):
        if not row[name] or row[name] in models[:place]:
            raise AkbError(f"{name}: {row[name]!r} is empty or comes twice", where=f"{path}:{line}")
    if len(models) < 3:
        raise AkbError(f"three models or more are wanted, found {len(models)}", where=str(path))
    columns = {}
    for key in header:
        if key in (name, family):
            continue
        values = _numbers(path, rows, key)
        if values is None:
            continue
        count = (items or {}).get(key)
        if count is not None and (count < 1 or np.nanmin(values) < 0 or np.nanmax(values) > 100):
            raise AkbError(f"{key}: per cent from 0 to 100, of one question or more, are wanted", where=str(path))
        if count is not None and 0 < np.nanmax(values) <= 1:
            raise AkbError(f"{key}: per cent from 0 to 100 are wanted, found shares (none above 1)", where=str(path),
                           fix="Write 50 for a half, not 0.5.")  # fmt: skip
        columns[key] = Column(key, values, count)
    for asked in (asked_size, *(items or {})):
        if asked is not None and asked not in columns:
            raise AkbError(f"{asked}: a column of numbers is wanted, found names or nothing", where=str(path))
    notes = (f"{size} holds no numbers, so size is not held constant",) if size and size not in columns else ()
    sizes = columns[size].values if size in columns else np.full(len(models), np.nan)
    if (sizes <= 0).any():
        raise AkbError(f"{size}: sizes above 0 are wanted", where=str(path))
    families = tuple(row[family] if family else "" for _, row in rows)
    return Columns(models, families, sizes, columns, title=path.stem, source=path.name, notes=notes)


def _rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """A CSV's header, and its rows with their line numbers."""
    reader = csv.reader(read_text(path).splitlines())
    header: list[str] = []
    rows = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                continue
            if len(cells) != len(header):
                raise AkbError(f"{len(header)} cells are wanted, found {len(cells)}", where=f"{path}:{reader.line_num}")
            rows.append((reader.line_num, dict(zip(header, (c.strip() for c in cells), strict=True))))
    except csv.Error as error:
        raise AkbError(f"not valid CSV: {error}", where=f"{path}:{reader.line_num}") from None
    if not rows or len(set(header)) != len(header) or "" in header:
        raise AkbError("a line of different names of columns and lines of values are wanted", where=str(path))
    return header, rows


def _numbers(path: Path, rows: Sequence[tuple[int, dict[str, str]]], key: str) -> Floats | None:
    """A column's numbers; None for a column of words. A single word among numbers is an error."""
    cells = [row[key] for _, row in rows]
    readable = [_is_number(cell) for cell in cells if cell]
    if not readable or sum(readable) * 2 < len(readable):
        return None
    return np.array([_number(cell, f"{path}:{line}", key) if cell else np.nan
                     for cell, (line, _) in zip(cells, rows, strict=True)])  # fmt: skip


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _number(cell: str, where: str, key: str) -> float:
    if not _is_number(cell):
        raise AkbError(f"{key}: a number is wanted, found {cell!r}", where=where)
    return float(cell)


def from_runs(
    paths: Sequence[Path],
    names: Sequence[str],
    backbones: Mapping[str, str] | None = None,
    include: Iterable[Path] = (),
) -> Columns:
    """Columns from runs: `akb-open` is the accuracy in per cent on that task, `mmau@audio` that heard as audio. Runs of
    other tasks are passed over, and so are baselines. Families and sizes are those of the model cards.

    Args:
        names: the columns wanted.
        backbones: for models that are one model in this table under another name, the name: a LALM's backbone.

    Raises:
        AkbError: a column has no run, runs that were not asked alike, an unfinished one, or a model twice.
    """
    from akb.alike import is_baseline
    from akb.registry import Registry
    from akb.run import Run

    given = [Run.load(path) for path in paths]
    runs = [run for run in given if not is_baseline(run.manifest)]
    cards = Registry(include=tuple(include)).cards
    columns: dict[str, Scores] = {}
    left = len(given) - len(runs)
    notes = [f"runs of baselines are left out, for no model made them: {left}"] if left else []
    about: dict[str, Card | None] = {}
    for name in dict.fromkeys(names):
        own: dict[str, Run] = {}
        for run in runs:
            if not _is_of(run, name):
                continue
            label = (backbones or {}).get(run.manifest.model, run.manifest.model)
            if label in own:
                fix = f"The other: {own[label].path}. Give one of them, or name them apart with --backbone."
                raise AkbError(f"{name}: {label} has two runs", where=str(run.path), fix=fix)
            own[label] = run
            about.setdefault(label, cards.get(label, cards.get(str(run.manifest.config.get("model", "")))))
        _check(name, own, runs)
        scores = Scores.of(own)
        most = max(run.summary.rows[0].n for run in own.values())
        if most > len(scores.items):
            notes.append(f"{name}: {len(scores.items)} of {most} questions were asked of all models; only these count")
        columns[name] = scores
    models = tuple(about)
    empty = float("nan")
    found = {
        name: Column(name, np.array([_share(scores, model) for model in models]), len(scores.items), scores=scores,
                     shares=tuple(o for o in columns if o != name and set(columns[o].items) & set(scores.items)))
        for name, scores in columns.items()
    }  # fmt: skip
    sizes = np.array([card.params_b or empty if card else empty for card in about.values()])
    families = tuple(card.family if card else "" for card in about.values())
    return Columns(models, families, sizes, found, title="runs", notes=tuple(notes))


def _share(scores: Scores, model: str) -> float:
    return 100 * float(scores.values[scores.models.index(model)].mean()) if model in scores.models else math.nan


def _is_of(run: Run, name: str) -> bool:
    """Whether a run belongs to a column."""
    task, _, setting = name.partition("@")
    return run.manifest.task == task and (not setting or _setting(run) == setting)


def _setting(run: Run) -> str:
    return str(run.manifest.identity.get("listen", "audio"))


def _check(name: str, own: Mapping[str, Run], runs: Sequence[Run]) -> None:
    """A column's runs are finished and were asked in one way."""
    from akb.alike import differences

    if not own:
        there = sorted({f"{run.manifest.task}@{_setting(run)}" for run in runs})
        found = ", ".join(there) or "nothing but baselines"
        raise AkbError(f"no run is of {name}", fix=f"The runs given are of: {found}")
    for run in own.values():
        if run.manifest.status != "finished":
            raise AkbError(
                f"the run is {run.manifest.status}", where=str(run.path), fix="Finish it by the same command."
            )
    first, *others = own.values()
    for run in others:
        if changes := differences(first.manifest, run.manifest):
            told = f"{name}: {run.manifest.model} was not asked as {first.manifest.model} was: {'; '.join(changes[:4])}"
            raise AkbError(told, where=str(run.path), fix="Give runs of one version, protocol and way of hearing.")
