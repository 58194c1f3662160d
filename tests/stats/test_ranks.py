"""Rank intervals: sure where models are far apart, honest where they are not."""

from __future__ import annotations

import time

import numpy as np
import pytest

from akb.stats.paired import difference
from akb.stats.ranks import Rank, ranks, told

RANDOM = np.random.default_rng(2)
FAR = (RANDOM.random((4, 600)) < np.array([[0.9], [0.7], [0.5], [0.3]])).astype(float)


def test_models_far_apart_have_one_rank_and_the_best_is_always_first() -> None:
    found = ranks(FAR, np.arange(600), 2000)
    assert [(r.rank, r.low, r.high) for r in found] == [(i, i, i) for i in (1, 2, 3, 4)]
    assert [r.best for r in found] == [1, 0, 0, 0]


def test_two_models_are_told_apart_where_their_difference_is() -> None:
    """For two models the largest of one difference is that difference: its interval and the ranks agree."""
    for apart in (5, 12, 17, 25, 50):  # more of 800 questions are right; of 120 - apart one model alone is
        x = np.zeros((2, 800))
        x[0, : 400 + apart], x[1, 60:460] = 1, 1
        own = difference(x[0], x[1], np.arange(800), adjusted=False)
        assert abs(abs(own.value) / own.error - 1.96) > 0.15, "else the bootstrap's own noise decides"
        first = ranks(x, np.arange(800), 4000)[0]
        assert (first.low == first.high) == (own.low * own.high > 0) == (apart > 20)


def test_permuting_models_and_items_permutes_the_ranks() -> None:
    x = (RANDOM.random((6, 300)) < np.linspace(0.6, 0.8, 6)[:, None]).astype(float)
    found = ranks(x, np.arange(300) // 2, 1000)
    order = RANDOM.permutation(6)
    assert ranks(x[order], np.arange(300) // 2, 1000) == [found[i] for i in order]
    mirror = ranks(1 - x, np.arange(300) // 2, 1000)
    assert [(7 - r.high, 7 - r.low) for r in mirror] == [(r.low, r.high) for r in found]
    assert sum(r.best for r in found) == pytest.approx(1)
    assert all(r.low <= r.rank <= r.high for r in found)


def test_models_with_the_same_answers_share_their_ranks() -> None:
    found = ranks(FAR[[0, 0, 2]], np.arange(600), 500)
    assert [(r.rank, r.low, r.high) for r in found] == [(1, 1, 2), (1, 1, 2), (3, 3, 3)]
    assert found[0].best == found[1].best == 0.5


def test_a_difference_that_is_the_same_on_every_question_is_told_apart_as_its_interval_is() -> None:
    """The bootstrap sees no spread there: neither in copies of one model nor between all right and all wrong."""
    for n, sure in ((3, False), (40, True)):
        found = ranks([np.ones(n), np.zeros(n), np.zeros(n)], np.arange(n), 200)
        assert [(r.low, r.high) for r in found] == ([(1, 1), (2, 3), (2, 3)] if sure else [(1, 3)] * 3)
        assert (difference(np.ones(n), np.zeros(n), np.arange(n), 0.975).low > 0) == sure


def test_templates_make_ranks_less_sure() -> None:
    alike = np.repeat((RANDOM.random((5, 60)) < np.linspace(0.6, 0.85, 5)[:, None]).astype(float), 10, axis=1)
    width = [sum(r.high - r.low for r in ranks(alike, of, 1000)) for of in (np.arange(600), np.arange(600) // 10)]
    assert width[0] < width[1]


def test_percentiles_are_never_wider_than_the_whole_and_hold_the_rank() -> None:
    found = ranks(FAR, np.arange(600), 500, method="percentile")
    assert [(r.low, r.high) for r in found] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    near = (RANDOM.random((6, 300)) < np.linspace(0.6, 0.75, 6)[:, None]).astype(float)
    pairs = list(
        zip(ranks(near, np.arange(300), 1000, method="percentile"), ranks(near, np.arange(300), 1000), strict=True)
    )
    assert all(whole.low <= part.low <= part.rank <= part.high <= whole.high for part, whole in pairs)
    assert any(part.low < part.high for part, _ in pairs)


def test_17_models_2000_questions_10000_draws_take_seconds() -> None:
    x = (RANDOM.random((17, 2000)) < np.linspace(0.5, 0.95, 17)[:, None]).astype(float)
    begun = time.process_time()
    assert len(ranks(x, np.minimum(np.arange(2000), 1650), 10_000)) == 17
    assert time.process_time() - begun < 10


def test_a_rank_is_told_as_a_board_shows_it() -> None:
    assert (told(Rank(12, 12, 15, 0)), told(Rank(3, 3, 3, 0))) == ("12-15", "3")
    with pytest.raises(ValueError, match="missing"):
        ranks([[1, np.nan]], [0, 1])
