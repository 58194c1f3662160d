"""Two and more models on the same questions, against statsmodels, scipy and counting."""

from __future__ import annotations

import math
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test
from scipy.stats import t as student
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.contingency_tables import mcnemar as of_statsmodels
from statsmodels.stats.multitest import multipletests

from akb.stats import paired
from akb.stats.paired import cochran, difference, holm, mcnemar, permutation

RANDOM = np.random.default_rng(8)
A, B = (RANDOM.random((2, 400)) < [[0.8], [0.74]]).astype(float)
ALONE, THREES = np.arange(400), np.arange(400) // 3
bits = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), min_size=1, max_size=40)


def split(rows: list[tuple[bool, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    one, other, of = zip(*rows, strict=True)
    return np.array(one, dtype=float), np.array(other, dtype=float), np.array(of)


@given(bits)
def test_mcnemar_is_that_of_statsmodels(rows: list[tuple[bool, bool, int]]) -> None:
    a, b, _ = split(rows)
    counts = [[((a == i) & (b == j)).sum() for j in (1, 0)] for i in (1, 0)]
    assert mcnemar(a, b).p == pytest.approx(of_statsmodels(counts, exact=True).pvalue)
    assert (mcnemar(a, b).first, mcnemar(a, b).second) == (counts[0][1], counts[1][0])


def test_with_independent_questions_the_permutation_test_is_mcnemars() -> None:
    assert permutation(A, B, ALONE) == pytest.approx(mcnemar(A, B).p)
    assert permutation(A, A, ALONE) == 1


@settings(deadline=None, max_examples=40)
@given(bits)
def test_the_permutation_p_is_that_of_all_changes_of_sign(rows: list[tuple[bool, bool, int]]) -> None:
    a, b, of = split(rows)
    sums = np.bincount(of, a - b, 6)
    signs = np.array(list(product((-1, 1), repeat=6)))
    wanted = (np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).mean()
    assert permutation(a, b, of) == pytest.approx(wanted)
    assert permutation(b, a, of) == pytest.approx(wanted)
    # shares of pi steps are no lattice: all signs are tried
    assert permutation(a / math.pi, b / math.pi, of) == pytest.approx(wanted)


def test_many_clusters_of_odd_scores_are_drawn_at_random_and_agree_with_scipy() -> None:
    a, b = A[:90] / math.pi, B[:90] / math.pi + RANDOM.normal(0, 0.05, 90)
    own = permutation(a, b, THREES[:90], draws=20_000)
    sums = np.bincount(THREES[:90], a - b)
    told = permutation_test(
        (sums, np.zeros(30)),
        lambda x, y, axis: (x - y).sum(axis=axis),
        permutation_type="samples", n_resamples=20_000, vectorized=True, rng=np.random.default_rng(1),
    )  # fmt: skip
    assert own == pytest.approx(told.pvalue, abs=0.02)
    assert permutation(a, b, THREES[:90], seed=2) == permutation(a, b, THREES[:90], seed=2)


def test_no_p_is_0_however_far_models_are_apart() -> None:
    """Two of 2^clusters changes of sign are as far: 1e-12 as it is, 1e-602 as the least that a number can be."""
    for n, wanted in ((40, 2.0**-39), (2000, sys.float_info.min)):
        one, other, alone = np.ones(n), np.zeros(n), np.arange(n)
        assert permutation(one, other, alone) == pytest.approx(wanted, rel=1e-9)
        assert mcnemar(one, other).p == pytest.approx(wanted, rel=1e-9)
    assert cochran(np.repeat([[1.0], [0.0], [0.0]], 2000, axis=1)).p == sys.float_info.min


def test_the_p_of_random_signs_is_never_0_and_counts_the_signs_that_were_seen() -> None:
    """Of 2^30 changes of sign but two reach a difference in which all clusters agree; 99 draws meet neither."""
    one_sided = np.linspace(0.1, 0.9, 30) / math.pi
    assert permutation(one_sided, np.zeros(30), np.arange(30), draws=99) == 1 / 100


def test_exact_and_random_signs_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = permutation(A, B, THREES)
    monkeypatch.setattr(paired, "LONG", 0)
    assert permutation(A, B, THREES, draws=40_000) == pytest.approx(exact, abs=0.01)


def test_scores_in_four_orders_are_still_exact() -> None:
    a, b = RANDOM.integers(5, size=(2, 8)) / 4
    signs = np.array(list(product((-1, 1), repeat=8)))
    wanted = (np.abs(signs @ (a - b)) >= abs((a - b).sum()) - 1e-9).mean()
    assert permutation(a, b, np.arange(8)) == pytest.approx(wanted)


def test_a_difference_of_independent_questions_has_the_interval_of_agresti_and_min() -> None:
    """Half a question in each cell of the table of two models, by hand."""
    b, c, n = ((A > B).sum() + 0.5), ((B > A).sum() + 0.5), 402
    at, spread = (b - c) / n, math.sqrt((b + c) - (b - c) ** 2 / n) / n
    reach = student.ppf(0.975, n - 1) * math.sqrt(n / (n - 1)) * spread  # theirs has the normal quantile and n
    found = difference(A, B, ALONE)
    assert found.value == pytest.approx((A - B).mean())
    assert (found.low, found.high) == pytest.approx((at - reach, at + reach))
    assert (found.error, found.df) == pytest.approx(((A - B).std(ddof=1) / 20, 399))  # of the 400 asked, not the 402


def test_differences_mirror_and_do_not_depend_on_order_or_names_of_clusters() -> None:
    found, mirror = difference(A, B, THREES), difference(B, A, THREES)
    assert (mirror.low, mirror.high) == pytest.approx((-found.high, -found.low))
    order = RANDOM.permutation(400)
    other = difference(A[order], B[order], 500 - THREES[order])
    assert (other.low, other.high) == pytest.approx((found.low, found.high))


def test_models_that_never_differ_still_have_an_interval() -> None:
    found = difference(A, A, ALONE)
    assert found.value == 0
    assert 0.004 < found.high == -found.low < 0.006
    plain = difference(A, A, ALONE, adjusted=False)
    assert (plain.low, plain.high) == (0, 0)


@given(st.integers(2, 6), st.integers(5, 60))
def test_cochrans_q_is_that_of_statsmodels(models: int, n: int) -> None:
    values = (np.random.default_rng(models * 100 + n).random((models, n)) < 0.7).astype(float)
    assume(np.ptp(values, axis=0).any())
    wanted, found = cochrans_q(values.T), cochran(values)
    assert (found.q, found.df, found.p) == pytest.approx((wanted.statistic, wanted.df, wanted.pvalue))


def test_cochran_of_models_that_never_differ_says_so() -> None:
    assert (cochran([[1, 0], [1, 0]]).df, math.isnan(cochran([[1, 0], [1, 0]]).p)) == (0, True)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holms_p_are_those_of_the_definition(p: list[float]) -> None:
    """The greatest of those no larger, each times how many were left when its turn came, and at most 1."""
    ordered = sorted(p)
    stepped = [(len(p) - rank) * one for rank, one in enumerate(ordered)]
    assert holm(p) == pytest.approx([min(1.0, max(stepped[: ordered.index(one) + ordered.count(one)])) for one in p])


def test_holm_is_that_of_statsmodels() -> None:
    p = [0.04, 0.001, 0.9, 0.013, 0.012, 0.3, 0.001, 0.04]  # once: it collects garbage in every call
    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]))


def test_what_cannot_be_compared_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="0 and 1 only"):
        mcnemar([0.5], [1])
    with pytest.raises(ValueError, match="one length"):
        permutation([1, 0], [1], [0, 1])
    with pytest.raises(ValueError, match="missing"):
        difference([np.nan, 1], [0, 1], [0, 1])
    with pytest.raises(ValueError, match="two or more models"):
        cochran([1, 0])
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm([0.2, float("nan")])
