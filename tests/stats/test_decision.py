"""The decision: regret, against looking at every set of candidates."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akb.stats import decision

whole = st.integers(0, 6).map(float)
tables = st.integers(4, 7).flatmap(
    lambda n: st.tuples(
        st.lists(whole, min_size=n, max_size=n), st.lists(whole, min_size=n, max_size=n), st.integers(1, n)
    )
)


def by_hand(x: list[float], y: list[float], among: int) -> tuple[float, float]:
    """Regret and how often the best is taken, over all sets, ties in x taken alike."""
    lost, best = [], []
    for group in combinations(range(len(x)), among):
        top = [i for i in group if x[i] == max(x[j] for j in group)]
        most = max(y[i] for i in group)
        lost.append(most - np.mean([y[i] for i in top]))
        best.append(np.mean([y[i] == most for i in top]))
    return float(np.mean(lost)), float(np.mean(best))


@settings(max_examples=60, deadline=None)
@given(tables)
def test_regret_is_that_of_every_set_of_candidates(table: tuple[list[float], list[float], int]) -> None:
    x, y, among = table
    lost, best = by_hand(x, y, among)
    assert decision.regret(x, y, among) == pytest.approx(lost, abs=1e-9)
    got = decision.regrets({"x": x}, y, among)
    assert got[0].best == pytest.approx(best)
    assert got[0].points + got[0].saved == pytest.approx(got[1].points, abs=1e-9)


@given(tables)
def test_order_and_units_of_models_change_nothing(table: tuple[list[float], list[float], int]) -> None:
    x, y, among = np.array(table[0]), np.array(table[1]), table[2]
    order = np.random.default_rng(0).permutation(len(x))
    assert decision.regret(x[order], y[order], among) == pytest.approx(decision.regret(x, y, among), abs=1e-9)
    assert decision.regret(np.exp(x), 3 * y + 5, among) == pytest.approx(3 * decision.regret(x, y, among), abs=1e-9)


def test_the_outcome_itself_loses_nothing_and_its_opposite_most() -> None:
    y = np.array([50.0, 60, 70, 80, 90])
    assert decision.regret(y, y, 3) == pytest.approx(0, abs=1e-9)
    assert decision.regret(-y, y, 2) == pytest.approx(np.mean([b - a for a, b in combinations(y, 2)]))
    chance = decision.regrets({}, y, 2)[-1]
    assert chance.predictor == "chance"
    assert (chance.saved, chance.best) == pytest.approx((0.0, 0.5))
    none_lost = decision.regrets({"y": y}, y, 2)[0]
    assert (none_lost.low, none_lost.high) == (0.0, 40.0)


def test_all_at_hand_is_one_choice_without_an_interval() -> None:
    got = decision.regrets({"x": [1, 2, 3, 4]}, [4, 9, 7, 5], among=4)[0]
    assert got.points == pytest.approx(4)
    assert math.isnan(got.low)
    assert math.isnan(got.saved_high)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Bivariate normal, rho = .5, four candidates of twelve: the best of four is 1.0294 above the mean."""
    random, held, gained = np.random.default_rng(3), 0, 0
    for _ in range(400):
        x, noise = random.standard_normal((2, 12))
        got = decision.regrets({"x": x}, 0.5 * x + math.sqrt(0.75) * noise, 4)[0]
        held += got.low <= 0.5 * 1.0293753730 <= got.high
        gained += got.saved_low <= 0.5 * 1.0293753730 <= got.saved_high
    assert held / 400 == pytest.approx(0.95, abs=0.035)
    assert gained / 400 == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("among", [0, 5])
def test_as_many_candidates_as_there_are_not_are_an_error(among: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 4"):
        decision.regret([1, 2, 3, 4], [1, 2, 3, 4], among)
