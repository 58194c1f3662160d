"""The captioner x reader table (table 2 of arXiv 2603.19195): every reader with every captioner's captions, the
controls beside it, what the differences are worth, and how much of them each factor explains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akb.cascades.captions import Captions
from akb.cascades.controls import FEW_CLUSTERS, OPTIONS, QUESTION, alike, controls, unheard
from akb.cascades.leaks import held_by
from akb.cascades.report import few_templates, signed
from akb.plan import RunConfig
from akb.run import Run
from akb.stats.factors import Factor, factors
from akb.stats.intervals import average
from akb.stats.paired import difference, holm, permutation
from akb.stats.scores import Floats, Scores
from akb.types import Clip

FEW_ITEMS = 200
FACTORS = ("captioner", "reader", "captioner x reader")
MEAN = ""  # in place of a reader or a row: the mean over them


def other(captioner: str) -> str:
    """The row of the control in which a reader is shown a captioner's caption of another item."""
    return f"another item's caption, {captioner}"


def rows(config: RunConfig, captioners: Mapping[str, str]) -> dict[str, RunConfig]:
    """The runs of one reader by the table's rows: the captioners, the question only, the options only, and for each
    captioner another item's caption.

    Args:
        config: the reader's settings; `listen` and `control` are set here.
        captioners: by name, what `--listen caption:` is followed by.
    """
    heard, alone, others = dict[str, RunConfig](), dict[str, RunConfig](), dict[str, RunConfig]()
    for name, typed in captioners.items():
        heard[name] = config.model_copy(update={"listen": f"caption:{typed}", "control": "none"})
        for label, control in controls(heard[name]).items():
            if label in (QUESTION, OPTIONS):
                alone.setdefault(label, control)
            else:
                others[other(name)] = control
    return {**heard, **alone, **others}


