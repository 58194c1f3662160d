"""The choices-only gate: how well a classifier finds keys that has never seen a stem.

It is what a model could do that learned the writer's habits and nothing of sound: characters of the options, their
lengths, their ranks among numbers, and how they differ from one another. On a naive bank such a classifier found half
of the keys of four-option items.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from akb.bank.balance import Gate, numbers
from akb.errors import missing_extra
from akb.stats.proportion import wilson
from akb.tasks.items import Item

if TYPE_CHECKING:
    from numpy.typing import NDArray

OVERALL, IN_A_CATEGORY = 0.28, 0.33
FOLDS, SEEDS = 5, (0, 1, 2)
LEAST_TEMPLATES = 20
FEW = 40  # items of a category; with fewer its share says nothing


def choices_only(items: Sequence[Item]) -> Gate:
    """The share of keys that the classifier finds, over all and by category, against the gates of the bank.

    Raises:
        AkbError: scikit-learn is missing.
    """
    name, wanted = "keys found without the stem", f"at most {OVERALL:.0%}, {IN_A_CATEGORY:.0%} in a category"
    if len({item.template_id for item in items}) < LEAST_TEMPLATES:
        return Gate(name, "too few templates", wanted, None)
    found = keys_found(items)
    share = sum(found) / len(found)
    low, high = wilson(sum(found), len(found))
    groups: dict[str, list[float]] = defaultdict(list)
    for item, hit in zip(items, found, strict=True):
        groups[item.category].append(hit)
    over = tuple(
        f"{category}: {sum(hits) / len(hits):.1%} of {len(hits)}"
        for category, hits in groups.items()
        if len(hits) >= FEW and sum(hits) / len(hits) > IN_A_CATEGORY
    )
    return Gate(name, f"{share:.1%} [{low:.1%}, {high:.1%}]", wanted, share <= OVERALL and not over, over)


def keys_found(items: Sequence[Item]) -> list[float]:
    """For each item how often its key was found, from 0 to 1: by a logistic regression over options, fitted on the
    items of other templates (five folds), three times with other folds."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GroupKFold
    except ImportError:
        raise missing_extra("scikit-learn", "bank", needed_for="the choices-only gate") from None
    import numpy as np

    rows = [(number, place) for number, item in enumerate(items) for place in range(len(item.options))]
    owner = np.array([number for number, _ in rows])
    is_key = np.array([items[number].answer == place for number, place in rows])
    groups = np.array([items[number].template_id for number, _ in rows])
    features = np.array([_features(items[number], place) for number, place in rows])
    texts = np.array([items[number].options[place] for number, place in rows], dtype=object)
    hits = np.zeros(len(items))
    for seed in SEEDS:
        for fitted, held in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(rows, groups=groups):
            table = _Table(texts[fitted], features[fitted])
            model = LogisticRegression(C=1.0, max_iter=2000, class_weight="balanced")
            model.fit(table.of(texts[fitted], features[fitted]), is_key[fitted])
            scores = model.decision_function(table.of(texts[held], features[held]))
            for number in np.unique(owner[held]):
                own = owner[held] == number
                hits[number] += float(is_key[held][own][scores[own].argmax()])
    return [float(hit) for hit in hits / len(SEEDS)]


class _Table:
    """From options to rows of numbers: weights of character n-grams, and features brought to one scale."""

    def __init__(self, texts: NDArray, features: NDArray) -> None:  # type: ignore[type-arg]
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.preprocessing import StandardScaler

        self.words = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, sublinear_tf=True).fit(texts)
        self.scale = StandardScaler().fit(features)

    def of(self, texts: NDArray, features: NDArray):  # type: ignore[no-untyped-def, type-arg]
        from scipy.sparse import csr_matrix, hstack

        return hstack([self.words.transform(texts), csr_matrix(self.scale.transform(features))]).tocsr()


def _features(item: Item, place: int) -> list[float]:
    """What an option shows beside its characters: length, words, digits, signs, each also as a rank among its item's
    options, and how many words it has in common with the others."""
    told = [_shape(option) for option in item.options]
    ranks = [sum(other[which] < told[place][which] for other in told) for which in range(len(told[place]))]
    ties = [sum(other[which] == told[place][which] for other in told) for which in range(len(told[place]))]
    words = [set(option.casefold().split()) for option in item.options]
    others = [len(words[place] & other) for number, other in enumerate(words) if number != place]
    return [*told[place], *ranks, *ties, float(sum(others)), float(max(others))]


def _shape(option: str) -> list[float]:
    words = option.split()
    return [
        float(len(option)),
        float(len(words)),
        float(max(map(len, words), default=0)),
        float(sum(c.isdigit() for c in option)),
        float(sum(not c.isalnum() and not c.isspace() for c in option)),
        _first_number(option),
    ]


def _first_number(option: str) -> float:
    found = numbers(option)
    return found[0] if found else 0.0
