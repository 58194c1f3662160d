"""From drafts to items: sets of computed questions, and places of keys dealt evenly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from random import Random

from akb.bank.canary import CANARY
from akb.bank.templates import TEMPLATES
from akb.bank.templates.frame import Draft, Template
from akb.tasks.items import Item, Review


def used(items: Iterable[Item]) -> dict[str, set[str]]:
    """What items of each template are about (see `Draft.slot`): their questions and their keys."""
    found: dict[str, set[str]] = defaultdict(set)
    for item in items:
        found[item.template_id] |= {item.question, item.options[item.answer]}
    return found


def fresh(seed: int, public: Sequence[Item], templates: Iterable[Template] = TEMPLATES) -> list[Item]:
    """A set of computed items of its own for each seed, as many of each template as the bank takes, none of which is
    about what a public item of its template is about.

    Raises:
        AkbError: a template has no more.
    """
    avoid = used(public)
    items = [
        item_of(template, draft, f"{template.name.replace('/', '-')}-s{seed}-{number:02d}")
        for template in templates
        for number, draft in enumerate(template.drafts(template.count, seed, avoid.get(template.name, ())), 1)
    ]
    return dealt(items, f"akb-fresh {seed}")


def item_of(template: Template, draft: Draft, name: str, reviews: Sequence[Review] = ()) -> Item:
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
    )


def proved(day: date) -> Review:
    """The review of an item whose check finds its key right and every other option wrong."""
    return Review(kind="program", by="akb.bank.checks", verdict="agrees", date=day.isoformat())


def dealt(items: Sequence[Item], seed: str) -> list[Item]:
    """The same items with their options in another order: keys stand equally often at each place over all, and within
    one in every subcategory."""
    places = _places(items, Random(seed))
    return [_reordered(item, places[item.id], Random(f"{seed} {item.id}")) for item in items]


def _places(items: Sequence[Item], random: Random) -> Mapping[str, int]:
    size = max(len(item.options) for item in items)
    overall: Counter[int] = Counter()
    found: dict[str, int] = {}
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.subcategory].append(item)
    for group in groups.values():
        rounds, rest = divmod(len(group), size)
        fewest = sorted(range(size), key=lambda place: (overall[place], random.random()))[:rest]
        places = [*range(size)] * rounds + fewest
        overall.update(places)
        random.shuffle(places)
        found |= {item.id: place for item, place in zip(group, places, strict=True)}
    return found


def _reordered(item: Item, place: int, random: Random) -> Item:
    others = [option for number, option in enumerate(item.options) if number != item.answer]
    random.shuffle(others)
    options = (*others[:place], item.options[item.answer], *others[place:])
    return item.model_copy(update={"options": options, "answer": place})
