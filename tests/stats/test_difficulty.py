"""Questions over models: against numpy's correlation, scipy's interval and statsmodels' Wilson."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import pearsonr
from statsmodels.stats.proportion import proportion_confint

from akb.stats.difficulty import AGAINST, EVERYBODY, NOBODY, items, to_look_at

RANDOM = np.random.default_rng(5)
X = (RANDOM.random((12, 30)) < np.linspace(0.3, 0.9, 12)[:, None]).astype(float)
X[:, 0], X[:, 1], X[:, 2] = 0, 1, np.arange(12) < 4
IDS = [f"i{n}" for n in range(30)]


def test_difficulty_and_discrimination_are_those_of_statsmodels_and_scipy() -> None:
    for place, item in enumerate(items(X, IDS)):
        right = int(X[:, place].sum())
        assert (item.low, item.high) == pytest.approx(proportion_confint(right, 12, method="wilson"), abs=1e-12)
        assert item.right == pytest.approx(right / 12)
        if 0 < right < 12:
            wanted = pearsonr(X[:, place], np.delete(X, place, axis=1).mean(axis=1))
            assert item.discrimination == pytest.approx(wanted.statistic)
            assert (item.d_low, item.d_high) == pytest.approx(tuple(wanted.confidence_interval(0.95)))


def test_the_list_to_look_at_has_each_reason_and_the_worst_first() -> None:
    found = to_look_at(items(X, IDS))
    looks = {item.id: item.look for item in found}
    assert (looks["i0"], looks["i1"], looks["i2"]) == (NOBODY, EVERYBODY, AGAINST)
    assert found[0].id == "i2"
    assert all(item.discrimination < 0 for item in found if item.look == AGAINST)
    listed = {item.id for item in found}
    assert all(item.discrimination >= 0 for item in items(X, IDS) if item.id not in listed)


def test_order_of_models_and_items_changes_nothing() -> None:
    rows, columns = RANDOM.permutation(12), RANDOM.permutation(30)
    other = {i.id: i for i in items(X[rows][:, columns], [IDS[c] for c in columns])}
    for item in items(X, IDS):
        assert other[item.id].look == item.look
        assert other[item.id].discrimination == pytest.approx(item.discrimination, nan_ok=True)


def test_three_models_give_no_interval_of_a_correlation() -> None:
    item = items(np.array([[1.0, 0, 1], [0, 0, 1], [1, 1, 1]]), ["a", "b", "c"])[0]
    assert (item.d_low, item.d_high) == (-1, 1)
    assert math.isnan(items(X, IDS)[0].discrimination)


def test_what_cannot_be_looked_at_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="ids: 2 for 30"):
        items(X, ["a", "b"])
    with pytest.raises(ValueError, match="missing"):
        items([[1, np.nan]], ["a", "b"])


def test_a_perfect_line_through_few_models_has_no_interval() -> None:
    """Fisher's z has no end there: that five models lie on a line is no certainty."""
    one = np.array([1.0, 1, 0, 0, 1])
    found = items(np.stack([one, one, one, 1 - one], axis=1), list("abcd"))
    assert [item.discrimination for item in found] == [1, 1, 1, -1]
    assert all(math.isnan(end) for item in found for end in (item.d_low, item.d_high))
