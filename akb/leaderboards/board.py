"""What a board says: everything that is computed from its entries, as data for the site and the exports.

The shape is fixed (docs/design/leaderboards.md): shares are from 0 to 1, intervals are 95 %.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from akb.errors import AkbError
from akb.leaderboards import admission
from akb.leaderboards.entries import BoardItem, Column, Entry, Facts, Store, slug
from akb.stats import intervals, paired, power, ranks, shrinkage
from akb.stats.proportion import wilson
from akb.stats.scores import Floats, Scores, ties

if TYPE_CHECKING:
    from akb.registry import Registry

HARDEST = 5
DRAWS = 10_000
Data = dict[str, Any]


@dataclass(frozen=True)
class Sheet:
    """A column of a board: models on the same items.

    Attributes:
        entries: one a model, sorted by name.
        items: in the order of the task's taxonomy.
        titles: of categories and category/subcategory, where they are known.
        facts: on each model, by name.
        draws, seed: of every bootstrap.
    """

    column: Column
    entries: tuple[Entry, ...]
    items: tuple[BoardItem, ...]
    titles: Mapping[str, str]
    facts: Mapping[str, Facts]
    draws: int = DRAWS
    seed: int = 0

    @cached_property
    def scores(self) -> Scores:
        """The scores of its models."""
        place = {name: number for number, name in enumerate(self.entries[0].answers.ids)}
        order = [place[item.id] for item in self.items]
        return Scores(
            models=tuple(entry.model for entry in self.entries),
            items=tuple(item.id for item in self.items),
            values=np.array([entry.answers.shares for entry in self.entries], dtype=np.float64)[:, order],
            ties=tuple(ties(item.template, (sha for sha, _ in item.audio), item.names) for item in self.items),
            categories=tuple(item.category for item in self.items),
            subcategories=tuple(item.subcategory for item in self.items),
            chance=np.array([_chance(item) for item in self.items]),
        )

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """For each item "category/subcategory"."""
        return tuple(f"{item.category}/{item.subcategory}" for item in self.items)

    @cached_property
    def ranks(self) -> list[ranks.Rank]:
        """Of its models, in their order."""
        return ranks.ranks(self.scores.values, self.scores.clusters, self.draws, self.seed)

    @cached_property
    def hardest(self) -> Floats:
        """(models, groups): how surely a subcategory is among a model's hardest; groups in the order of their names
        (`shrinkage.among_hardest`)."""
        values, clusters = self.scores.values, self.scores.clusters
        return shrinkage.among_hardest(values, clusters, self.groups, HARDEST, self.draws, self.seed)

    def versus(self) -> Iterator[tuple[int, int, Data]]:
        """Every pair of models by their places: the first's accuracy less the second's, with interval and p."""
        for a in range(len(self.entries)):
            for b in range(a + 1, len(self.entries)):
                yield a, b, self.pair(a, b)

    def pair(self, a: int, b: int) -> Data:
        """The paired difference of two models by their places, with the permutation test's p; templates stay whole."""
        values, clusters = self.scores.values, self.scores.clusters
        found = paired.difference(values[a], values[b], clusters)
        p = paired.permutation(values[a], values[b], clusters, seed=self.seed)
        return {"difference": found.value, "low": found.low, "high": found.high, "p": p}


def sheets(store: Store, registry: Registry, draws: int = DRAWS, seed: int = 0) -> list[Sheet]:
    """The columns of a board, sorted by key.

    Raises:
        AkbError: there is no board, it is empty, or entries of one column were asked different items.
    """
    columns: dict[str, list[Entry]] = {}
    for entry in store.entries():
        columns.setdefault(entry.column.key, []).append(entry)
    if not columns:
        raise AkbError(
            "the board is empty", where=str(store.folder), fix="Add runs: akb leaderboard add RUN --board DIR"
        )
    return [_sheet(store, registry, columns[key], draws, seed) for key in sorted(columns)]


