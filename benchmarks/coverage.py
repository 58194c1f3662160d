"""How often the intervals of akb hold what they are to hold.

    python benchmarks/coverage.py                       # 4,000 samples a line: about four minutes
    python benchmarks/coverage.py --samples 400         # a minute
    python benchmarks/coverage.py --only paired --json found.json

Samples are drawn from a world in which the truth is known: questions come in clusters (templates) of sizes as in
akb-open (most alone, some of 3 to 16), in few clusters of four, or in some that hold much of the questions; the
questions of a cluster share a latent difficulty (correlation `icc` on the probit scale), so that the true mean is
exactly known, or a share of them has one answer ("70 % alike"). Two models on the same questions share it as well.
Printed: for each interval and world the share of samples whose 95 % interval holds the truth, in per cent, with the
Monte Carlo error of that figure. Intervals marked * are akb's defaults.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from scipy.stats import norm

from akb.stats import difficulty, ranks, shrinkage
from akb.stats.intervals import average, corrected, resampled
from akb.stats.paired import difference
from akb.stats.proportion import wilson
from akb.stats.scores import Floats, Integers

Sample = Callable[[Generator], tuple[float, float]]  # how many intervals hold the truth, of how many


@dataclass(frozen=True)
class Line:
    """A line of the table; shares from 0 to 1."""

    interval: str
    world: str
    nominal: float
    measured: float
    error: float
    default: bool


@dataclass(frozen=True)
class Case:
    """An interval in a world; `sample` draws one and looks. `cost`: how many times fewer samples it gets."""

    interval: str
    world: str
    sample: Sample
    default: bool = True
    cost: int = 1


# -- the world ---------------------------------------------------------------------------------------------------


def akb_open(n: int) -> Integers:
    """Clusters of n questions with the sizes of akb-open's templates: 77 % of questions alone, the rest by 3 to 16."""
    sizes = [1] * round(0.77 * n)
    for size in (4, 3, 5, 4, 3, 7, 4, 3, 6, 5, 4, 3, 8, 4, 3, 16) * n:
        if sum(sizes) + size > n:
            break
        sizes.append(size)
    sizes += [1] * (n - sum(sizes))
    return of_sizes(sizes)


def fours(n: int) -> Integers:
    """Clusters of four."""
    return np.arange(n) // 4


