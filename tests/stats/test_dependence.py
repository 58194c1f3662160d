"""What a correlation hangs on, against regressions, closed forms and simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from akb.stats import dependence as d
from akb.stats.correlation import pearson


def sample(n: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, z = np.random.default_rng(seed).standard_normal((3, n))
    return x + z, y + z, z


def test_leaving_out_is_what_leaving_out_by_hand_gives() -> None:
    x, y, _ = sample(6)
    got = d.leave_out(x, y, list("abcdef"))
    by_hand = {name: pearson(np.delete(x, i), np.delete(y, i)) for i, name in enumerate("abcdef")}
    assert got is not None
    assert (got.low, got.high) == pytest.approx((min(by_hand.values()), max(by_hand.values())))
    assert by_hand[got.low_without] == pytest.approx(got.low)
    assert by_hand[got.high_without] == pytest.approx(got.high)
    families = d.leave_out(x, y, ["A", "A", "A", "B", "B", ""])
    assert families is not None
    ends = [pearson(x[3:], y[3:]), pearson(x[[0, 1, 2, 5]], y[[0, 1, 2, 5]]), pearson(x[:5], y[:5])]
    assert (families.low, families.high) == pytest.approx((min(ends), max(ends)))
    assert d.leave_out(x, y, ["A"] * 6) is None
    with pytest.raises(ValueError, match="6 labels"):
        d.leave_out(x, y, ["A"])


def test_partial_r_has_the_t_of_the_regression() -> None:
    """The p of a partial correlation is that of x's slope in the regression of y on x and the controls."""
    x, y, z = sample()
    more = np.random.default_rng(9).standard_normal(12)
    for controls in ((z,), (z, more)):
        got = d.partial(x, y, *controls)
        fit = sm.OLS(y, sm.add_constant(np.column_stack([x, *controls]))).fit()
        assert got is not None
        assert got.df == fit.df_resid
        assert got.p == pytest.approx(fit.pvalues[1], rel=1e-9)
        assert got.r == pytest.approx(fit.tvalues[1] / math.sqrt(fit.tvalues[1] ** 2 + fit.df_resid))
        assert got.low < got.r < got.high


def test_partial_r_of_one_control_is_the_closed_form() -> None:
    x, y, z = sample(seed=3)
    a, b, c = pearson(x, y), pearson(x, z), pearson(y, z)
    got = d.partial(x, y, z)
    assert got is not None
    assert got.r == pytest.approx((a - b * c) / math.sqrt((1 - b * b) * (1 - c * c)))
    scaled = d.partial(x, y, 40 * z - 3)
    assert scaled is not None
    assert scaled.r == pytest.approx(got.r)


def test_nothing_is_left_given_the_score_itself() -> None:
    x, y, _ = sample()
    got = d.partial(x, y, x)
    assert got is not None
    assert math.isnan(got.r)
    assert d.partial([1, 2, 3], [1, 2, 4], [2, 1, 3]) is None


def test_r_within_families_has_the_t_of_the_regression_with_a_mean_for_each() -> None:
    x, y, _ = sample(9)
    families = ["A"] * 4 + ["B"] * 3 + ["C", ""]
    got = d.within(x, y, families)
    dummies = np.array([[f == "A", f == "B"] for f in families[:7]], dtype=float)
    fit = sm.OLS(y[:7], np.column_stack([x[:7], dummies])).fit()
    assert got is not None
    assert (got.n, got.df) == (7, 4)
    assert got.p == pytest.approx(fit.pvalues[0], rel=1e-9)
    renamed = d.within(x, y, [{"A": "B", "B": "A"}.get(f, f) for f in families])
    assert renamed is not None
    assert renamed.r == pytest.approx(got.r)
    assert d.within(x, y, [""] * 9) is None