def _sheet(store: Store, registry: Registry, entries: list[Entry], draws: int, seed: int) -> Sheet:
    first = min(entries, key=lambda entry: entry.model)
    for entry in entries:
        admission.comparable(entry, [first], where=str(store.entry_path(entry)))
    names = [str(name) for name in first.manifest.identity.get("categories", ())]
    place = {name: number for number, name in enumerate(names)}
    kept = store.items(first)

    def order(item: BoardItem) -> tuple[int, str, int, str, str]:
        sub = f"{item.category}/{item.subcategory}"
        late = len(place)
        return place.get(item.category, late), item.category, place.get(sub, late), item.subcategory, item.id

    return Sheet(
        column=first.column,
        entries=tuple(sorted(entries, key=lambda entry: entry.model)),
        items=tuple(sorted((kept[name] for name in first.answers.ids), key=order)),
        titles=_titles(registry, first.bank),
        facts={entry.model: facts(entry, store.file.models.get(entry.model, Facts()), registry) for entry in entries},
        draws=draws,
        seed=seed,
    )


def _titles(registry: Registry, bank: str) -> dict[str, str]:
    folder = registry.folders.get(bank)
    found: dict[str, str] = {}
    for category in folder.taxonomy.categories if folder is not None and folder.taxonomy is not None else ():
        found[category.name] = category.title
        found.update({f"{category.name}/{sub.name}": sub.title for sub in category.subcategories})
    return found


def _chance(item: BoardItem) -> float:
    """The share of an item's options that are right: what guessing earns."""
    from akb.tasks.judging import same_text

    if not item.options:
        return 0.0
    key = item.options[item.answer]
    return sum(option == key or same_text(option, key) for option in item.options) / len(item.options)


def facts(entry: Entry, own: Facts, registry: Registry) -> Facts:
    """What is known of a model: what the board's maker says, else what its card says; the rest is None."""
    fingerprint = entry.manifest.identity.get("parties", {}).get("model", {})
    told: Data = {}
    try:
        card = registry.card(str(entry.manifest.config.get("model", entry.model)))
    except AkbError:
        card = None
    if card is not None:
        # Path.exists raises for a name that can be no path
        local = os.path.exists(card.model) or card.model.startswith((".", "/"))  # noqa: PTH110
        told = {
            "family": card.family or None,
            "params_b": card.params_b,
            "access": {"": None, "proprietary": "proprietary"}.get(card.license, "open"),
            "repository": card.model if "/" in card.model and not local else None,
        }
    if str(fingerprint.get("adapter", "")).startswith("baseline/"):
        told["access"] = "baseline"
    return Facts(**{**told, **own.model_dump(exclude_none=True)})


# -- BOARD -----------------------------------------------------------------------------------------------------


def board(store: Store, found: Sequence[Sheet], registry: Registry, built: str) -> Data:
    """What the board's page shows, by the schema of BOARD.

    Args:
        built: ISO time.
    """
    results: dict[str, Data] = {}
    known: dict[str, Facts] = {}
    everyone = [entry for sheet in found for entry in sheet.entries]
    for sheet in found:
        known |= sheet.facts
        for number, entry in enumerate(sheet.entries):
            results.setdefault(entry.model, {})[sheet.column.key] = result(sheet, number, everyone, registry)
    models = [
        {"slug": slug(name), "name": name, **known[name].model_dump(mode="json"), "results": results[name]}
        for name in sorted(results)
    ]
    return {
        "title": store.file.title,
        "built": built,
        "akb": version("akb"),
        "notes": list(store.file.notes),
        "columns": [_column(sheet) for sheet in found],
        "models": models,
        "families": {sheet.column.key: family(sheet) for sheet in found},
    }


def _column(sheet: Sheet) -> Data:
    tree: dict[str, Counter[str]] = {}
    for item in sheet.items:
        if item.category:
            tree.setdefault(item.category, Counter())[item.subcategory] += 1

    def named(name: str, title: str, n: int) -> Data:
        return {"name": name, "title": sheet.titles.get(title, name), "n": n}

    categories = [
        named(category, category, subs.total())
        | {"subcategories": [named(sub, f"{category}/{sub}", n) for sub, n in subs.items() if sub]}
        for category, subs in tree.items()
    ]
    where = sheet.column
    head = {"key": where.key, "task": where.task, "taskslug": where.taskslug, "version": where.version}
    chance = float(sheet.scores.chance.mean())
    told = {"protocol": where.protocol, "setting": where.setting, "n": len(sheet.items), "chance": chance}
    return {**head, **told, "categories": categories}