# -- what is shown -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """An accuracy from 0 to 1 with its 95 % interval, cluster-robust (`intervals.average`).

    Attributes:
        row: captioner or control; empty: the mean over the captioners.
        reader: empty: the mean over the readers.
        group: the benchmark's category; empty: all questions. "macro": the mean of the categories.
    """

    row: str
    reader: str
    accuracy: float
    low: float
    high: float
    n: int
    group: str = ""


@dataclass(frozen=True)
class Test:
    """Two rows, or two readers, on the same questions; shares from 0 to 1.

    Attributes:
        family: which tests Holm's p is taken over.
        difference: the first's accuracy less the second's, averaged over the readers (or captioners), with its
            95 % interval (`paired.difference`).
        p: of the paired permutation of clusters.
    """

    family: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    holm: float


@dataclass(frozen=True)
class Said:
    """What a captioner's captions are like.

    Attributes:
        clips: described ones of the task; empty, refused, without: of these, said nothing, refused, without a caption.
        cut: ended by the captioner's budget of tokens, or cut to what a reader is shown.
        partly: clips that were not heard to their end.
        questions: asked with captions; given_away: of these, how many captions hold the key's words and no other
            option's; wrong_way: how many hold those of one other option alone.
        apart: of these, how many tell options apart by their words (`leaks.tells_apart`).
        gain: accuracy less that of the question only where they do not, mean over the readers, with its 95 % interval
            and p; None where there are no such questions.
    """

    captioner: str
    clips: int
    empty: int
    refused: int
    without: int
    cut: int
    partly: int
    questions: int
    given_away: int
    wrong_way: int
    apart: int
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class Matrix:
    """The runs of a captioner x reader table.

    Attributes:
        task: its label.
        runs: by row and reader; all of them.
        captions: of each captioner; clips: those of the task that are heard.
    """

    task: str
    captioners: tuple[str, ...]
    readers: tuple[str, ...]
    runs: Mapping[tuple[str, str], Run]
    captions: Mapping[str, Captions]
    clips: Sequence[Clip]
    seed: int = 0

    @property
    def rows(self) -> tuple[str, ...]:
        """The table's rows: captioners, then controls."""
        return (*self.captioners, QUESTION, OPTIONS, *map(other, self.captioners))

    @cached_property
    def scores(self) -> Scores:
        """Every run on the questions that all were asked, row by row."""
        return Scores.of({f"{reader}, {row}": self.runs[row, reader] for row in self.rows for reader in self.readers})

    @cached_property
    def cells(self) -> Floats:
        """(rows, readers, items): each question's score."""
        return self.scores.values.reshape(len(self.rows), len(self.readers), -1)

    @cached_property
    def said(self) -> list[Said]:
        """What the captions are like, by captioner."""
        return [self._said(name) for name in self.captioners]

    @cached_property
    def factors(self) -> tuple[Factor, Factor, Factor] | None:
        """Captioner (rows), reader (columns), both together; None with one of either, or with one cluster."""
        if min(len(self.captioners), len(self.readers)) < 2 or not self.scores.clusters.any():
            return None
        return factors(self._heard, self.scores.clusters, seed=self.seed)

    @property
    def incomplete(self) -> list[str]:
        """The runs in which answers are missing."""
        return [f"{reader}, {row}" for (row, reader), run in self.runs.items() if run.manifest.status != "finished"]

    def shares(self) -> list[Share]:
        """Each cell, each row's mean over the readers, and each reader's over the captioners."""
        return [self._share(row, reader) for row in (*self.rows, MEAN) for reader in (*self.readers, MEAN)]

    def groups(self) -> list[Share]:
        """By the benchmark's own categories, and their mean (macro); empty where there are fewer than two."""
        names = list(dict.fromkeys(self.scores.categories))
        if len(names) < 2:
            return []
        return [self._share(row, reader, group) for row in (*self.rows, MEAN) for reader in (*self.readers, MEAN)
                for group in ("macro", *names)]  # fmt: skip

    def tests(self) -> list[Test]:
        """The four families of paired tests, each with Holm's p."""
        by_row = {row: self._values(row, MEAN) for row in (*self.rows, MEAN)}
        by_reader = {reader: self._values(MEAN, reader) for reader in self.readers}
        families = {
            "captioners": (by_row, list(combinations(self.captioners, 2))),
            "readers": (by_reader, list(combinations(self.readers, 2))),
            "captions against the question only": (by_row, [(name, QUESTION) for name in self.captioners]),
            "another item's caption against the question only": (
                by_row, [(other(name), QUESTION) for name in self.captioners]),
        }  # fmt: skip
        return [test for name, (values, pairs) in families.items() for test in self._family(name, values, pairs)]

    def notes(self) -> Iterator[str]:
        """What a reader of the table should know, in words."""
        for name in self.incomplete:
            yield f"INCOMPLETE: {name}: some answers are errors; the same command asks these again"
        if more := max(sum(1 for _ in run.judged()) for run in self.runs.values()) - len(self.scores.items):
            yield f"{more:,} questions are left out that not all were asked"
        for row in self.rows:
            if missing := max(unheard(self.runs[row, reader]) for reader in self.readers):
                yield f"{row}: {missing:,} questions could not be heard (no audio, or no caption): counted as wrong"
        yield from map(self._same_words, filter(self._alike, self.captioners))
        if idle := [name for name in self.readers if self._is_idle(name)]:
            yield f"{', '.join(idle)}: reads nothing, and is in every mean, test and factor as other readers are"
        if self.factors is None:
            yield "what each factor explains is left out: it takes two captioners, two readers and two templates"
        n, count = len(self.scores.items), len(set(self.scores.clusters))
        if n < FEW_ITEMS:
            yield f"few questions ({n}): only large differences can be seen"
        if count < FEW_CLUSTERS and count < n:
            yield few_templates(count)

    def to_dict(self) -> dict[str, Any]:
        """For --json."""
        first = self.runs[self.rows[0], self.readers[0]].manifest
        parts = None if self.factors is None else dict(zip(FACTORS, map(asdict, self.factors), strict=True))
        return {
            "task": self.task, "protocol": first.identity["protocol"], "n": len(self.scores.items),
            "clusters": len(set(self.scores.clusters)), "captioners": self.captioners, "readers": self.readers,
            "rows": self.rows, "chance": float(self.scores.chance.mean()),
            "cells": [asdict(one) for one in self.shares()], "groups": [asdict(one) for one in self.groups()],
            "tests": [asdict(one) for one in self.tests()], "factors": parts,
            "captions": [asdict(one) for one in self.said], "notes": list(self.notes()),
            "incomplete": self.incomplete,
            "runs": {row: {reader: str(self.runs[row, reader].path) for reader in self.readers} for row in self.rows},
        }  # fmt: skip

    # -- how it is computed --

    @property
    def _heard(self) -> Floats:
        """The cells of the captioners."""
        return self.cells[: len(self.captioners)]

    def _values(self, row: str, reader: str) -> Floats:
        """Each question's score in a cell, or its mean over readers, captioners or both."""
        part = self._heard if row == MEAN else self.cells[[self.rows.index(row)]]
        part = part if reader == MEAN else part[:, [self.readers.index(reader)]]
        return np.asarray(part.mean(axis=(0, 1)), dtype=np.float64)

    def _share(self, row: str, reader: str, group: str = "") -> Share:
        values, clusters = self._values(row, reader), self.scores.clusters
        if group == "macro":
            found = average(values, clusters, self.scores.categories)
        else:
            kept = np.array([group in ("", own) for own in self.scores.categories])
            found = average(values[kept], clusters[kept])
        return Share(row, reader, found.value, found.low, found.high, found.n, group)

    def _family(self, name: str, values: Mapping[str, Floats], pairs: Sequence[tuple[str, str]]) -> list[Test]:
        found = [self._test(name, one, two, values[one], values[two]) for one, two in pairs]
        return [replace(test, holm=p) for test, p in zip(found, holm([t.p for t in found]), strict=True)]

    def _test(self, family: str, first: str, second: str, a: Floats, b: Floats,
              kept: NDArray[np.bool_] | None = None) -> Test:  # fmt: skip
        of = self.scores.clusters
        if kept is not None:
            a, b, of = a[kept], b[kept], of[kept]
        gap, p = difference(a, b, of), permutation(a, b, of, seed=self.seed)
        return Test(family, first, second, gap.value, gap.low, gap.high, p, p)

    def _said(self, name: str) -> Said:
        captions = self.captions[name]
        own = [captions.of(clip) for clip in self.clips]
        states = Counter[str](caption.state for caption in own)
        cut = sum(captions.of(clip).cut or captions.shortened(clip) for clip in self.clips)
        partly = sum(caption.beyond is not None for caption in own)
        found = held_by(self.runs[name, self.readers[0]])
        without = states["error"] + states["unheard"]
        said = Said(name, len(own), states["empty"], states["refused"], without, cut, partly,
                    len(found.apart), found.given_away, found.wrong_way, sum(found.apart.values()))  # fmt: skip
        kept = np.array([not found.apart.get(i, True) for i in self.scores.items])
        if not kept.any():
            return said
        test = self._test("", name, QUESTION, self._values(name, MEAN), self._values(QUESTION, MEAN), kept)
        return replace(said, gain=test.difference, gain_low=test.low, gain_high=test.high, p=test.p)

    def _alike(self, name: str) -> set[str]:
        """The questions for which another item's caption says the same as their own."""
        return alike(self.runs[name, self.readers[0]], self.runs[other(name), self.readers[0]]) & set(self.scores.items)

    def _same_words(self, name: str) -> str:
        """How many they are, and what another item's captions are worth on the others."""
        same = self._alike(name)
        items, shuffled = self.scores.items, other(name)
        told = f"{shuffled}: the same words as the item's own for {len(same):,} of {len(items):,} questions"
        kept = np.array([i not in same for i in items])
        if not kept.any():
            return told
        test = self._test("", shuffled, QUESTION, self._values(shuffled, MEAN), self._values(QUESTION, MEAN), kept)
        gain = f"{signed(test.difference)} ({signed(test.low)} to {signed(test.high)})"
        return f"{told}; on the others its gain over the question only: {gain}"

    def _is_idle(self, reader: str) -> bool:
        parties = self.runs[self.rows[0], reader].manifest.identity["parties"]
        return all("baseline" in str(party.get("adapter")) for party in parties.values())
