"""From templates to items: candidates for the bank, and fresh sets; and places of keys dealt evenly."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from random import Random

from akb.bank.canary import CANARY
from akb.bank.templates import TEMPLATES
from akb.bank.templates.frame import Draft, Template
from akb.tasks.items import Item, Review


def fresh(seed: int, public: Sequence[Item], templates: Iterable[Template] = TEMPLATES) -> list[Item]:
    """A set of computed items of its own for each seed, as many of each template as the bank takes, none of which is
    about what a public item of its template is about.

    Raises:
        AkbError: a template has no more.
    """
    items = []
    for template in templates:
        name = template.name.replace("/", "-")
        drafts = template.drafts(template.count, seed, _used(public, template))
        items += [_item(template, draft, f"{name}-s{seed}-{n:02d}", ()) for n, draft in enumerate(drafts, 1)]
    return dealt(items, (), f"akb-fresh {seed}")


def candidates(
    seed: int,
    there: Sequence[Item],
    day: date,
    templates: Iterable[Template] = TEMPLATES,
    taken: Iterable[str] = (),
) -> list[Item]:
    """As many computed items of each template as the bank takes, numbered on as candidates of their subcategories,
    about nothing that an item is about which is there already.

    Args:
        taken: ids besides those of the items that are there, which no candidate may have again.
    """
    numbers = last_numbers([*(item.id for item in there), *taken])
    proof = Review(kind="program", by="akb.bank.checks", verdict="agrees", date=day.isoformat())
    items = []
    for template in templates:
        for draft in template.drafts(template.count, f"candidates {seed}", _used(there, template)):
            numbers[template.subcategory] += 1
            number = numbers[template.subcategory]
            items.append(_item(template, draft, f"{template.subcategory}-c{number:02d}", (proof,)))
    return dealt(items, (), f"candidates {seed}")


def last_numbers(names: Iterable[str]) -> Counter[str]:
    """The highest number that a candidate ("SUBCATEGORY-cNN") has had in each subcategory."""
    numbers = Counter[str]()
    for name in names:
        if found := re.fullmatch(r"(.+)-c(\d+)", name):
            numbers[found[1]] = max(numbers[found[1]], int(found[2]))
    return numbers


def _used(items: Iterable[Item], template: Template) -> set[str]:
    """What items of a template are about. Of those not made by it that can be their question, or their key."""
    own = [item for item in items if item.template_id == template.name]
    return {
        text for item in own for text in ((item.about,) if item.about else (item.question, item.options[item.answer]))
    }


def _item(template: Template, draft: Draft, name: str, reviews: Sequence[Review]) -> Item:
    """A draft as an item; its key stands first until places are dealt."""
    return Item(
        id=name,
        version=1,
        category=template.category,
        subcategory=template.subcategory,
        question=draft.question,
        options=draft.options,
        answer=0,
        kind="computed",
        template_id=template.name,
        sources=template.sources,
        rationale=draft.rationale,
        dialect=template.dialect,
        reviews=tuple(reviews),
        check=draft.check,
        canary=CANARY,
        about=draft.about,
    )


def dealt(items: Sequence[Item], fixed: Sequence[Item], seed: str) -> list[Item]:
    """The same items with their options in another order, so that keys stand equally often at each place: within one in
    every subcategory and over all, together with those that are fixed, as far as these allow."""
    random = Random(seed)
    size = max(len(item.options) for item in items)
    overall = Counter(item.answer for item in fixed)
    inside: dict[str, Counter[int]] = defaultdict(Counter)
    for item in fixed:
        inside[item.subcategory][item.answer] += 1
    places: dict[str, int] = {}
    for item in sorted(items, key=lambda _: random.random()):
        own = inside[item.subcategory]
        place = min(range(size), key=lambda p: (own[p], overall[p], random.random()))
        places[item.id] = place
        own[place] += 1
        overall[place] += 1
    _level(items, places, overall, inside)
    return [_reordered(item, places[item.id], Random(f"{seed} {item.id}")) for item in items]


def _level(
    items: Sequence[Item], places: dict[str, int], overall: Counter[int], inside: dict[str, Counter[int]]
) -> None:
    """Move keys from the fullest place to the emptiest, where their subcategory has one more there, until all are
    level."""
    while True:
        full, empty = max(overall, key=overall.__getitem__), min(overall, key=overall.__getitem__)
        uneven = {name for name, own in inside.items() if own[full] > own[empty]}
        movable = [item for item in items if places[item.id] == full and item.subcategory in uneven]
        if overall[full] - overall[empty] < 2 or not movable:
            return
        item = movable[0]
        places[item.id] = empty
        for counts in (overall, inside[item.subcategory]):
            counts[full] -= 1
            counts[empty] += 1


def _reordered(item: Item, place: int, random: Random) -> Item:
    others = [option for number, option in enumerate(item.options) if number != item.answer]
    random.shuffle(others)
    options = (*others[:place], item.options[item.answer], *others[place:])
    return item.model_copy(update={"options": options, "answer": place})
