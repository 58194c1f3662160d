"""Agreement of raters, against statsmodels and published examples."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa, to_table
from typer.testing import CliRunner

from akb.bank import readings
from akb.cli.app import app
from akb.errors import AkbError
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


def test_gwets_ac1_of_several_raters_is_the_published_one_and_what_nobody_rated_counts_for_nothing() -> None:
    """Gwet, Handbook of Inter-Rater Reliability, on the observers above."""
    assert agreement.gwet(UNITS) == pytest.approx(0.775, abs=5e-4)
    assert agreement.gwet([*UNITS, [None] * 4]) == agreement.gwet(UNITS)


pairs = st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), min_size=3, max_size=60)


@given(pairs)
def test_cohens_kappa_is_that_of_statsmodels(ratings: list[list[int]]) -> None:
    table, _ = to_table(np.array(ratings), bins=np.arange(-0.5, 4))
    wanted = cohens_kappa(table, return_results=False)
    found = agreement.cohen(ratings)
    assert math.isnan(found) if math.isnan(wanted) else found == pytest.approx(wanted)


def test_kappa_of_several_raters_weighs_each_pair_by_what_both_rated() -> None:
    """Three raters: the first two share 40 items and agree on 30, the third shares 4 with each and agrees on none."""
    both = [[n % 2, n % 2 if n < 30 else 1 - n % 2, None] for n in range(40)]
    first = [[n % 2, None, 1 - n % 2] for n in range(4)]
    second = [[None, n % 2, 1 - n % 2] for n in range(4)]
    assert agreement.cohen(both) == pytest.approx(0.5)
    assert agreement.cohen([*both, *first, *second]) == pytest.approx((40 * 0.5 + 4 * -1 + 4 * -1) / 48)


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


# -- the log of readings --


def reading(item: str, by: str, answer: int | None, key: int = 0, **more: Any) -> dict[str, Any]:
    told = {"round": 1, "item": item, "version": 1, "category": "sound", "by": by, "kind": "model", "blind": True}
    return {**told, "date": "2026-11-21", "answer": answer, "key": key, "verdict": "clear", "canary": "c", **more}


def test_the_log_says_how_far_readers_agree_with_keys_and_with_one_another(tmp_path: Path) -> None:
    log = tmp_path / "round.jsonl"
    rows = [
        reading("a", "one", 0), reading("a", "two", 0),
        reading("b", "one", 1, key=1), reading("b", "two", 2, key=1),
        reading("c", "one", 3, key=3, category="music"),
        reading("c", "two", None, key=3, category="music", verdict="ambiguous"),
        reading("d", "one", 2, key=2), reading("a", "one", 1, version=2),
    ]  # fmt: skip
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    shown = CliRunner().invoke(app, ["bank", "agreement", str(log), "--json"])
    found = json.loads(shown.stdout)
    assert [(row["by"], row["readings"], row["key"]) for row in found["readers"]] == [
        ("one", 5, 4 / 5),
        ("two", 3, 1 / 3),
    ]
    whole, sound, music = found["agreement"]
    assert (whole["name"], whole["items"], whole["twice"]) == ("all", 5, 3)
    assert whole["raw"] == pytest.approx(1 / 3)
    assert (sound["raw"], music["raw"]) == (0.5, 0)
    assert "agreement of readers" in CliRunner().invoke(app, ["bank", "agreement", str(log)]).stdout


def test_a_damaged_log_is_told_by_file_and_line(tmp_path: Path) -> None:
    log = tmp_path / "round.jsonl"
    log.write_text(
        json.dumps(reading("a", "one", 0)) + "\n" + json.dumps({**reading("a", "two", 0), "verdict": "fine"})
    )
    with pytest.raises(AkbError, match="verdict") as told:
        readings.read([log])
    assert told.value.where == f"{log}:2"


def test_the_logs_of_akb_open_can_be_read() -> None:
    shown = CliRunner().invoke(app, ["bank", "agreement", "--json"])
    assert json.loads(shown.stdout)["agreement"][0]["items"] >= 346
