"""Coefficients, intervals and permutation p, against scipy, closed forms and the study's tables."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from akb.stats import correlation as c

whole = st.integers(-20, 20).map(float)
scores = st.integers(4, 12).flatmap(
    lambda n: st.tuples(st.lists(whole, min_size=n, max_size=n), st.lists(whole, min_size=n, max_size=n))
)


def vary(pair: tuple[list[float], list[float]]) -> tuple[np.ndarray, np.ndarray]:
    assume(all(len(set(values)) > 1 for values in pair))
    return np.array(pair[0]), np.array(pair[1])


@settings(deadline=None)
@given(scores)
def test_coefficients_are_those_of_scipy(pair: tuple[list[float], list[float]]) -> None:
    x, y = vary(pair)
    assert c.pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)
    assert c.spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
    assert c.kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-9)


@settings(deadline=None)
@given(scores)
def test_order_of_models_and_units_change_nothing(pair: tuple[list[float], list[float]]) -> None:
    x, y = vary(pair)
    order = np.random.default_rng(len(x)).permutation(len(x))
    for coefficient in c.COEFFICIENTS.values():
        assert coefficient(x[order], y[order]) == pytest.approx(coefficient(x, y), abs=1e-12)
        assert coefficient(3 * x + 7, 5 * y - 2) == pytest.approx(coefficient(x, y), abs=1e-9)
        assert coefficient(y, x) == pytest.approx(coefficient(x, y), abs=1e-12)
        assert coefficient(-x, y) == pytest.approx(-coefficient(x, y), abs=1e-12)


@settings(deadline=None)
@given(scores, st.sampled_from((0.8, 0.95)))
def test_fishers_interval_is_that_of_scipy(pair: tuple[list[float], list[float]], confidence: float) -> None:
    x, y = vary(pair)
    assume(abs(c.pearson(x, y)) < 1 - 1e-9)
    got = stats.pearsonr(x, y).confidence_interval(confidence)
    assert c.fisher(c.pearson(x, y), len(x), confidence) == pytest.approx((got.low, got.high), abs=1e-9)


def test_the_t_test_is_that_of_scipy() -> None:
    random = np.random.default_rng(1)
    for n in (4, 9, 17):
        x, y = random.standard_normal((2, n))
        assert c.p_value(c.pearson(x, y), n - 2) == pytest.approx(stats.pearsonr(x, y).pvalue, rel=1e-9)
    assert c.p_value(1.0, 5) == 0
    assert math.isnan(c.p_value(0.5, 0))


def test_bonett_and_wrights_interval_is_wider_than_fishers_by_its_factor() -> None:
    for rho, n in ((0.5, 8), (-0.9, 17)):
        low, high = (math.atanh(end) for end in c.bonett_wright(rho, n))
        straight = [math.atanh(end) for end in c.fisher(rho, n)]
        assert (high - low) / (straight[1] - straight[0]) == pytest.approx(math.sqrt(1 + rho**2 / 2))
        assert (high + low) / 2 == pytest.approx(math.atanh(rho))


def test_three_models_bound_nothing_and_a_perfect_line_has_no_interval() -> None:
    assert c.fisher(0.3, 3) == (-1, 1)
    for r in (1.0, -1.0, 1 - 1e-15):
        assert all(math.isnan(end) for end in (*c.fisher(r, 8), *c.bonett_wright(r, 8)))
    x = np.array([0.1, 0.7, 0.2, 0.9, 1.3])
    assert c.pearson(x, -3 * x + 0.7) == -1
    assert all(math.isnan(end) for end in c.bonett_wright(math.nan, 8))


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_bca_is_that_of_scipy_with_the_same_draws(kind: str) -> None:
    random = np.random.default_rng(2)
    x = random.standard_normal(9)
    y = x + random.standard_normal(9)

    def coefficient(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        if kind == "spearman":
            x, y = stats.rankdata(x, axis=-1), stats.rankdata(y, axis=-1)
        x, y = (v - v.mean(axis=-1, keepdims=True) for v in (x, y))
        found: np.ndarray = (x * y).sum(axis=-1) / np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
        return found

    wanted = stats.bootstrap((x, y), coefficient, paired=True, vectorized=True, n_resamples=2000, method="BCa",
                             rng=np.random.default_rng(5)).confidence_interval  # fmt: skip
    got = c.bca(x, y, kind, draws=2000, seed=5)  # type: ignore[arg-type]
    assert (got.low, got.high) == pytest.approx((wanted.low, wanted.high), abs=3e-3)
    assert got.dropped == 0


def test_bca_drops_constant_draws_and_counts_them() -> None:
    x, y = np.array([1.0, 2, 3, 5]), np.array([2.0, 1, 4, 4.5])
    got = c.bca(x, y, draws=20_000)
    assert got.dropped / 20_000 == pytest.approx(4 / 4**4, abs=0.004)  # all four draws the same model
    assert -1 <= got.low < c.pearson(x, y) < got.high <= 1
    lone = c.bca([1, 1, 1, 2], [1, 2, 3, 4], draws=200)  # without one model x is constant
    assert math.isnan(lone.low)


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 6).flatmap(lambda n: st.tuples(*[st.lists(whole, min_size=n, max_size=n)] * 2)))
def test_the_exact_p_is_the_share_of_all_pairings(pair: tuple[list[float], list[float]]) -> None:
    x, y = vary(pair)
    for kind, coefficient in c.COEFFICIENTS.items():
        seen = abs(coefficient(x, y))
        values = [abs(coefficient(x, np.array(order))) for order in permutations(y)]
        got = c.permutation(x, y, kind)
        assert (got.exact, got.draws) == (True, math.factorial(len(x)))
        assert got.p == pytest.approx(np.mean([value >= seen - 1e-9 for value in values]))


def test_drawn_pairings_come_near_to_all_of_them_and_are_never_zero() -> None:
    random = np.random.default_rng(4)
    x = random.standard_normal(8)
    y = x + random.standard_normal(8)
    for kind in c.COEFFICIENTS:
        exact, drawn = c.permutation(x, y, kind), c.permutation(x, y, kind, exact_up_to=0)
        assert (drawn.exact, drawn.draws) == (False, 99_999)
        assert drawn.p == pytest.approx(exact.p, abs=5 * math.sqrt(exact.p / 99_999))
        assert drawn.p != exact.p
    long = np.arange(17.0)
    assert c.permutation(long, long).p == pytest.approx(1e-5)
    assert math.isnan(c.permutation(np.ones(5), np.arange(5.0)).p)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth() -> None:
    """A small version of benchmarks/correlation_coverage.py."""
    random, held = np.random.default_rng(6), {"fisher": 0, "ranks": 0}
    truth = 6 / math.pi * math.asin(0.8 / 2)
    for _ in range(1500):
        x, noise = random.standard_normal((2, 12))
        y = 0.8 * x + 0.6 * noise
        low, high = c.fisher(c.pearson(x, y), 12)
        held["fisher"] += low <= 0.8 <= high
        low, high = c.bonett_wright(c.spearman(x, y), 12)
        held["ranks"] += low <= truth <= high
    assert held["fisher"] / 1500 == pytest.approx(0.95, abs=0.02)
    assert held["ranks"] / 1500 == pytest.approx(0.95, abs=0.03)


def test_a_constant_score_correlates_with_nothing() -> None:
    assert math.isnan(c.pearson([0.1] * 7, range(7)))
    assert math.isnan(c.spearman([3.0] * 7, range(7)))


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [([1, 2], [1, 2], "3 models"), ([1, 2, 3], [1, 2], "shapes"), ([1, 2, math.nan], [1, 2, 3], "missing")],
)
def test_bad_scores_give_one_clear_error(x: list[float], y: list[float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        c.pearson(x, y)
