"""Models and questions drawn anew."""

from __future__ import annotations

import math
from dataclasses import replace
from time import process_time

import numpy as np
import pytest

from akb.stats import resampling
from akb.stats.correlation import fisher, pearson
from akb.stats.scores import Scores


def table(values: np.ndarray, tag: str, per: int = 1, models: tuple[str, ...] | None = None) -> Scores:
    count, n = values.shape
    return Scores(
        models or tuple(f"m{i}" for i in range(count)), tuple(f"{tag}{i}" for i in range(n)), values.astype(np.float64),
        tuple((f"{tag}t{i // per}",) if per > 1 else () for i in range(n)), ("",) * n, ("",) * n, np.full(n, 0.25),
    )  # fmt: skip


def answers(models: int, questions: int, seed: int = 0, low: float = 0.4) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.asarray(random.random((models, questions)) < np.linspace(low, 0.9, models)[:, None])


def test_item_noise_is_that_of_the_study() -> None:
    """facts: item noise alone moves r(AKB, MMAU audio) over .46 to .88."""
    akb = np.array([85.05, 78.95, 82.0, 80.7, 86.35, 70.0, 68.1, 69.05]) / 100
    audio = np.array([66.2, 61.7, 62.9, 66.6, 61.1, 61.0, 56.4, 56.9]) / 100
    assert resampling.item_noise(akb, audio, 2000, 1000) == pytest.approx((0.46, 0.88), abs=0.01)
    with pytest.raises(ValueError, match="from 0 to 1"):
        resampling.item_noise(100 * akb, audio, 2000, 1000)


def test_drawing_questions_agrees_with_binomial_noise_where_they_are_independent() -> None:
    x, y = answers(8, 400, 1), answers(8, 300, 2)
    got = resampling.joint(table(x, "a"), table(y, "b"), draws=4000)
    wanted = resampling.item_noise(x.mean(axis=1), y.mean(axis=1), 400, 300)
    assert (got.items_low, got.items_high) == pytest.approx(wanted, abs=0.01)
    assert got.r == pytest.approx(pearson(x.mean(axis=1), y.mean(axis=1)))
    assert (got.n, got.clusters) == (8, 700)


def test_the_interval_is_fishers_or_wider() -> None:
    got = resampling.joint(table(answers(8, 200, 1), "a"), table(answers(8, 200, 2), "b"), draws=500)
    low, high = fisher(got.r, 8)
    assert got.low <= low + 1e-12
    assert got.high >= high - 1e-12
    assert math.atanh(got.high) - math.atanh(got.low) == pytest.approx(
        2 * 1.959964 * math.sqrt(1 / 5 + got.added), rel=1e-6
    )


def test_what_questions_add_is_found_where_they_favour_some_models() -> None:
    """Half of the models know a few large templates: which templates are asked then moves r for all of them at once."""
    random = np.random.default_rng(0)
    knows = np.arange(40) % 2
    asked = np.repeat(random.random(10) < 0.5, 20)
    chance = 0.4 + 0.01 * np.arange(40)[:, None] / 2 + 0.35 * knows[:, None] * asked[None]
    x, y = random.random((2, 40, 200)) < np.stack([chance, 0.3 + 0.015 * np.arange(40)[:, None] * np.ones(200)])
    split = resampling.joint(table(x, "a", per=20), table(y, "b"), draws=400)
    plain = resampling.joint(table(answers(40, 200, 4), "a", per=20), table(answers(40, 200, 5), "b"), draws=400)
    assert split.added > 0.005
    assert split.added > 5 * plain.added


def test_questions_in_both_tables_are_drawn_together() -> None:
    """A table with itself: r is 1 in every draw, however the questions fall."""
    same = table(answers(8, 100), "a")
    got = resampling.joint(same, same, draws=300)
    assert (got.items_low, got.items_high, got.clusters) == pytest.approx((1, 1, 100))
    apart = resampling.joint(same, table(same.values, "b"), draws=300)
    assert apart.items_low < 0.99


def test_order_of_models_and_of_questions_changes_nothing_that_is_not_drawn() -> None:
    x, y = table(answers(8, 120, 1), "a", 4), table(answers(8, 80, 2), "b", 4)
    order, other = np.random.default_rng(1).permutation(8), np.random.default_rng(2).permutation(120)
    moved = replace(
        x, models=tuple(x.models[i] for i in order), values=x.values[order][:, other],
        items=tuple(x.items[i] for i in other), ties=tuple(x.ties[i] for i in other),
    )  # fmt: skip
    one, two = resampling.joint(x, y, draws=200), resampling.joint(moved, y, draws=200)
    assert (two.r, two.added, two.low, two.high) == pytest.approx((one.r, one.added, one.low, one.high))


def test_too_few_models_or_unasked_questions_are_an_error() -> None:
    x = table(answers(8, 20), "a")
    with pytest.raises(ValueError, match="4 models"):
        resampling.joint(x, table(answers(3, 20), "b"))
    holes = x.values.copy()
    holes[2, 3] = np.nan
    with pytest.raises(ValueError, match="not asked"):
        resampling.joint(x, replace(x, values=holes))


@pytest.mark.slow
def test_seventeen_models_and_two_thousand_questions_take_seconds() -> None:
    start = process_time()
    got = resampling.joint(table(answers(17, 2000, 1), "a", 4), table(answers(17, 1000, 2), "b", 4))
    assert process_time() - start < 20
    assert got.dropped == 0
