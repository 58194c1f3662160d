"""How often the intervals of a correlation across models hold the truth.

    python benchmarks/correlation_coverage.py                            # about five minutes on one core
    python benchmarks/correlation_coverage.py --samples 200 --draws 500  # whether it works: seconds
    python benchmarks/correlation_coverage.py --json

Studies are made up, each of n models with two scores. For Fisher and BCa (of Pearson's r) and Bonett-Wright (of
Spearman's) the scores are bivariate normal; the truth is rho, or 6/pi asin(rho/2) for ranks. "skewed": both scores
are exp of half a normal, and the truth of r is that of the log-normal. "families": the n models come in families of up
to four, whose members share 70 % of their variance: the intervals take models as independent, and this shows what that
costs.

For the intervals over models and questions, models' true abilities are bivariate normal on the logit scale, questions
have difficulties (in templates of four, half of whose variance is common), and answers are drawn; the truth is the
correlation that endless models would show on tests of this length, averaged over tests.

For the decision, candidates are drawn from endless models; the truth is the mean regret of the best of k = 4 by the
predictor.

Nominal 95 %. The Monte-Carlo error is sqrt(p (1 - p) / samples).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.random import Generator

from akb.stats import correlation, decision, resampling
from akb.stats.scores import Floats, Scores

SIZES = (8, 12, 17)
RHOS = (0.0, 0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Line:
    """One measured coverage: in per cent, with its Monte-Carlo error and the mean width."""

    interval: str
    scores: str
    n: int
    rho: float
    coverage: float
    error: float
    width: float


def line(name: str, scores: str, n: int, rho: float, truth: float, ends: list[tuple[float, float]]) -> Line:
    """The coverage of a truth by intervals; one that is not defined does not hold it."""
    held = float(np.mean([low <= truth <= high for low, high in ends]))
    width = float(np.nanmean([high - low for low, high in ends]))
    error = math.sqrt(max(held * (1 - held), 1e-9) / len(ends))
    return Line(name, scores, n, rho, round(100 * float(held), 2), round(100 * error, 2), round(width, 3))


def normal_pairs(random: Generator, rho: float, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Bivariate normal scores."""
    one, other = random.standard_normal((2, *shape))
    return one, rho * one + math.sqrt(1 - rho * rho) * other


