"""Agreement of raters, against statsmodels and published examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa, to_table

from akb.stats import agreement

# Krippendorff 2011, example C: four observers, twelve units, nominal data with missing ratings
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
UNITS = [list(unit) for unit in zip(*OBSERVERS, strict=True)]
PARADOX = [["+", "+"]] * 118 + [["+", "-"]] * 5 + [["-", "+"]] * 2  # Gwet 2008, after Cicchetti and Feinstein


def test_krippendorffs_alpha_is_that_of_the_paper() -> None:
    assert agreement.krippendorff(UNITS) == pytest.approx(0.743, abs=5e-4)


def test_gwets_ac1_stays_high_where_kappa_falls_to_nothing() -> None:
    assert agreement.raw(PARADOX) == pytest.approx(118 / 125)
    assert agreement.gwet(PARADOX) == pytest.approx(0.9408, abs=5e-5)
    assert agreement.cohen(PARADOX) == pytest.approx(-0.0234, abs=5e-5)


pairs = st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), min_size=3, max_size=60)


@given(pairs)
def test_cohens_kappa_is_that_of_statsmodels(ratings: list[list[int]]) -> None:
    table, _ = to_table(np.array(ratings), bins=np.arange(-0.5, 4))
    wanted = cohens_kappa(table, return_results=False)
    found = agreement.cohen(ratings)
    assert math.isnan(found) if math.isnan(wanted) else found == pytest.approx(wanted)


@given(pairs)
def test_alpha_of_two_raters_is_scotts_pi_but_for_the_small_sample(ratings: list[list[int]]) -> None:
    """Krippendorff 2011: alpha is pi plus (1 - pi) / (values that are paired)."""
    labels = [label for row in ratings for label in row]
    chance = sum((labels.count(label) / len(labels)) ** 2 for label in set(labels))
    if chance == 1:
        assert math.isnan(agreement.krippendorff(ratings))
        return
    pi = (agreement.raw(ratings) - chance) / (1 - chance)
    assert agreement.krippendorff(ratings) == pytest.approx(pi + (1 - pi) / len(labels))


@pytest.mark.parametrize("statistic", [agreement.raw, agreement.cohen, agreement.gwet, agreement.krippendorff])
def test_perfect_agreement_is_one_and_chance_is_none(statistic: object) -> None:
    assert callable(statistic)
    assert statistic([[n % 4, n % 4] for n in range(40)]) == pytest.approx(1)
    if statistic is not agreement.raw:
        random = np.random.default_rng(0)
        assert abs(statistic(random.integers(4, size=(20_000, 2)).tolist())) < 0.02


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Two raters who agree on 80 % of items: raw agreement over many samples of 60 items."""
    random, covered = np.random.default_rng(3), 0
    for sample in range(60):
        ratings = [[0, int(random.random() > 0.8)] for _ in range(60)]
        low, high = agreement.interval(ratings, agreement.raw, draws=300, seed=sample)
        covered += low <= 0.8 <= high
    assert 50 <= covered <= 60


def test_what_nobody_rated_twice_says_nothing() -> None:
    assert math.isnan(agreement.raw([[1, None], [None, 2]]))
    assert math.isnan(agreement.krippendorff([[1, None]]))
    assert math.isnan(agreement.cohen([[1, None], [None, 2]]))
    assert math.isnan(agreement.interval([[1, None]], agreement.raw, draws=10)[0])