def result(sheet: Sheet, number: int, everyone: Sequence[Entry], registry: Registry) -> Data:
    """A model's numbers in a column; `everyone` are the entries of all columns."""
    entry, scores = sheet.entries[number], sheet.scores
    averages = intervals.averages(scores, entry.model)
    statuses = Counter(entry.answers.status)
    values, n, rank = scores.values[number], len(sheet.items), sheet.ranks[number]
    counts = entry.answers.counts
    good, right = sum(one.good for one in counts), sum(one.right for one in counts)
    kept = {item.id: item for item in sheet.items}
    return {
        "n": n,
        "clusters": averages.micro.clusters,
        "accuracy": averages.micro.value,
        "low": averages.micro.low,
        "high": averages.micro.high,
        "wilson": list(wilson(float(values.sum()), n)),
        "macro": None if averages.macro is None else averages.macro.value,
        "macro_sub": None if averages.macro_sub is None else averages.macro_sub.value,
        "chance_corrected": averages.above_chance.value,
        "not_ok": admission.not_ok(entry),
        "coverage": 1 - entry.answers.status.count("error") / n,
        "readable": right / good if good else None,
        "by_chance": (float(values.sum()) + _guessed(sheet, entry)) / n,
        "statuses": dict(sorted(statuses.items())),
        "rank": [rank.low, rank.high],
        "rank_point": rank.rank,
        "best": rank.best,
        "flags": admission.flags(entry, everyone, registry, kept),
        "categories": _parts(sheet, values, scores.categories),
        "subcategories": _subcategories(sheet, values),
    }


def _guessed(sheet: Sheet, entry: Entry) -> float:
    """What guessing would have earned where an answer was not ok: an item's chance times its share of such answers."""
    counts = dict(zip(entry.answers.ids, entry.answers.counts, strict=True))
    bad = [1 - counts[item.id].good / counts[item.id].asked for item in sheet.items]
    return float(sheet.scores.chance @ np.array(bad))


def _parts(sheet: Sheet, values: Floats, names: Sequence[str]) -> dict[str, Data]:
    """Accuracy with interval of each named part, in the order of the items."""
    of, found = np.array(names), {}
    for name in dict.fromkeys(names):
        if name.strip("/"):
            part = of == name
            one = intervals.average(values[part], sheet.scores.clusters[part])
            found[name] = {"n": one.n, "accuracy": one.value, "low": one.low, "high": one.high}
    return found


def _subcategories(sheet: Sheet, values: Floats) -> dict[str, Data]:
    if not any(item.subcategory for item in sheet.items):
        return {}
    found = _parts(sheet, values, sheet.groups)
    if len(set(sheet.groups)) < 2:
        return {name: {**one, "shrunk": None, "shrunk_low": None, "shrunk_high": None} for name, one in found.items()}
    for one in shrinkage.subcategories(values, sheet.scores.clusters, sheet.groups):
        if one.name in found:
            found[one.name] |= {"shrunk": one.value, "shrunk_low": one.low, "shrunk_high": one.high}
    return found


def family(sheet: Sheet) -> Data:
    """Neighbours by accuracy with Holm's p over them, Cochran's Q over all models but baselines, and the smallest
    difference between two models that the column can show (80 % power, 5 % level before Holm, the neighbours' mean
    discordance and design effect, the latter at least 1)."""
    scores = sheet.scores
    means = scores.values.mean(axis=1)
    order = sorted(range(len(means)), key=lambda i: (-means[i], scores.models[i]))
    pairs = list(pairwise(order))
    found = [sheet.pair(a, b) for a, b in pairs]
    adjusted = paired.holm([one["p"] for one in found])
    told = [
        {"a": slug(scores.models[a]), "b": slug(scores.models[b]), **one, "p_holm": p}
        for (a, b), one, p in zip(pairs, found, adjusted, strict=True)
    ]
    least = power.detectable_between([scores.values[a] - scores.values[b] for a, b in pairs], scores.clusters)
    return {"neighbours": told, "cochran": _cochran(sheet), "mdd": least}


def _cochran(sheet: Sheet) -> Data | None:
    tested = [number for number, name in enumerate(sheet.scores.models) if sheet.facts[name].access != "baseline"]
    values = sheet.scores.values[tested]
    if len(tested) < 2 or not np.isin(values, (0.0, 1.0)).all():
        return None
    found = paired.cochran(values)
    return {"q": found.q, "p": found.p} if found.df else None
