"""The gates that need nothing but counting, and what a gate is.

A model that knows nothing of sound must not be able to find keys by their place, their length or their rank among
numbers. Each gate is a figure with what is wanted of it; `akb bank check` shows them and the bank's card states them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from scipy.stats import chisquare

from akb.tasks.items import Item

LENGTH_SHARES = (0.20, 0.30)  # in which the one longest or shortest option may be the key
FEW = 40  # items; with fewer a share says nothing
ALPHA = 0.01  # of the test whether ranks among numbers are even, over one template
OUTSIDE_PHONETIC, WITHIN_PHONETIC = 8, 35  # items of one template
_NUMBER = re.compile(r"[-+\u2212]?\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True)
class Gate:
    """One thing that must hold.

    Attributes:
        name: what is looked at.
        figure: what was found, as text.
        wanted: what is wanted of it, as text.
        passed: whether it holds; None where it is told and not judged.
        details: where it does not hold.
    """

    name: str
    figure: str
    wanted: str
    passed: bool | None
    details: tuple[str, ...] = field(default=())


def balance(items: Sequence[Item]) -> Iterator[Gate]:
    """The gates that need nothing but counting."""
    yield key_places(items)
    yield subcategory_places(items)
    yield from lengths(items)
    yield number_ranks(items)
    yield template_sizes(items)


def key_places(items: Sequence[Item]) -> Gate:
    """Keys stand equally often at each place, as nearly as their number allows."""
    size = max(len(item.options) for item in items)
    places = Counter(item.answer for item in items)
    counts = [places[place] for place in range(size)]
    even = max(counts) - min(counts) <= (1 if len(items) % size else 0)
    return Gate("key places", " ".join(map(str, counts)), "equal", even)


def subcategory_places(items: Sequence[Item]) -> Gate:
    """In each subcategory places differ by one at the most."""
    uneven = []
    for name, group in _by(items, lambda item: item.subcategory):
        places = Counter(item.answer for item in group)
        counts = [places[place] for place in range(len(group[0].options))]
        if max(counts) - min(counts) > 1:
            uneven.append(f"{name}: {counts}")
    return Gate("key places in subcategories", f"{len(uneven)} uneven", "within 1", not uneven, tuple(uneven))


def lengths(items: Sequence[Item]) -> Iterator[Gate]:
    """How often the one longest, and the one shortest, option is the key."""
    low, high = LENGTH_SHARES
    for name, pick in (("longest", max), ("shortest", min)):
        shares = {group: _share(group_items, pick) for group, group_items in [("", items), *_categories(items)]}
        known = {group: share for group, share in shares.items() if share is not None}
        outside = tuple(f"{group}: {share:.1%}" for group, share in known.items() if group and not low <= share <= high)
        overall = known.get("")
        figure = "too few items" if overall is None else f"{overall:.1%}"
        passed = overall is not None and low <= overall <= high
        yield Gate(f"key is the one {name} option", figure, f"{low:.0%} to {high:.0%}", passed, outside)


def _share(items: Iterable[Item], pick: Callable[[Iterable[int]], int]) -> float | None:
    """Among items with one longest (shortest) option, the share in which it is the key; None for too few of them."""
    hits = []
    for item in items:
        sizes = [len(option) for option in item.options]
        if sizes.count(pick(sizes)) == 1:
            hits.append(sizes[item.answer] == pick(sizes))
    return sum(hits) / len(hits) if len(hits) >= FEW else None


def number_ranks(items: Sequence[Item]) -> Gate:
    """Where options are numbers, the key is as often the smallest as the second, third or largest, in each template
    with 8 items or more and over all others together."""
    groups, rest = [], list[int]()
    for name, group in _by(items, lambda item: item.template_id):
        ranks = [rank for item in group if (rank := number_rank(item)) is not None]
        if len(ranks) >= OUTSIDE_PHONETIC:
            groups.append((name, ranks))
        else:
            rest += ranks
    uneven = [told for name, ranks in [*groups, ("all others", rest)] if (told := _uneven(name, ranks))]
    count = sum(len(ranks) for _, ranks in groups) + len(rest)
    return Gate(
        "rank of keys among numbers", f"{count} items, {len(uneven)} groups uneven", "even", not uneven, tuple(uneven)
    )


def number_rank(item: Item) -> int | None:
    """The rank of the key among the options' numbers, from 0; None where they are no four different numbers."""
    found = [numbers(option) for option in item.options]
    if any(len(own) != 1 for own in found):
        return None
    values = [own[0] for own in found]
    return sorted(values).index(values[item.answer]) if len(set(values)) == len(values) else None


def numbers(text: str) -> list[float]:
    """The numbers that stand in a text; a comma is taken to set thousands apart."""
    return [float(found.replace("\N{MINUS SIGN}", "-").replace(",", "")) for found in _NUMBER.findall(text)]


def _uneven(name: str, ranks: Sequence[int]) -> str | None:
    counts = [ranks.count(rank) for rank in range(4)]
    if len(ranks) < OUTSIDE_PHONETIC or chisquare(counts).pvalue >= ALPHA:
        return None
    return f"{name}: {counts}"


def template_sizes(items: Sequence[Item]) -> Gate:
    """No pattern of a stem carries more than its share."""
    over = []
    for name, group in _by(items, lambda item: item.template_id):
        most = WITHIN_PHONETIC if group[0].category == "phonetic" else OUTSIDE_PHONETIC
        if len(group) > most:
            over.append(f"{name}: {len(group)}")
    wanted = f"at most {OUTSIDE_PHONETIC}, {WITHIN_PHONETIC} in phonetic"
    return Gate("items of one template", f"{len(over)} over", wanted, not over, tuple(over))


def _categories(items: Iterable[Item]) -> Iterator[tuple[str, list[Item]]]:
    return _by(items, lambda item: item.category)


def _by(items: Iterable[Item], what: Callable[[Item], str]) -> Iterator[tuple[str, list[Item]]]:
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[what(item)].append(item)
    yield from groups.items()
