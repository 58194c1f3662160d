"""Planning a comparison: against the exact test's power, drawn samples, a z test and the figures that are known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.power import NormalIndPower
from typer.testing import CliRunner

from akb.cli import power as command
from akb.errors import AkbError
from akb.stats.paired import mcnemar
from akb.stats.power import detectable, detectable_between, needed, power


@pytest.mark.parametrize(("discordance", "points"), [(0.1, 2.0), (0.2, 2.8), (0.3, 3.5)])
def test_2000_questions_show_what_is_known(discordance: float, points: float) -> None:
    assert 100 * (detectable(2000, discordance) or 0) == pytest.approx(points, abs=0.05)


@pytest.mark.parametrize(
    ("n", "apart", "gap", "alpha"),
    [
        (300, 0.2, 0.07, 0.05),
        (40, 0.3, 0.1, 0.05),
        (60, 0.3, 0.2, 0.0625),
        (9, 1.0, 0.9, 0.05),
        (80, 0.4, 0.3, 0.05 / 17),
    ],
)
def test_the_power_is_that_of_the_exact_test(n: int, apart: float, gap: float, alpha: float) -> None:
    """Of the sign test, summed over all numbers of discordant questions; .0625 is a p that comes up itself."""
    total = 0.0
    for m in range(n + 1):
        k = np.arange(m + 1)
        p = 2 * np.minimum(binom.cdf(k, m, 0.5), binom.sf(k - 1, m, 0.5))
        total += binom.pmf(m, n, apart) * binom.pmf(k, m, 0.5 + gap / apart / 2)[p <= alpha + 1e-12].sum()
    assert power(n, apart, gap, alpha) == pytest.approx(total, abs=1e-9)


def test_a_difference_that_80_percent_are_to_find_is_found_by_the_test_of_akb_in_80_percent() -> None:
    """On 100 questions: by the normal approximation it was 76."""
    random, gap = np.random.default_rng(0), detectable(100, 0.2)
    assert gap is not None
    right = random.multinomial(100, [0.1 + gap / 2, 0.1 - gap / 2, 0.8], size=2000)
    kinds, times = np.unique(right[:, :2], axis=0, return_counts=True)
    p = [mcnemar([1.0] * a + [0.0] * b, [0.0] * a + [1.0] * b).p for a, b in kinds.tolist()]
    assert times[np.array(p) <= 0.05].sum() / 2000 == pytest.approx(0.8, abs=0.025)


def test_for_small_differences_it_is_the_power_of_a_z_test() -> None:
    wanted = NormalIndPower(ddof=0).power(0.001 / np.sqrt(0.3), 2_000_000, 0.05, ratio=0)
    assert power(2_000_000, 0.3, 0.001) == pytest.approx(wanted, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(20, 3000), st.floats(0.02, 0.9), st.floats(0.5, 0.95), st.floats(1, 4))
def test_the_three_questions_answer_one_another(n: int, discordance: float, wanted: float, design: float) -> None:
    least = detectable(n, discordance, wanted, design=design)
    if least is None:
        assert power(n, discordance, discordance, design=design) < wanted
        return
    assert power(n, discordance, least, design=design) == pytest.approx(wanted, abs=1e-3)
    assert power(n, discordance, least - 2e-6, design=design) < wanted
    assert power(n, discordance, 0) <= 0.05
    assert power(n, discordance, least, design=design) == pytest.approx(power(n / design, discordance, least))


@pytest.mark.parametrize(("discordance", "difference"), [(0.2, 0.02), (0.1, 0.1), (0.9, 0.3), (1.0, 1.0)])
def test_the_questions_needed_have_the_power_and_one_less_has_not(discordance: float, difference: float) -> None:
    n = needed(discordance, difference)
    assert power(n, discordance, difference) >= 0.8 > power(n - 1, discordance, difference)
    assert needed(discordance, difference, design=2.5) == math.ceil(2.5 * n)


def test_between_pairs_it_is_of_their_mean_discordance_and_design_effect() -> None:
    """Two pairs: on 10 and on 30 of 100 questions one alone is right, and templates of two go together."""
    few, many = np.repeat([1.0] * 5 + [0.0] * 45, 2), np.repeat([-1.0] * 10 + [1.0] * 5 + [0.0] * 35, 2)
    alone, twos = np.arange(100), np.arange(100) // 2
    assert detectable_between([few, many], alone) == pytest.approx(detectable(100, 0.2))
    assert detectable_between([few, many], twos) == pytest.approx(detectable(100, 0.2, design=2), rel=0.02)


def test_where_nothing_differs_or_all_is_one_template_no_difference_is_told() -> None:
    apart = np.array([1.0, -1.0, 0.0, 0.0] * 10)
    assert detectable_between([apart], np.zeros(40, dtype=int)) is None
    assert detectable_between([apart * 0], np.arange(40)) is None
    assert detectable_between([], []) is None


@pytest.mark.parametrize(
    "arguments", [(0, 0.2, 0.1), (10, 0, 0), (10, 0.2, 0.3), (10, 0.2, 0.1, 1.0), (10, 0.2, 0.1, 0.05, 0.0)]
)
def test_what_cannot_be_is_one_clear_error(arguments: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="is not"):
        power(*arguments)


app = typer.Typer()
app.command()(command.power)


def told(*args: str) -> str:
    done = CliRunner().invoke(app, args, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_tells_what_it_is_asked() -> None:
    text = told("--n", "2000", "--discordance", "0.2", "--difference", "2")
    assert "2.84 points or more" in text
    assert "4016 questions" in text
    assert "power 49.7 %" in text
    found = json.loads(told("--n", "2000", "--discordance", "0.2", "--comparisons", "16", "--json"))
    assert found["alpha"] == 0.05 / 16
    assert found["detectable"] == pytest.approx(detectable(2000, 0.2, alpha=0.05 / 16))
    assert "no difference" in told("--n", "5", "--discordance", "0.1")


@pytest.mark.parametrize(
    "args", [["--discordance", "0.2"], ["--discordance", "20", "--n", "9"],
             ["--discordance", "0.2", "--n", "9", "--comparisons", "0"]],
)  # fmt: skip
def test_the_command_says_what_is_wrong(args: list[str]) -> None:
    with pytest.raises(AkbError, match=r"wanted|is not"):
        CliRunner().invoke(app, args, catch_exceptions=False)


@pytest.mark.parametrize(
    ("args", "wanted"),
    [(["--discordance", "20"], "0.2"), (["--discordance", "0.2", "--power", "80"], "0.8"),
     (["--discordance", "0.2", "--alpha", "5"], "0.05")],
)  # fmt: skip
def test_percent_for_a_share_is_told_the_share(args: list[str], wanted: str) -> None:
    with pytest.raises(AkbError, match="a share is wanted") as caught:
        CliRunner().invoke(app, [*args, "--n", "2000"], catch_exceptions=False)
    assert caught.value.fix == f"Did you mean {wanted}?"


@pytest.mark.parametrize("points", ["0", "-2", "30"])
def test_a_difference_that_the_discordance_does_not_allow_is_told_in_points(points: str) -> None:
    with pytest.raises(AkbError, match="points is not from above 0 to 20"):
        CliRunner().invoke(app, ["--discordance", "0.2", "--difference", points], catch_exceptions=False)