def test_reliability_and_disattenuation_find_the_truth_behind_noise() -> None:
    random = np.random.default_rng(0)
    ability, other = random.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], size=4000).T
    truth = [0.6 + 0.05 * np.clip(v, -3, 3) for v in (ability, other)]
    seen = [random.binomial(100, p) / 100 for p in truth]
    again = random.binomial(100, truth[0]) / 100
    sure = [d.reliability(v, 100) for v in seen]
    assert sure[0] == pytest.approx(pearson(seen[0], again), abs=0.03)  # reliability: r of two tests of one kind
    assert d.disattenuated(pearson(*seen), *sure) == pytest.approx(pearson(*truth), abs=0.05)
    assert math.isnan(d.disattenuated(0.5, -0.1, 0.9))
    assert math.isnan(d.reliability([0.5, 0.5], 10))
    with pytest.raises(ValueError, match="from 0 to 1"):
        d.reliability([50, 60], 10)


def test_williams_test_is_the_published_example_and_antisymmetric() -> None:
    """Steiger 1980's T2 as R's psych gives it: r.test(n=103, r12=.4, r13=.5, r23=.1): t = -0.89, p = .37."""
    got = d.williams(0.4, 0.5, 0.1, 103)
    assert got.df == 100
    assert got.t == pytest.approx(-0.89, abs=5e-3)
    assert got.p == pytest.approx(0.37, abs=6e-3)
    back = d.williams(0.5, 0.4, 0.1, 103)
    assert (back.t, back.p) == pytest.approx((-got.t, got.p))
    assert d.williams(0.6, 0.6, 1.0, 10).p == 1
    with pytest.raises(ValueError, match="4 models"):
        d.williams(0.1, 0.2, 0.3, 3)


def test_williams_test_errs_as_often_as_it_says() -> None:
    random, wrong = np.random.default_rng(1), 0
    matrix = [[1, 0.6, 0.6], [0.6, 1, 0.5], [0.6, 0.5, 1]]
    for _ in range(1500):
        y, one, other = random.multivariate_normal([0, 0, 0], matrix, size=17).T
        wrong += d.williams(pearson(one, y), pearson(other, y), pearson(one, other), 17).p < 0.05
    assert wrong / 1500 == pytest.approx(0.05, abs=0.02)


def test_the_smallest_significant_r_has_p_of_five_per_cent() -> None:
    for n in (4, 8, 17):
        r = d.smallest_significant(n)
        assert 2 * stats.t.sf(r * math.sqrt((n - 2) / (1 - r * r)), n - 2) == pytest.approx(0.05)
    assert d.smallest_significant(8) == pytest.approx(0.7067, abs=1e-4)


def test_power_is_what_simulation_shows_and_its_inverse_agrees() -> None:
    assert [round(d.rho_needed(n), 2) for n in (8, 12, 17, 24)] == [0.85, 0.73, 0.63, 0.55]
    for n in (8, 17, 24):
        assert d.power(d.rho_needed(n), n) == pytest.approx(0.8, abs=1e-3)
    random, found = np.random.default_rng(2), 0
    for _ in range(2000):
        x, noise = random.standard_normal((2, 17))
        found += stats.pearsonr(x, 0.6345 * x + math.sqrt(1 - 0.6345**2) * noise).pvalue < 0.05
    assert found / 2000 == pytest.approx(0.8, abs=0.03)
    assert d.power(0, 20) == pytest.approx(0.05)


def test_warnings_tell_of_few_models_few_families_and_ties() -> None:
    told = d.warnings([1, 1, 1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 7, 8], ["Qwen"] * 5 + ["Phi"] * 3)
    assert "n = 8" in told[0]
    assert "0.71" in told[0]
    assert "0.85" in told[0]
    assert "only 2 families" in told[1]
    assert "5 of the 8 models are of one family (Qwen)" in told[2]
    assert "3 of 8 models are tied in x" in told[3]
    assert len(told) == 4
    many = np.arange(30.0)
    assert "r = -1" in d.warnings(many, -many)[0]
    assert "Spearman = 1" in d.warnings(many, many**2)[0]
    assert d.warnings(many, np.roll(many, 1), [f"f{i}" for i in range(30)]) == []
