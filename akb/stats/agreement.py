"""How far raters agree, beyond chance, on nominal categories.

Ratings are a table (items, raters) of category labels; None where a rater did not rate an item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import combinations

import numpy as np

Ratings = Sequence[Sequence[Hashable | None]]


def raw(ratings: Ratings) -> float:
    """The share of pairs of ratings of one item that are the same, averaged over items with two ratings or more: from 0
    to 1, NaN without such items."""
    shares = [_pairs(counts) for counts in _counts(ratings) if sum(counts.values()) > 1]
    return float(np.mean(shares)) if shares else float("nan")


def cohen(ratings: Ratings) -> float:
    """Cohen's kappa (1960) of two raters, over the items that both rated; of more, the mean over pairs of raters (Light
    1971, Psychological Bulletin 76, 365-377), here weighted by the number of items that a pair has both rated, for a
    pair with few says little. NaN where a pair uses one category alone.

    Returns:
        At most 1; 0 is chance.
    """
    values, sizes = [], []
    for one, other in combinations(range(len(ratings[0])), 2):
        pairs = [(row[one], row[other]) for row in ratings if row[one] is not None and row[other] is not None]
        if not pairs:
            continue
        agreed = sum(a == b for a, b in pairs) / len(pairs)
        first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
        chance = sum(first[label] * second[label] for label in first) / len(pairs) ** 2
        values.append(_beyond(agreed, chance))
        sizes.append(len(pairs))
    return float(np.average(values, weights=sizes)) if values else float("nan")


def gwet(ratings: Ratings, categories: int | None = None) -> float:
    """Gwet's AC1 (2008, doi:10.1348/000711006X126600), for any number of raters and missing ratings. Unlike kappa it
    does not fall to nothing where nearly all ratings are one category.

    Args:
        categories: how many there are; None for those that were used.

    Returns:
        At most 1; 0 is chance. NaN with fewer than two categories or no item with two ratings.
    """
    counts = [item for item in _counts(ratings) if item]
    size = categories or len({label for item in counts for label in item})
    if size < 2:
        return float("nan")
    prevalence: Counter[Hashable] = Counter()
    for item in counts:
        total = sum(item.values())
        for label, count in item.items():
            prevalence[label] += count / total / len(counts)  # type: ignore[assignment]
    chance = sum(share * (1 - share) for share in prevalence.values()) / (size - 1)
    return _beyond(raw(ratings), chance)


def krippendorff(ratings: Ratings) -> float:
    """Krippendorff's alpha for nominal data (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"), for any
    number of raters and missing ratings.

    Returns:
        At most 1; 0 is chance. NaN where all ratings are one category.
    """
    counts = [item for item in _counts(ratings) if sum(item.values()) > 1]
    total = sum(sum(item.values()) for item in counts)
    if not total:
        return float("nan")
    agreed = sum(_pairs(item) * sum(item.values()) for item in counts) / total
    marginal: Counter[Hashable] = sum(counts, Counter())
    chance = sum(count * (count - 1) for count in marginal.values()) / (total * (total - 1))
    return _beyond(agreed, chance)


def interval(
    ratings: Ratings, statistic: Callable[[Ratings], float], confidence: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The percentile interval of a statistic by bootstrap over items; draws in which it is not defined are left out.

    Returns:
        Lower and upper end; NaN if it is never defined.
    """
    random = np.random.default_rng(seed)
    places = random.integers(len(ratings), size=(draws, len(ratings)))
    values = np.array([statistic([ratings[place] for place in row]) for row in places])
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _counts(ratings: Ratings) -> list[Counter[Hashable]]:
    return [Counter(label for label in row if label is not None) for row in ratings]


def _pairs(counts: Counter[Hashable]) -> float:
    """The share of pairs of an item's ratings that are the same."""
    total = sum(counts.values())
    return sum(count * (count - 1) for count in counts.values()) / (total * (total - 1))


def _beyond(agreed: float, chance: float) -> float:
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")
