"""Small groups drawn towards their mean, against scipy's beta-binomial and counting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, betabinom

from akb.stats.shrinkage import _posterior, fit, hardest, shrunk, subcategories

RANDOM = np.random.default_rng(6)
N = RANDOM.integers(20, 60, 48)
RIGHT = RANDOM.binomial(N, RANDOM.beta(12, 3, 48))


def likelihood(mean: float, weight: float) -> float:
    return float(np.sum(betabinom.logpmf(RIGHT, N, mean * weight, (1 - mean) * weight)))


def test_the_prior_is_the_likeliest_by_scipys_beta_binomial() -> None:
    prior = fit(RIGHT, N)
    best = likelihood(prior.mean, prior.weight)
    for mean, weight in ((1.005, 1), (0.995, 1), (1, 1.1), (1, 0.9)):
        assert likelihood(prior.mean * mean, prior.weight * weight) < best
    assert 0.75 < prior.mean < 0.85


def test_with_a_known_prior_the_interval_is_that_of_the_beta_posterior() -> None:
    prior = fit(RIGHT, N)
    a, b = prior.mean * prior.weight + RIGHT[0], (1 - prior.mean) * prior.weight + N[0] - RIGHT[0]
    found = shrunk(RIGHT, N, method="plug-in")[0]
    assert found.value == pytest.approx(a / (a + b))
    assert (found.low, found.high) == pytest.approx((beta.ppf(0.025, a, b), beta.ppf(0.975, a, b)), abs=1e-6)


def test_the_integral_over_priors_is_that_of_a_plain_fine_grid() -> None:
    """In (a, b), with the density (a + b)^(-5/2) itself."""
    k, n = np.array([9, 15, 4, 18, 12]), np.array([20, 20, 10, 25, 14])
    a, b = np.meshgrid(np.exp(np.linspace(-3, 6, 400)), np.exp(np.linspace(-3, 6, 400)), indexing="ij")
    keep = (a + b > 0.5) & (a + b < 400)
    log = -2.5 * np.log(a + b) + np.log(a * b)  # evenly in the logarithms
    for i, j in zip(k, n, strict=True):
        log = log + np.asarray(betabinom.logpmf(i, j, a, b))
    share = np.where(keep, np.exp(log - log[keep].max()), 0)
    share /= share.sum()
    for one, i, j in zip(shrunk(k, n), k, n, strict=True):
        assert one.value == pytest.approx(float((share * (a + i) / (a + b + j)).sum()), abs=0.01)


def test_groups_are_drawn_together_small_ones_most_and_keep_their_order_by_size() -> None:
    found = shrunk(RIGHT, N)
    values, raw = np.array([g.value for g in found]), RIGHT / N
    assert values.std() < raw.std()
    assert all(g.low < g.value < g.high for g in found)
    few, many = shrunk([2, 20, 16, 30], [4, 40, 20, 40])[:2]
    assert abs(few.value - 0.5) > abs(many.value - 0.5)
    other = shrunk(RIGHT[::-1], N[::-1])[::-1]
    assert [g.value for g in other] == pytest.approx(list(values))
    mirror = shrunk(N - RIGHT, N)
    assert [1 - g.value for g in mirror] == pytest.approx(list(values), abs=1e-4)


def test_the_grid_holds_the_posterior() -> None:
    _, _, chances = _posterior(RIGHT.astype(float), N.astype(float))
    edges = chances[0].max(), chances[-1].max(), chances[:, 0].max()
    assert max(edges) < 1e-3 * chances.max()


def test_questions_that_go_together_count_for_less() -> None:
    groups = [f"g{i // 20}" for i in range(200)]
    x = np.repeat((RANDOM.random(100) < 0.7).astype(float), 2)
    alone, pairs = subcategories(x, np.arange(200), groups), subcategories(x, np.arange(200) // 2, groups)
    assert pairs[0].n < 0.6 * alone[0].n
    assert pairs[0].high - pairs[0].low > alone[0].high - alone[0].low


def test_the_hardest_are_sure_where_they_are_far_below_and_chances_add_up() -> None:
    p = [0.1, 0.15, 0.8, 0.82, 0.84]
    x = np.concatenate([(np.arange(50) < 50 * one).astype(float) for one in p])
    groups = [f"g{i // 50}" for i in range(250)]
    found = hardest(x, np.arange(250), groups, k=3, draws=2000)
    assert sum(g.chance for g in found) == pytest.approx(3)
    assert {g.name for g in found[:2]} == {"g0", "g1"}
    assert found[0].chance == found[1].chance == 1
    assert 0.3 < found[2].chance < 0.9
    assert [g.accuracy for g in found if g.name == "g2"] == [0.8]
    tied = hardest(np.ones(250), np.arange(250), groups, k=2, draws=50)
    assert [g.chance for g in tied] == pytest.approx([0.4] * 5)


def test_what_is_no_count_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="from 0 to n"):
        shrunk([3, 5], [4, 4])
    with pytest.raises(ValueError, match="two or more groups"):
        fit([3], [4])
    with pytest.raises(ValueError, match="number of groups"):
        hardest([1, 0], [0, 1], ["a", "b"], k=3)
