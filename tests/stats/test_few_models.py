"""Correlation across few models: its ties, its families, and intervals with something taken out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from akb.stats import correlation, dependence


def by_hand(r: float, n: int) -> tuple[float, float]:
    """Fisher's interval over n models."""
    ends = np.tanh(np.arctanh(r) + np.array([-1, 1]) * stats.norm.ppf(0.975) / math.sqrt(n - 3))
    return float(ends[0]), float(ends[1])


def test_what_is_taken_out_makes_the_interval_as_wide_as_that_many_models_fewer() -> None:
    x, y, z, w = np.random.default_rng(2).standard_normal((4, 14))
    for controls in ((z,), (z, w)):
        got = dependence.partial(x + z, y + z, *controls)
        assert got is not None
        assert (got.low, got.high) == pytest.approx(by_hand(got.r, 14 - len(controls)))
    within = dependence.within(x, y, ["A"] * 6 + ["B"] * 4 + ["C"] * 3 + ["D"])
    assert within is not None
    assert (within.low, within.high) == pytest.approx(by_hand(within.r, 13 - 2))  # the means of two families more


def test_half_of_the_draws_that_tie_with_the_estimate_count_as_below_it() -> None:
    """Spearman's of eight models takes few values: many draws are just what is seen. (Eight mean ranks are exact.)"""
    x, y = np.arange(8.0), np.array([1.0, 0, 2, 4, 3, 7, 5, 6])

    def coefficient(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        x, y = (stats.rankdata(v, axis=-1) for v in (x, y))
        x, y = (v - v.mean(axis=-1, keepdims=True) for v in (x, y))
        found: np.ndarray = (x * y).sum(axis=-1) / np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
        return found

    wanted = stats.bootstrap((x, y), coefficient, paired=True, vectorized=True, n_resamples=4000, method="BCa",
                             rng=np.random.default_rng(5)).confidence_interval  # fmt: skip
    got = correlation.bca(x, y, "spearman", draws=4000, seed=5)
    assert (got.low, got.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


@pytest.mark.parametrize(("of_one", "told"), [(4, False), (5, False), (6, True)])
def test_most_models_are_of_one_family_where_more_than_half_are(of_one: int, told: bool) -> None:
    x, y = np.random.default_rng(3).permuted(np.tile(np.arange(10.0), (2, 1)), axis=1)
    families = ["Qwen"] * of_one + [f"other {n}" for n in range(10 - of_one)]
    found = dependence.warnings(x, y, families)
    assert any(f"{of_one} of the 10 models are of one family (Qwen)" in line for line in found) == told


def test_models_without_a_family_are_left_out_one_by_one() -> None:
    x, y = np.random.default_rng(4).standard_normal((2, 6))
    got = dependence.leave_out(x, y, ["A", "A", "", "", "B", "B"])
    assert got is not None
    parts = [[2, 3, 4, 5], [0, 1, 3, 4, 5], [0, 1, 2, 4, 5], [0, 1, 2, 3]]
    ends = [float(np.corrcoef(x[part], y[part])[0, 1]) for part in parts]
    assert (got.low, got.high) == pytest.approx((min(ends), max(ends)))