PLACES = (
    (2000, akb_open, "akb-open"),
    (200, akb_open, "akb-open"),
    (40, akb_open, "akb-open"),
    (40, fours, "fours"),
)
UNEVEN = {  # sizes of clusters, a few of which hold much of the questions
    "10 templates of 82 to 6": (82, 40, 20, 10, 10, 10, 10, 6, 6, 6),
    "60 templates of 100 to 1": tuple(100 // place for place in range(1, 61)),
    "5 beside 154 alone, of 16 to 3": (16, 14, 8, 5, 3, *[1] * 154),
    "3 templates of 20": (20, 20, 20),
}


def of_sizes(sizes: Sequence[int]) -> Integers:
    """Clusters of these sizes."""
    return np.repeat(np.arange(len(sizes)), sizes)


def latent(clusters: Integers, icc: float, random: Generator, models: int = 1) -> Floats:
    """(models, items), standard normal; what a cluster shares all models share, and half of the rest."""
    shared = random.standard_normal(int(clusters.max()) + 1)[clusters]
    item = random.standard_normal(len(clusters))
    own = random.standard_normal((models, len(clusters)))
    return math.sqrt(icc) * shared + math.sqrt(1 - icc) * (math.sqrt(0.5) * item + math.sqrt(0.5) * own)


def answers(p: Floats, clusters: Integers, icc: float, random: Generator) -> Floats:
    """(models, items), 0 or 1, right with chances p: (models, items) or (models, 1)."""
    return (latent(clusters, icc, random, len(p)) < norm.ppf(p)).astype(np.float64)


def alike(p: float, clusters: Integers, share: float, random: Generator) -> Floats:
    """(items,), 0 or 1, right with chance p: so large a share of a cluster's questions has one answer in common, the
    others have each their own."""
    common, own = random.random(int(clusters.max()) + 1) < p, random.random(len(clusters)) < p
    return np.where(random.random(len(clusters)) < share, common[clusters], own).astype(np.float64)


def holds(low: float, truth: float, high: float) -> tuple[float, float]:
    return float(low - 1e-12 <= truth <= high + 1e-12), 1.0


# -- means -------------------------------------------------------------------------------------------------------


def means() -> Iterator[Case]:
    for n, shape, name in PLACES:
        for p, icc in ((0.8, 0.0), (0.8, 0.5), (0.95, 0.5)):
            clusters = shape(n)
            world = f"n {n}, {name}, p {p}, icc {icc}"

            def of_wilson(
                random: Generator, p: float = p, icc: float = icc, c: Integers = clusters
            ) -> tuple[float, float]:
                low, high = wilson(answers(np.array([[p]]), c, icc, random).sum(), len(c))
                return holds(low, p, high)

            yield Case("Wilson", world, of_wilson, default=icc == 0)
            yield Case("mean, score", world, _mean("score", p, icc, clusters))
            yield Case("mean, linear", world, _mean("linear", p, icc, clusters), default=False)
            if n <= 200:
                yield Case("mean, bootstrap", world, _percentile(p, icc, clusters), default=False, cost=4)
    yield from _uneven()
    yield Case("above chance", "n 200, akb-open, p 0.8, icc 0.5", _above(0.8, 0.5, akb_open(200)))
    yield Case("mean of shares", "n 200, akb-open, four orders each", _orders(akb_open(200)))
    yield from _macros()


def _mean(form: str, p: float, icc: float, clusters: Integers) -> Sample:
    def sample(random: Generator) -> tuple[float, float]:
        x = answers(np.array([[p]]), clusters, icc, random)[0]
        found = average(x, clusters, form="score" if form == "score" else "linear")
        return holds(found.low, p, found.high)

    return sample


def _uneven() -> Iterator[Case]:
    """Few templates, or some that are large: latent difficulties as elsewhere, and answers that are wholly alike."""
    for name, sizes in UNEVEN.items():
        clusters = of_sizes(sizes)
        for p, icc in ((0.8, 0.0), (0.8, 0.5), (0.95, 0.5)):
            yield Case("mean, score", f"n {sum(sizes)}, {name}, p {p}, icc {icc}", _mean("score", p, icc, clusters))
        for p in (0.8, 0.95):

            def sample(random: Generator, p: float = p, c: Integers = clusters) -> tuple[float, float]:
                found = average(alike(p, c, 0.7, random), c)
                return holds(found.low, p, found.high)

            yield Case("mean, score", f"n {sum(sizes)}, {name}, p {p}, 70 % alike", sample)


def _percentile(p: float, icc: float, clusters: Integers) -> Sample:
    def sample(random: Generator) -> tuple[float, float]:
        x = answers(np.array([[p]]), clusters, icc, random)
        low, high = np.quantile(resampled(x, clusters, 1000, int(random.integers(2**31))), [0.025, 0.975])
        return holds(low, p, high)

    return sample


def _above(p: float, icc: float, clusters: Integers) -> Sample:
    def sample(random: Generator) -> tuple[float, float]:
        found = corrected(average(answers(np.array([[p]]), clusters, icc, random)[0], clusters), 0.25)
        return holds(found.low, (p - 0.25) / 0.75, found.high)

    return sample


def _orders(clusters: Integers) -> Sample:
    """Scores that are means over four orders, each right with 0.8."""

    def sample(random: Generator) -> tuple[float, float]:
        found = average(answers(np.full((4, 1), 0.8), clusters, 0.3, random).mean(axis=0), clusters)
        return holds(found.low, 0.8, found.high)

    return sample


def _macros() -> Iterator[Case]:
    for n, strata, name in ((2000, 6, "6 categories"), (2000, 48, "48 subcategories"), (240, 6, "6 categories")):
        clusters = akb_open(n)
        # whole clusters are dealt to strata of uneven sizes
        shares = np.linspace(1, 3, strata)
        stratum = np.random.default_rng(1).choice(strata, clusters.max() + 1, p=shares / shares.sum())[clusters]
        truth = np.linspace(0.6, 0.95, strata)
        for form in ("score", "linear"):

            def sample(
                random: Generator, c: Integers = clusters, s: Integers = stratum, t: Floats = truth, form: str = form
            ) -> tuple[float, float]:
                x = answers(t[s][None, :], c, 0.5, random)[0]
                found = average(x, c, s, form="score" if form == "score" else "linear")
                return holds(found.low, float(t.mean()), found.high)

            yield Case(f"macro, {form}", f"n {n}, {name}, p 0.6-0.95, icc 0.5", sample, default=form == "score")


# -- two models, many models ---------------------------------------------------------------------------------------


def paired() -> Iterator[Case]:
    for n, shape, name in PLACES:
        for one, other, icc in ((0.8, 0.8, 0.0), (0.82, 0.78, 0.5), (0.98, 0.97, 0.5)):
            world = f"n {n}, {name}, p {one} and {other}, icc {icc}"
            yield from _differences(world, (one, other), icc, shape(n))
    for name, sizes in UNEVEN.items():
        world = f"n {sum(sizes)}, {name}, p 0.82 and 0.78"
        yield from _differences(f"{world}, icc 0.5", (0.82, 0.78), 0.5, of_sizes(sizes))


def _differences(world: str, p: tuple[float, float], icc: float, clusters: Integers) -> Iterator[Case]:
    for adjusted in (True, False):

        def sample(random: Generator, adjusted: bool = adjusted) -> tuple[float, float]:
            x = answers(np.array([[p[0]], [p[1]]]), clusters, icc, random)
            found = difference(x[0], x[1], clusters, adjusted=adjusted)
            return holds(found.low, p[0] - p[1], found.high)

        yield Case("difference" if adjusted else "difference, plain", world, sample, default=adjusted)


def ranked() -> Iterator[Case]:
    worlds = {
        "17 models, 1.3 points apart": np.linspace(0.72, 0.92, 17),
        "17 models, 0.3 points apart": np.linspace(0.77, 0.82, 17),
        "1 ahead of 12 close ones": np.append(np.linspace(0.78, 0.801, 12), 0.82),
        "13 models, 0.02 points apart": np.linspace(0.8, 0.8024, 13),
    }
    clusters = akb_open(500)
    for world, p in worlds.items():
        for method in ("pairwise", "percentile"):
            for whose, chosen in (("all", slice(None)), ("the last", slice(0, 1))):

                def sample(
                    random: Generator, p: Floats = p, method: str = method, chosen: slice = chosen
                ) -> tuple[float, float]:
                    x = answers(p[:, None], clusters, 0.5, random)
                    how: ranks.Method = "pairwise" if method == "pairwise" else "percentile"
                    found = ranks.ranks(x, clusters, 400, int(random.integers(2**31)), method=how)
                    truth = range(len(p), 0, -1)
                    told = [one.low <= place <= one.high for one, place in zip(_by(found, p), truth, strict=True)]
                    return float(sum(told[chosen])), float(len(told[chosen]))

                yield Case(f"rank, {method}", f"n 500, {world}: {whose}", sample, method == "pairwise", 10)


def _by(found: list[ranks.Rank], p: Floats) -> list[ranks.Rank]:
    """From the least true accuracy to the most."""
    return [found[place] for place in np.argsort(p)]


def groups() -> Iterator[Case]:
    for count, n in ((48, 42), (6, 40), (6, 330), (3, 40)):
        for method in ("integrated", "plug-in"):

            def sample(random: Generator, count: int = count, n: int = n, method: str = method) -> tuple[float, float]:
                truth = random.beta(12, 3, count)
                right = random.binomial(n, truth)
                how: shrinkage.Method = "integrated" if method == "integrated" else "plug-in"
                found = shrinkage.shrunk(right, np.full(count, n), method=how)
                return float(sum(one.low <= t <= one.high for one, t in zip(found, truth, strict=True))), float(count)

            yield Case(f"shrunk, {method}", f"{count} groups of {n}, beta(12, 3)", sample, method == "integrated", 10)

    clusters = np.arange(48 * 40) // 2
    names = np.repeat([f"{i:02}" for i in range(48)], 40).tolist()

    def clustered(random: Generator) -> tuple[float, float]:
        truth = random.beta(12, 3, 48)
        x = answers(np.repeat(truth, 40)[None, :], clusters, 0.6, random)[0]
        found = shrinkage.subcategories(x, clusters, names)
        return float(sum(one.low <= t <= one.high for one, t in zip(found, truth, strict=True))), 48.0

    yield Case("shrunk, subcategories", "48 groups of 40, in clusters of two, icc 0.6", clustered, cost=10)


def items() -> Iterator[Case]:
    for models in (8, 17, 50):
        steep, hard = np.tile([0.3, 1.0, 2.0], 20), np.repeat(np.linspace(-1, 1, 20), 3)

        def abilities(random: Generator, count: int, a: Floats = steep, b: Floats = hard) -> Floats:
            ability = random.standard_normal((count, 1))
            return (random.random((count, 60)) < 1 / (1 + np.exp(-a * (ability - b)))).astype(np.float64)

        many = abilities(np.random.default_rng(5), 300_000)
        share, truth = many.mean(axis=0), difficulty.discrimination(many)

        def sample(
            random: Generator, models: int = models, truth: Floats = truth, draw: Callable[..., Floats] = abilities
        ) -> tuple[float, float]:
            found = difficulty.items(draw(random, models), [""] * 60)
            told = [one.d_low <= t <= one.d_high for one, t in zip(found, truth, strict=True) if one.d_low == one.d_low]
            return float(sum(told)), float(len(told))

        def hardness(
            random: Generator, models: int = models, share: Floats = share, draw: Callable[..., Floats] = abilities
        ) -> tuple[float, float]:
            found = difficulty.items(draw(random, models), [""] * 60)
            return float(sum(one.low <= t <= one.high for one, t in zip(found, share, strict=True))), 60.0

        yield Case("discrimination", f"60 items, {models} models", sample, cost=10)
        yield Case("difficulty", f"60 items, {models} models", hardness, cost=10)


KINDS: dict[str, Callable[[], Iterator[Case]]] = {
    "means": means, "paired": paired, "ranks": ranked, "groups": groups, "items": items,
}  # fmt: skip


def measure(case: Case, samples: int, seed: int = 0) -> Line:
    """The coverage of an interval in a world, over so many samples."""
    random = np.random.default_rng(seed)
    held = np.array([case.sample(random) for _ in range(max(20, samples // case.cost))])
    measured = float(held[:, 0].sum() / held[:, 1].sum())
    # the intervals of one sample are not independent: the error is that of a ratio of sums
    spread = held[:, 0] - measured * held[:, 1]
    error = float(np.sqrt((spread**2).sum()) / held[:, 1].sum())
    return Line(case.interval, case.world, 0.95, measured, error, case.default)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--only", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="Write the lines into this file.")
    args = parser.parse_args()
    found = []
    print("| interval | world | nominal | measured | +- |\n|---|---|--:|--:|--:|")
    for kind in args.only:
        for case in KINDS[kind]():
            line = measure(case, args.samples, args.seed)
            found.append(asdict(line))
            mark = " *" * line.default
            shares = f"{100 * line.nominal:.0f} | {100 * line.measured:.1f} | {100 * line.error:.1f}"
            print(f"| {line.interval}{mark} | {line.world} | {shares} |", flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
