"""The two-way decomposition of a table of accuracies, against statsmodels, closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from akb.stats.factors import Factor, cell_covariance, factors
from akb.stats.intervals import moments
from akb.stats.paired import difference

Array = np.ndarray
ROWS, COLUMNS = np.array([-0.1, 0.0, 0.1]), np.array([-0.06, 0.06])
BOTH = np.array([[0.02, -0.02], [0.0, 0.0], [-0.02, 0.02]])
TRUE = 0.6 + ROWS[:, None] + COLUMNS + BOTH


def drawn(true: Array, groups: int, each: int, seed: int) -> tuple[Array, Array]:
    """Scores of cells whose true accuracies are known: questions differ in difficulty, and half of that is their
    group's."""
    random = np.random.default_rng(seed)
    hard = np.repeat(random.normal(size=groups), each) + random.normal(size=groups * each)
    own = math.sqrt(2) * random.normal(size=(*true.shape, groups * each))
    return ((hard + own) / 2 < norm.ppf(true)[:, :, None]).astype(float), np.repeat(np.arange(groups), each)


def sizes(true: Array) -> list[float]:
    """The sums of squares of true accuracies: rows, columns, both."""
    whole = true.mean()
    of = (true.mean(1) - whole, true.mean(0) - whole)
    rest = true - whole - of[0][:, None] - of[1]
    return [true.shape[1] * float((of[0] ** 2).sum()), len(true) * float((of[1] ** 2).sum()), float((rest**2).sum())]


def figures(found: tuple[Factor, ...]) -> list[float]:
    return [value for one in found for value in (one.observed, one.noise, one.true, one.sd, one.low, one.high)]


def test_the_sums_of_squares_are_those_of_statsmodels_on_the_cells_accuracies() -> None:
    values, of = drawn(TRUE, 40, 3, 1)
    table = pd.DataFrame([(i, j, values[i, j].mean()) for i in range(3) for j in range(2)], columns=["a", "b", "y"])
    told = anova_lm(ols("y ~ C(a) + C(b)", table).fit())
    found = factors(values, of, draws=200)
    assert [one.observed for one in found] == pytest.approx(list(told["sum_sq"]))
    assert [one.df for one in found] == list(told["df"])


def test_the_covariance_of_cells_is_numpys_for_single_questions_and_cr2_on_its_diagonal_for_templates() -> None:
    values, of = drawn(TRUE, 30, 4, 2)
    flat = values.reshape(6, -1)
    alone = np.arange(flat.shape[1])
    assert cell_covariance(flat, alone) == pytest.approx(np.cov(flat) / flat.shape[1])
    uneven = np.minimum(of, 17)
    assert np.diag(cell_covariance(flat, uneven)) == pytest.approx([moments(row, uneven).variance for row in flat])


def test_noise_taken_off_the_sums_of_squares_are_right_on_average() -> None:
    found = [factors(*drawn(TRUE, 25, 4, seed), draws=2) for seed in range(600)]
    true = np.array([[one.true for one in three] for three in found])
    error = true.std(axis=0, ddof=1) / math.sqrt(len(true))
    assert np.abs((true.mean(axis=0) - sizes(TRUE)) / error).max() < 3.5
    observed = np.mean([[one.observed for one in three] for three in found], axis=0)
    assert (observed > 1.05 * np.array(sizes(TRUE))).all()  # as they are they are too large


def test_the_intervals_hold_the_true_effects_nineteen_times_in_twenty() -> None:
    true = 0.6 + ROWS[:, None] + COLUMNS  # nothing of both together
    wanted = [size / scale for size, scale in zip(sizes(true), (2 * 2, 3 * 1, 2 * 1), strict=True)]
    held = np.zeros(3)
    for seed in range(400):
        found = factors(*drawn(true, 50, 3, seed), draws=500, seed=seed)
        held += [one.low <= math.sqrt(want) + 1e-9 <= one.high + 2e-9 for one, want in zip(found, wanted, strict=True)]
    assert (held >= 0.915 * 400).all()  # three standard errors below 95 %
    assert (held[:2] <= 0.985 * 400).all()  # and not for being wide; of nothing 97.5 % are wanted


def test_of_two_rows_the_interval_is_that_of_their_difference() -> None:
    values, of = drawn(np.array([[0.45, 0.5], [0.65, 0.7]]), 400, 1, 3)
    rows, _, _ = factors(values, of, draws=20_000)
    apart = difference(values[1].mean(axis=0), values[0].mean(axis=0), of, adjusted=False)
    wanted = [one / math.sqrt(2) for one in (apart.low, apart.high)]  # of two values sd is difference / sqrt 2
    assert [rows.low, rows.high] == pytest.approx(wanted, abs=0.004)


def test_the_order_of_questions_rows_and_columns_changes_nothing() -> None:
    values, of = drawn(TRUE, 40, 2, 4)
    plain = factors(values, of, draws=4000)
    for order in ((slice(None), slice(None), slice(None, None, -1)), ([2, 0, 1],), (slice(None), [1, 0])):
        kept = order[2] if len(order) == 3 else slice(None)
        again = factors(values[order], of[kept], draws=4000)
        assert figures(again) == pytest.approx(figures(plain), abs=0.004)
        assert [one.true for one in again] == pytest.approx([one.true for one in plain])
    turned = factors(values.transpose(1, 0, 2), of, draws=4000)
    assert [one.sd for one in turned] == pytest.approx([plain[1].sd, plain[0].sd, plain[2].sd])


def test_a_factor_that_never_moves_an_answer_explains_nothing_for_certain() -> None:
    values, of = drawn(TRUE[:1], 40, 2, 5)
    rows, columns, both = factors(np.repeat(values, 3, axis=0), of, draws=500)
    assert [*figures((rows, both)), rows.share, both.share] == pytest.approx([0] * 14, abs=1e-9)
    assert columns.share == 1
    same = factors(np.ones((2, 2, 6)), np.arange(6), draws=50)
    assert [one.share for one in same] == [None] * 3
    assert [one.high for one in same] == pytest.approx([0] * 3, abs=1e-9)


def test_an_effect_that_may_be_chance_has_an_interval_from_nothing() -> None:
    alike = np.full((3, 3), 0.5)
    lows = [one.low for seed in range(100) for one in factors(*drawn(alike, 60, 1, seed), draws=400)]
    assert 0.95 <= np.mean(np.array(lows) == 0) < 1  # 97.5 % are wanted


@pytest.mark.parametrize(
    ("values", "of", "told"),
    [
        (np.zeros((1, 2, 4)), range(4), "two rows and columns"),
        (np.zeros((2, 4)), range(4), "two rows and columns"),
        (np.zeros((2, 2, 4)), range(3), "one number for each of 4 items"),
        (np.zeros((2, 2, 4)), [0, 0, 0, 0], "two different ones"),
        (np.full((2, 2, 4), np.nan), range(4), "missing"),
    ],
)
def test_tables_of_which_nothing_can_be_said_are_refused(values: Array, of: list[int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        factors(values, list(of))
