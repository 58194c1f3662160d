"""Means with cluster-robust intervals, against statsmodels, closed forms and sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from akb.stats.intervals import Estimate, _alike, _df, average, averages, corrected, design_effect, moments, resampled
from akb.stats.proportion import wilson
from akb.stats.scores import Scores

RANDOM = np.random.default_rng(4)
CLUSTERS = RANDOM.integers(60, size=300)
VALUES = (RANDOM.random(300) < 0.4 + 0.5 * RANDOM.random(60)[CLUSTERS]).astype(float)
STRATA = np.array(["a", "b", "c"])[CLUSTERS % 3]


def cr2(x: np.ndarray, design: np.ndarray, contrast: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """The variance and degrees of freedom by their definition, with full matrices."""
    inverse = np.linalg.inv(design.T @ design)
    hat = design @ inverse @ design.T
    residual = x - hat @ x
    variance, parts = 0.0, []
    for one in np.unique(clusters):
        rows = np.flatnonzero(clusters == one)
        value, vector = np.linalg.eigh(np.eye(len(rows)) - hat[np.ix_(rows, rows)])
        root = vector @ np.diag(value**-0.5) @ vector.T
        score = contrast @ inverse @ design[rows].T @ root
        variance += float(score @ residual[rows]) ** 2
        parts.append((np.eye(len(x)) - hat)[:, rows] @ score)
    p = np.array(parts) @ np.array(parts).T
    return variance, float(np.trace(p) ** 2 / (p**2).sum())


def test_the_variance_and_its_degrees_of_freedom_are_those_of_the_definition() -> None:
    found = moments(VALUES, CLUSTERS)
    variance, df = cr2(VALUES, np.ones((300, 1)), np.ones(1), CLUSTERS)
    assert (found.variance, found.df) == pytest.approx((variance, df), rel=1e-9)
    assert df < len(np.unique(CLUSTERS)) - 1


@pytest.mark.parametrize("alike", [0.0, 0.3, 1.0])
def test_the_degrees_of_freedom_are_those_of_the_definition_where_a_clusters_items_are_alike(alike: float) -> None:
    sizes = np.array([40.0, 9, 9, 1, 1, 1, 5])
    share, n = sizes / sizes.sum(), sizes.sum()
    residuals = (np.eye(7) - np.outer(share, np.ones(7))) / np.sqrt(1 - share)[:, None] / n  # of sums of clusters
    m = residuals @ np.diag(sizes * (1 - alike) + sizes**2 * alike) @ residuals.T
    found = _df(sizes, np.zeros(7, dtype=int), np.array([n]), alike)
    assert found == pytest.approx(np.trace(m) ** 2 / np.trace(m @ m))


def test_how_alike_clusters_are_is_the_adjusted_r_squared_of_a_regression_on_them() -> None:
    x = np.where(RANDOM.random(300) < 0.6, VALUES[CLUSTERS], VALUES)
    fitted = sm.OLS(x, np.equal.outer(CLUSTERS, np.unique(CLUSTERS)).astype(float)).fit()
    found = _alike(x, np.unique(CLUSTERS, return_inverse=True)[1], np.zeros(300, dtype=int), np.array([x.mean()]))
    assert found == pytest.approx(fitted.rsquared_adj)
    assert 0.2 < found < 0.8


def test_a_few_large_templates_whose_questions_go_together_count_as_few() -> None:
    sizes = [60, 30, 20, *[1] * 40]
    of = np.repeat(np.arange(43), sizes)
    together = average(np.repeat(np.arange(43) % 2.0, sizes), of)
    mixed = average(np.concatenate([np.arange(n) % 2.0 for n in sizes]), of)
    assert together.df < 3 < mixed.df


def test_the_macro_variance_is_that_of_a_regression_on_the_strata() -> None:
    found = moments(VALUES, CLUSTERS, STRATA)
    design = (STRATA[:, None] == np.unique(STRATA)).astype(float)
    variance, df = cr2(VALUES, design, np.full(3, 1 / 3), CLUSTERS)
    assert (found.variance, found.df) == pytest.approx((variance, df), rel=1e-9)
    assert found.value == pytest.approx(np.mean([VALUES[s == STRATA].mean() for s in "abc"]))


def test_with_clusters_of_one_size_it_is_the_cluster_robust_variance_of_statsmodels() -> None:
    clusters = np.arange(300) // 5
    fitted = sm.OLS(VALUES, np.ones(300)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    found = average(VALUES, clusters, form="linear")
    assert found.error == pytest.approx(fitted.bse[0])  # CR2 is CR1 there
    assert (found.low, found.high) == pytest.approx(tuple(fitted.conf_int()[0]))
    assert found.df == pytest.approx(59)


def test_independent_questions_give_the_t_interval_of_a_mean_and_nearly_wilsons() -> None:
    alone = np.arange(300)
    found = average(VALUES, alone, form="linear")
    reach = student.ppf(0.975, 299) * VALUES.std(ddof=1) / math.sqrt(300)
    assert (found.low, found.high) == pytest.approx((found.value - reach, found.value + reach))
    score = average(VALUES, alone)
    assert (score.low, score.high) == pytest.approx(wilson(VALUES.sum(), 300), abs=1e-3)


def test_the_ends_of_the_interval_solve_the_score_equation() -> None:
    found, at = average(VALUES, CLUSTERS), moments(VALUES, CLUSTERS)
    n = at.value * (1 - at.value) / at.variance
    for end in (found.low, found.high):
        reach = student.ppf(0.975, at.df) * math.sqrt(end * (1 - end) / n)
        assert abs(at.value - end) == pytest.approx(reach)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=60), st.randoms())
def test_order_and_names_of_questions_change_nothing_and_wrong_for_right_mirrors(
    asked: list[tuple[bool, int]], random: object
) -> None:
    x, of = np.array([float(a) for a, _ in asked]), np.array([c for _, c in asked])
    found = average(x, of)
    order = np.random.default_rng(len(asked)).permutation(len(asked))
    other = average(x[order], 17 - of[order])
    mirror = average(1 - x, of)
    assert (other.low, other.high) == pytest.approx((found.low, found.high))
    assert (mirror.low, mirror.high) == pytest.approx((1 - found.high, 1 - found.low))
    assert -1e-12 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1 + 1e-12


def test_all_right_counts_as_many_questions_as_there_are_templates() -> None:
    found = average(np.ones(40), np.arange(40) // 4)
    q = student.ppf(0.975, 9) ** 2
    assert (found.low, found.high) == pytest.approx((10 / (10 + q), 1))


def test_one_cluster_says_nothing_of_its_spread() -> None:
    found = average([1, 0, 1], [5, 5, 5])
    assert (found.low, found.high) == (0, 1)
    assert math.isnan(found.error)


def test_a_stratum_that_is_one_cluster_borrows_the_others_spread() -> None:
    x, of = np.array([1.0, 0, 1, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 3, 4, 5, 9, 9])
    strata = ["a", "a", "a", "b", "b", "b", "c", "c"]
    assert moments(x, of, strata).variance == pytest.approx((1 / 3 * 2 / 3 / 2) * 2 / 9 * 3 / 2)


def test_a_score_above_chance_is_one_for_perfect_and_zero_for_guessing() -> None:
    found = corrected(Estimate(0.625, 0.25, 1.0, 0.03, 9, 10, 10), 0.25)
    assert (found.value, found.low, found.high, found.error) == pytest.approx((0.5, 0, 1, 0.04))
    with pytest.raises(ValueError, match="chance"):
        corrected(found, 1.0)


def table(values: np.ndarray) -> Scores:
    n = values.shape[1]
    categories = tuple("ab"[i % 4 == 3] for i in range(n))
    names = tuple(f"i{i}" for i in range(n))
    subs = tuple(f"s{i % 2}" for i in range(n))
    return Scores(("m", "w"), names, values, ((),) * n, categories, subs, np.full(n, 0.25))


def test_a_models_averages_weigh_questions_categories_or_subcategories_alike() -> None:
    values = np.array([[1.0, 1, 1, 0] * 10, [0.0] * 40])
    found = averages(table(values), "m")
    assert found.macro is not None
    assert found.macro_sub is not None
    assert found.micro.value == 0.75
    assert found.macro.value == 0.5
    assert found.macro_sub.value == pytest.approx((1 + 1 + 0) / 3)  # a/s0, a/s1, b/s1
    assert found.above_chance.value == pytest.approx(2 / 3)


def test_the_design_effect_is_one_alone_and_the_size_where_clusters_answer_as_one() -> None:
    assert design_effect(VALUES, np.arange(300)) == pytest.approx(1)
    alike = np.repeat(VALUES[:100], 3)
    wanted = (VALUES[:100].var(ddof=1) / 100) / (alike.var(ddof=1) / 300)
    assert design_effect(alike, np.arange(300) // 3) == pytest.approx(wanted)
    assert design_effect(np.ones(5), np.arange(5)) == 1


def test_the_bootstrap_spreads_as_the_formula_says_and_is_the_same_for_the_same_seed() -> None:
    rows = np.stack([VALUES, 1 - VALUES])
    drawn = resampled(rows, CLUSTERS, 4000, seed=3)
    assert np.allclose(drawn.sum(axis=1), 1)  # both rows met the same questions
    assert drawn[:, 0].std() == pytest.approx(math.sqrt(moments(VALUES, CLUSTERS).variance), rel=0.06)
    assert np.array_equal(drawn, resampled(rows, CLUSTERS, 4000, seed=3))
    assert not np.array_equal(drawn, resampled(rows, CLUSTERS, 4000, seed=4))
    parts = resampled(rows, CLUSTERS, 500, 0, np.unique(STRATA, return_inverse=True)[1])
    assert parts.shape == (500, 2, 3)
    assert parts[:, 0].mean(axis=0) == pytest.approx([VALUES[s == STRATA].mean() for s in "abc"], abs=0.02)


@pytest.mark.parametrize(
    ("values", "clusters", "told"),
    [
        ([], [], "one or more"),
        ([1.0, np.nan], [0, 1], "missing"),
        ([1.0, 0.0], [0], "one number"),
        ([1.0, 2.0], [0, 1], "from 0 to 1"),
    ],
)
def test_what_cannot_be_averaged_is_one_clear_error(values: list[float], clusters: list[int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        average(values, clusters)