def families(random: Generator, rho: float, n: int) -> tuple[Floats, Floats]:
    """Scores of models that share 70 % of their variance with their family of up to four."""
    family = np.arange(n) // 4
    common = normal_pairs(random, rho, (n // 4 + 1,))
    own = normal_pairs(random, rho, (n,))
    x, y = (math.sqrt(0.7) * c[family] + math.sqrt(0.3) * o for c, o in zip(common, own, strict=True))
    return x, y


def simple(samples: int, draws: int, seed: int) -> Iterator[Line]:
    """Fisher, BCa, Bonett-Wright."""
    for n in SIZES:
        for rho in RHOS:
            for scores in ("normal", "skewed", "families"):
                random = np.random.default_rng((seed, n, round(100 * rho)))
                found: dict[str, list[tuple[float, float]]] = {"Fisher": [], "BCa": [], "Bonett-Wright": []}
                for sample in range(samples):
                    x, y = families(random, rho, n) if scores == "families" else normal_pairs(random, rho, (n,))
                    if scores == "skewed":
                        x, y = np.exp(x / 2), np.exp(y / 2)
                    found["Fisher"].append(correlation.fisher(correlation.pearson(x, y), n))
                    found["Bonett-Wright"].append(correlation.bonett_wright(correlation.spearman(x, y), n))
                    bca = correlation.bca(x, y, draws=draws, seed=sample)
                    found["BCa"].append((bca.low, bca.high))
                ranks = 6 / math.pi * math.asin(rho / 2)
                straight = (math.exp(rho / 4) - 1) / (math.exp(1 / 4) - 1) if scores == "skewed" else rho
                for name, ends in found.items():
                    yield line(name, scores, n, rho, ranks if name == "Bonett-Wright" else straight, ends)


@dataclass(frozen=True)
class World:
    """Answers of models to two tests. Abilities spread by 0.6 logits; difficulties by 1."""

    rho: float
    questions: tuple[int, int] = (400, 200)

    def difficulties(self, random: Generator, questions: int) -> Floats:
        """Of a fresh test: templates of four questions."""
        common = np.repeat(random.standard_normal(questions // 4), 4)
        return np.asarray(math.sqrt(0.5) * common + math.sqrt(0.5) * random.standard_normal(questions))

    def chances(self, abilities: Floats, difficulties: Floats) -> Floats:
        """Of a right answer, (models, questions), of four options."""
        return np.asarray(0.25 + 0.75 / (1 + np.exp(-(0.5 + 0.6 * abilities[:, None] - difficulties[None, :]))))

    def accuracies(self, random: Generator, models: int) -> tuple[Scores, Scores]:
        """The tables of a study."""
        names = tuple(f"m{i}" for i in range(models))
        tables = []
        for test, (ability, size) in enumerate(
            zip(normal_pairs(random, self.rho, (models,)), self.questions, strict=True)
        ):
            right = random.random((models, size)) < self.chances(ability, self.difficulties(random, size))
            items = tuple(f"{test}-{i}" for i in range(size))
            templates = tuple((f"{test}-t{i // 4}",) for i in range(size))
            blank = ("",) * size
            tables.append(Scores(names, items, right.astype(np.float64), templates, blank, blank, np.full(size, 0.25)))
        return tables[0], tables[1]

    def truth(self, random: Generator, tests: int = 40, models: int = 20_000) -> float:
        """The mean correlation of endless models over fresh tests."""
        found = []
        for _ in range(tests):
            scores = []
            for ability, size in zip(normal_pairs(random, self.rho, (models,)), self.questions, strict=True):
                grid = np.linspace(-5, 5, 201)  # the expected accuracy of an ability on this test, and its noise
                chances = self.chances(grid, self.difficulties(random, size))
                mean, noise = chances.mean(axis=1), np.sqrt((chances * (1 - chances)).sum(axis=1)) / size
                scores.append(
                    np.interp(ability, grid, mean) + np.interp(ability, grid, noise) * random.standard_normal(models)
                )
            found.append(correlation.pearson(*scores))
        return float(np.mean(found))


def with_questions(samples: int, draws: int, seed: int) -> Iterator[Line]:
    """The interval over models and questions, and percentiles of drawing both."""
    for rho in (0.5, 0.8, 0.95):
        world = World(rho)
        truth = world.truth(np.random.default_rng((seed, 1)))
        for n in SIZES:
            random = np.random.default_rng((seed, n, 2))
            found: dict[str, list[tuple[float, float]]] = {"joint": [], "percentiles of both": [], "Fisher": []}
            for sample in range(samples):
                got = resampling.joint(*world.accuracies(random, n), draws=draws, seed=sample)
                found["joint"].append((got.low, got.high))
                found["percentiles of both"].append((got.both_low, got.both_high))
                found["Fisher"].append(correlation.fisher(got.r, n))
            for name, ends in found.items():
                yield line(name, "answers", n, rho, truth, ends)


def choices(samples: int, seed: int) -> Iterator[Line]:
    """The interval of the mean regret, and of what is saved against chance, k = 4."""
    for rho in (0.0, 0.5, 0.8):
        x, y = normal_pairs(np.random.default_rng((seed, 3)), rho, (400_000, 4))
        taken = np.take_along_axis(y, x.argmax(axis=1)[:, None], axis=1)[:, 0]
        lost, saved = float((y.max(axis=1) - taken).mean()), float((taken - y.mean(axis=1)).mean())
        for n in SIZES:
            random = np.random.default_rng((seed, n, 4))
            found: dict[str, list[tuple[float, float]]] = {"regret": [], "saved": []}
            for _ in range(samples):
                one, other = normal_pairs(random, rho, (n,))
                got = decision.regrets({"x": one}, other, among=4)[0]
                found["regret"].append((got.low, got.high))
                found["saved"].append((got.saved_low, got.saved_high))
            yield line("regret", "normal", n, rho, lost, found["regret"])
            yield line("saved", "normal", n, rho, saved, found["saved"])


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000, help="studies made up for each line (joint: a fifth)")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws in each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("simple", "joint", "choices"), nargs="+", help="a part")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[Line]]] = {
        "simple": lambda: simple(given.samples, given.draws, given.seed),
        "joint": lambda: with_questions(max(50, given.samples // 5), given.draws, given.seed),
        "choices": lambda: choices(given.samples, given.seed),
    }
    found = [entry for name, part in parts.items() if not given.only or name in given.only for entry in part()]
    if given.json:
        print(json.dumps([asdict(entry) for entry in found], indent=1))
        return
    print(f"{'interval':20} {'scores':9} {'n':>3} {'rho':>5} {'coverage %':>10} {'error':>6} {'width':>6}")
    for e in found:
        print(f"{e.interval:20} {e.scores:9} {e.n:3} {e.rho:5.2f} {e.coverage:10.1f} {e.error:6.2f} {e.width:6.2f}")


if __name__ == "__main__":
    main()
