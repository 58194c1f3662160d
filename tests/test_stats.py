"""The statistics of a run, against statsmodels and against sums done by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from akb.stats.proportion import wilson
from akb.stats.summary import Row, Summary, summarise
from akb.types import Answer, Outcome, Question, Status, Trial


@given(st.integers(1, 200_000), st.floats(0, 1), st.sampled_from((0.5, 0.8, 0.9, 0.95, 0.99, 0.999)))
def test_the_wilson_interval_is_that_of_statsmodels(n: int, share: float, confidence: float) -> None:
    k = round(share * n)
    low, high = proportion_confint(k, n, alpha=1 - confidence, method="wilson")
    assert wilson(k, n, confidence) == pytest.approx((low, high), abs=1e-9)


@given(st.integers(1, 5000), st.floats(0, 1))
def test_the_interval_holds_the_share_and_mirrors(n: int, share: float) -> None:
    k = share * n
    low, high = wilson(k, n)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_the_ends_of_the_interval_solve_the_score_equation() -> None:
    z = 1.959963984540054
    ends = [(0, 3, wilson(0, 3)[1])]  # the other end is 0
    ends += [(k, n, end) for k, n in ((1, 7), (160, 217), (1921, 2000)) for end in wilson(k, n)]
    for k, n, end in ends:
        assert abs(k / n - end) == pytest.approx(z * math.sqrt(end * (1 - end) / n), rel=1e-9)


def test_no_questions_say_nothing_and_all_or_none_right_still_have_an_interval() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(0, 10)
    assert low == pytest.approx(0.0, abs=1e-15)
    assert high == pytest.approx(0.2775, abs=1e-4)
    low, high = wilson(10, 10)
    assert low == pytest.approx(0.7225, abs=1e-4)
    assert high == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("successes", [-1, 11, 10.1])
def test_more_successes_than_questions_are_an_error(successes: float) -> None:
    with pytest.raises(ValueError, match="is not from 0 to 10"):
        wilson(successes, 10)


def test_sums_of_rounded_shares_do_not_fall_out_of_range() -> None:
    assert wilson(sum([1 / 3] * 9), 3)[1] <= 1.0
    assert wilson(1e-17 - 2e-17, 3)[0] == 0.0


# -- the rows of a table ---------------------------------------------------------------------------------------

R, W = Answer(Status.OK, 0, 0, True), Answer(Status.OK, 1, 1, False)
REFUSED = Answer(Status.REFUSED, reason="the server reports a refusal")
EMPTY = Answer(Status.EMPTY, reason="the reply is empty")


def judged(
    name: str,
    answers: Sequence[Answer],
    category: str = "",
    subcategory: str = "",
    options: tuple[str, ...] = ("long key", "b", "c", "d"),
    orders: Sequence[Sequence[int]] = ((0, 1, 2, 3),),
    answer: int = 0,
    **others: float,
) -> tuple[Trial, Outcome]:
    question = Question(name, "q?", options, answer, category, subcategory)
    bad = next((a for a in answers if a.status != Status.OK), None)
    score = sum(a.correct for a in answers) / len(answers)
    outcome = Outcome(bad.status if bad else Status.OK, score, tuple(answers), others=others)
    return Trial(name, question, {"orders": [list(order) for order in orders]}), outcome


def exact(value: float | None) -> Fraction | None:
    return None if value is None else Fraction(value).limit_denominator(10_000)


def by_name(summary: Summary) -> dict[str, Row]:
    return {row.name: row for row in summary.rows}


def test_rows_are_what_counting_by_hand_gives() -> None:
    found = summarise(
        [
            judged("1", [R], "music", "pitch"),
            judged("2", [R], "music", "pitch"),
            judged("3", [W], "music", "tempo"),
            judged("4", [REFUSED], "music", "tempo"),
            judged("5", [R], "sound", "rain"),
            judged("6", [EMPTY], "sound", "rain"),
            judged("7", [EMPTY], "sound", "wind", ("a", "b"), [[1, 0]]),
        ]
    )
    rows = by_name(found)
    assert [(row.level, row.name, row.n) for row in found.rows] == [
        ("all", "all", 7),
        ("category", "music", 4),
        ("subcategory", "pitch", 2),
        ("subcategory", "tempo", 2),
        ("category", "sound", 3),
        ("subcategory", "rain", 2),
        ("subcategory", "wind", 1),
    ]
    quarter, half = Fraction(1, 4), Fraction(1, 2)
    everything, sound = rows["all"], rows["sound"]
    assert exact(everything.accuracy) == Fraction(3, 7)
    assert exact(everything.chance) == (6 * quarter + half) / 7
    assert exact(everything.not_ok) == Fraction(3, 7)
    assert exact(everything.by_chance) == (3 + quarter + quarter + half) / 7  # strict plus chance for the unread
    assert exact(everything.readable) == Fraction(3, 4)
    assert exact(everything.first) == Fraction(6, 7)  # only question 7 does not show its key first
    assert exact(everything.longest) == Fraction(6, 7)  # of two options of one length, the first shown
    assert (everything.low, everything.high) == pytest.approx(proportion_confint(3, 7, method="wilson"))
    assert exact(sound.accuracy) == Fraction(1, 3)
    assert exact(sound.readable) == 1
    assert rows["wind"].readable is None
    assert exact(found.macro) == (half + Fraction(1, 3)) / 2
    assert found.statuses == {"ok": 4, "refused": 1, "empty": 2}
    assert found.reasons == (("the reply is empty", 2), ("the server reports a refusal", 1))


def test_what_is_not_ok_is_counted_by_answers_where_a_question_has_several() -> None:
    orders = [[0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2]]
    row = summarise([judged("1", [R, EMPTY, REFUSED, W], orders=orders), judged("2", [R])]).rows[0]
    assert exact(row.not_ok) == Fraction(2, 5)
    assert exact(row.by_chance) == (Fraction(1, 4) + Fraction(1, 4) * Fraction(2, 4) + 1) / 2
    assert exact(row.readable) == Fraction(2, 3)


def test_macro_weighs_categories_alike_and_micro_weighs_questions_alike() -> None:
    many = [judged(f"m{n}", [R], "music") for n in range(9)]
    found = summarise([*many, judged("s", [W], "sound")])
    assert (exact(found.rows[0].accuracy), exact(found.macro)) == (Fraction(9, 10), Fraction(1, 2))
    assert summarise(many).macro is None


def test_the_published_average_of_the_study_is_the_micro_average() -> None:
    """Qwen2.5-7B, 216, 487, 150, 350, 160 and 251 right: 80.70, not the mean of the categories."""
    right = {"Sound": (216, 248), "Paralinguistic": (487, 594), "Phonetic": (150, 217),
             "Music": (350, 401), "Audio Quality": (160, 196), "Technical": (251, 344)}  # fmt: skip
    trials = [judged(f"{c}{i}", [R if i < k else W], c) for c, (k, n) in right.items() for i in range(n)]
    found = summarise(trials)
    assert round(100 * found.rows[0].accuracy, 2) == 80.70
    assert [round(100 * row.accuracy, 2) for row in found.rows[1:]] == [87.10, 81.99, 69.12, 87.28, 81.63, 72.97]
    assert found.macro is not None
    assert 100 * found.macro == pytest.approx((87.10 + 81.99 + 69.12 + 87.28 + 81.63 + 72.97) / 6, abs=0.005)


def test_categories_come_in_the_order_of_the_taxonomy_and_unknown_ones_after_them() -> None:
    trials = [
        judged(str(n), [R], c, s)
        for n, (c, s) in enumerate([("x", "b"), ("b", "z"), ("b", "y"), ("a", ""), ("x", "a")])
    ]
    found = summarise(trials, ["a", "b", "b/y", "b/z"])
    assert [row.name for row in found.rows] == ["all", "a", "b", "y", "z", "x", "b", "a"]


def test_scores_by_other_rules_are_strict_means_over_all_questions() -> None:
    found = summarise(
        [judged("1", [R], none=1.0, tokens=0.0), judged("2", [W], none=0.0, tokens=1.0), judged("3", [EMPTY])]
    )
    assert {rule: exact(value) for rule, value in found.others.items()} == {
        "none": Fraction(1, 3),
        "tokens": Fraction(1, 3),
    }


def test_a_duplicate_of_the_key_raises_chance_and_counts_for_the_baselines() -> None:
    row = summarise([judged("1", [W], options=("Five", "two", "Five ", "ten"), orders=[[2, 1, 0, 3]])]).rows[0]
    assert (row.chance, row.first, row.longest) == (0.5, 1.0, 1.0)


def test_questions_without_categories_make_one_row_and_none_makes_an_empty_one() -> None:
    assert [row.name for row in summarise([judged("1", [R])]).rows] == ["all"]
    empty = summarise([])
    assert (empty.rows[0].n, empty.rows[0].low, empty.rows[0].high, empty.macro) == (0, 0.0, 1.0, None)


# -- asked in every order --------------------------------------------------------------------------------------


def turned(name: str, shown: Sequence[int | None]) -> tuple[Trial, Outcome]:
    """A question asked in every rotation; `shown` is the place chosen each time (None: not readable)."""
    orders = [[0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2]]
    answers = [
        EMPTY if place is None else Answer(Status.OK, order[place], place, order[place] == 0)
        for order, place in zip(orders, shown, strict=True)
    ]
    return judged(name, answers, orders=orders)


def test_consistency_and_places_are_what_counting_by_hand_gives() -> None:
    found = summarise(
        [
            turned("always the key", [0, 3, 2, 1]),  # option 0 each time: consistent and right
            turned("always option 2", [2, 1, 0, 3]),  # consistent and wrong
            turned("always place A", [0, 0, 0, 0]),  # four different options
            turned("once unread", [0, 3, 2, None]),  # the same option, as far as it was read
        ]
    )
    assert found.order is not None
    assert exact(found.order.consistent) == Fraction(2, 4)
    # of 16 answers: A 1 + 1 + 4 + 1, B 1 + 1, C 1 + 1 + 1, D 1 + 1 + 1, and one unread
    assert [exact(share) for share in found.order.positions] == [Fraction(n, 16) for n in (7, 2, 3, 3)]
    whole = found.rows[0]
    assert exact(whole.accuracy) == (1 + 0 + Fraction(1, 4) + Fraction(3, 4)) / 4
    assert exact(whole.not_ok) == Fraction(1, 16)
    assert exact(whole.readable) == Fraction(4 + 0 + 1 + 3, 15)
    assert exact(whole.by_chance) == (2 + Fraction(1, 4) * Fraction(1, 4)) / 4
    assert exact(whole.first) == Fraction(1, 4)
    assert exact(whole.longest) == 1


def test_a_place_that_nobody_chose_has_share_zero() -> None:
    order = summarise([turned("1", [0, 0, 1, 0])]).order
    assert order is not None
    assert order.positions == (0.75, 0.25, 0.0, 0.0)


def test_a_run_in_one_order_says_nothing_of_order() -> None:
    assert summarise([judged("1", [R])]).order is None
