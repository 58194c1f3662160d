"""Clusters that cross strata, tables or signs: what they do to variances, draws and what questions are worth."""

from __future__ import annotations

import numpy as np
import pytest

from akb.stats import resampling
from akb.stats.intervals import moments, resampled
from akb.stats.power import detectable, detectable_between
from akb.stats.scores import Scores
from akb.stats.shrinkage import hardest, subcategories

RANDOM = np.random.default_rng(11)


def test_a_cluster_in_several_strata_is_one_in_the_macro_variance() -> None:
    """By hand: each stratum's residuals of a cluster, each by the root of what it leaves of the stratum, added up."""
    clusters, strata = RANDOM.integers(25, size=200), RANDOM.integers(3, size=200)
    x = (RANDOM.random(200) < 0.3 + 0.5 * RANDOM.random(25)[clusters]).astype(float)
    sums = dict.fromkeys(range(25), 0.0)
    for stratum in range(3):
        own = x[strata == stratum]
        for cluster in range(25):
            one = x[(strata == stratum) & (clusters == cluster)]
            sums[cluster] += (one - own.mean()).sum() / len(own) / 3 / np.sqrt(1 - len(one) / len(own))
    found = moments(x, clusters, strata.astype(str))
    assert found.variance == pytest.approx(sum(one**2 for one in sums.values()), rel=1e-9)
    nested = moments(x, clusters + 25 * strata, strata.astype(str))
    assert found.variance > 1.2 * nested.variance  # clusters that answer alike in all strata are fewer


@pytest.mark.parametrize("answers", [[1.0, 0, 1, 0, 0, 1, 1, 0], [1.0, 1, 0, 0, 1, 1, 1, 1]], ids=["unlike", "alike"])
def test_a_stratum_that_is_one_cluster_takes_no_part_in_the_degrees_of_freedom(answers: list[float]) -> None:
    """Within clusters no answers are alike, or all are, with the stratum and without it."""
    x, strata = np.array(answers), np.array(["a"] * 3 + ["b"] * 3 + ["c"] * 2)
    of = np.array([0, 0, 1, 2, 3, 3, 9, 9])
    found, others = moments(x, of, strata), moments(x[:6], of[:6], strata[:6])
    assert found.df == pytest.approx(others.df)
    assert 0 < found.df < 4


@pytest.mark.parametrize("size", range(2, 20, 3))
def test_however_large_a_stratum_that_is_one_cluster_is_degrees_of_freedom_are_of_the_others(size: int) -> None:
    of = np.append(np.arange(60) % 12, [12] * size)
    x = (RANDOM.random(60 + size) < 0.2 + 0.6 * RANDOM.random(13)[of]).astype(float)
    strata = np.append(np.array(["a", "b"])[of[:60] % 2], ["c"] * size)
    assert 9 < moments(x, of, strata).df < 10 + 1e-9  # twelve clusters of one size, in two strata


def test_a_group_that_is_one_cluster_has_its_questions_drawn() -> None:
    x = np.array([1.0, 0] * 10)
    drawn = resampled(x, np.repeat([0, 1], 10), 4000, 0, np.repeat([0, 1], 10))
    assert drawn[:, 0].std(axis=0) == pytest.approx([np.sqrt(0.25 / 10)] * 2, rel=0.05)
    groups = ["one template"] * 10 + ["many"] * 10
    chances = {g.name: g.chance for g in hardest(x, [0] * 10 + list(range(1, 11)), groups, k=1, draws=4000)}
    assert chances["one template"] == pytest.approx(0.5, abs=0.03)  # both are half right


def test_where_templates_are_more_even_than_chance_a_question_is_worth_no_more_than_one() -> None:
    """Each template has one answer that is right and one that is wrong, so that its mean never moves."""
    even, pairs = np.tile([1.0, 0.0], 40), np.arange(80) // 2
    assert [g.n for g in subcategories(even, pairs, ["a"] * 40 + ["b"] * 40)] == [40, 40]
    apart = np.tile([1.0, -1.0], 40)
    assert detectable_between([apart], pairs) == detectable_between([apart], np.arange(80)) == detectable(80, 1.0)


def test_questions_of_one_table_and_of_both_are_drawn_each_in_their_number() -> None:
    """All questions of a kind are answered alike: r moves only if a draw changes how many of a kind there are."""
    names, chance = tuple(f"m{n}" for n in range(6)), np.full(20, 0.25)
    alone_x, both, alone_y = (np.repeat(RANDOM.random((6, 1)), 10, axis=1) for _ in range(3))
    own = [tuple(f"{tag}{n}" for n in range(10)) for tag in ("x", "both", "y")]
    alone, blank = ((),) * 20, ("",) * 20
    x = Scores(names, own[0] + own[1], np.hstack([alone_x, both]), alone, blank, blank, chance)
    y = Scores(names, own[1] + own[2], np.hstack([both, alone_y]), alone, blank, blank, chance)
    got = resampling.joint(x, y, draws=200)
    assert got.clusters == 30
    assert (got.items_low, got.items_high) == pytest.approx((got.r, got.r))


def test_what_questions_add_is_the_delta_method_less_the_noise_of_single_models() -> None:
    """By hand, with slopes of Fisher's z by finite differences, model by model and cluster by cluster."""
    knows, favoured = np.arange(12) % 2, np.repeat(RANDOM.random(10) < 0.5, 6)
    chance = np.stack([0.3 + 0.03 * np.arange(12)[:, None] + 0.3 * knows[:, None] * favoured] * 2)
    tables = (RANDOM.random((2, 12, 60)) < chance).astype(float)
    names, blank = tuple(f"m{n}" for n in range(12)), ("",) * 60
    x, y = (Scores(names, tuple(f"{tag}{n}" for n in range(60)), values, tuple((f"{tag}t{n // 6}",) for n in range(60)),
                   blank, blank, np.full(60, 0.25)) for tag, values in zip("xy", tables, strict=True))  # fmt: skip
    means = [values.mean(axis=1) for values in tables]
    together = alone = 0.0
    for side, values in enumerate(tables):
        slopes = []
        for model in range(12):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [mean.copy() for mean in means]
                moved[side][model] += step
                ends.append(np.arctanh(np.corrcoef(*moved)[0, 1]))
            slopes.append((ends[0] - ends[1]) / 2e-6)
        for cluster in range(10):
            own = slice(6 * cluster, 6 * cluster + 6)
            errors = (values[:, own] - means[side][:, None]).sum(axis=1) / 60
            parts = (errors - errors.mean()) * np.array(slopes)
            together, alone = together + parts.sum() ** 2, alone + (parts**2).sum() * 12 / 11
    assert together > 1.2 * alone
    assert resampling.joint(x, y, draws=50).added == pytest.approx(together - alone, rel=1e-4)
