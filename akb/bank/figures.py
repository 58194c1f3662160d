"""What a bank holds, in numbers and as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from akb.bank.balance import number_rank
from akb.errors import AkbError, missing_extra
from akb.tasks.folder import Taxonomy
from akb.tasks.items import Item

KINDS = ("computed", "table", "authored")


@dataclass(frozen=True)
class Line:
    """The counts of a category or subcategory.

    Attributes:
        target: as the taxonomy has it.
        places: keys at each place.
        templates: different ones.
    """

    level: str
    name: str
    title: str
    items: int
    target: int
    kinds: dict[str, int]
    places: tuple[int, ...]
    templates: int


@dataclass(frozen=True)
class Figures:
    """The counts of a bank.

    Attributes:
        lines: the whole, then each category with its subcategories.
        reviews: items by the kinds of readers that looked at them.
        sources: items by the kind of their first source.
        stem, option: median lengths in characters.
        numeric: items whose options are four different numbers.
        changed: items in a later version than the first.
    """

    lines: tuple[Line, ...]
    reviews: dict[str, int]
    sources: dict[str, int]
    stem: float
    option: float
    numeric: int
    changed: int


def figures(items: Sequence[Item], taxonomy: Taxonomy | None) -> Figures:
    """The counts of these items, in the taxonomy's order."""
    lines = [_line("all", "all", "All", items, sum(s.target for c in _categories(taxonomy) for s in c.subcategories))]
    for category in _categories(taxonomy):
        own = [item for item in items if item.category == category.name]
        lines.append(
            _line("category", category.name, category.title, own, sum(s.target for s in category.subcategories))
        )
        for sub in category.subcategories:
            few = [item for item in own if item.subcategory == sub.name]
            lines.append(_line("subcategory", sub.name, sub.title, few, sub.target))
    return Figures(
        lines=tuple(lines),
        reviews=_count(items, lambda item: "+".join(sorted({review.kind for review in item.reviews})) or "none"),
        sources=_count(items, lambda item: item.sources[0].kind if item.sources else "none"),
        stem=median(len(item.question) for item in items),
        option=median(len(option) for item in items for option in item.options),
        numeric=sum(number_rank(item) is not None for item in items),
        changed=sum(item.version > 1 for item in items),
    )


def _categories(taxonomy: Taxonomy | None) -> Iterable[Any]:
    return taxonomy.categories if taxonomy is not None else ()


def _line(level: str, name: str, title: str, items: Sequence[Item], target: int) -> Line:
    places = Counter(item.answer for item in items)
    kinds = {kind: sum(item.kind == kind for item in items) for kind in KINDS}
    size = max((len(item.options) for item in items), default=4)
    return Line(
        level, name, title, len(items), target, kinds,
        tuple(places[place] for place in range(size)), len({item.template_id for item in items}),
    )  # fmt: skip


def _count(items: Iterable[Item], what: Callable[[Item], Hashable]) -> dict[str, int]:
    return {str(name): count for name, count in Counter(map(what, items)).most_common()}


def plot(found: Figures, items: Sequence[Item], path: Path) -> None:
    """A picture of a bank: items by subcategory and kind, lengths of keys and of distractors, places of keys.

    Raises:
        AkbError: the name has another ending than .png, .svg or .pdf, matplotlib is missing, or the file cannot be
            written.
    """
    from akb.plotting import check_ending

    check_ending(path)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("matplotlib", "bank", needed_for="plots") from None
    figure = Figure(figsize=(11, 11), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    _bars(figure.add_subplot(grid[:, 0]), [line for line in found.lines if line.level == "subcategory" and line.items])
    _lengths(figure.add_subplot(grid[0, 1]), items)
    _places(figure.add_subplot(grid[1, 1]), [line for line in found.lines if line.level == "category" and line.items])
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise AkbError(f"the picture cannot be written: {error.strerror or error}", where=str(path)) from None


_COLOURS = {"computed": "#1b6ca8", "table": "#e0a030", "authored": "#7a9e7e"}


def _bars(axes: Any, lines: Sequence[Line]) -> None:
    names = [line.title for line in lines]
    left = [0] * len(lines)
    for kind in KINDS:
        sizes = [line.kinds[kind] for line in lines]
        axes.barh(names, sizes, left=left, color=_COLOURS[kind], label=kind)
        left = [a + b for a, b in zip(left, sizes, strict=True)]
    axes.plot([line.target for line in lines], names, "|", color="black", markersize=9, label="target")
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("items")
    axes.set_title("Items by subcategory and kind", fontsize=10)
    axes.legend(fontsize=8, loc="lower right")


def _lengths(axes: Any, items: Sequence[Item]) -> None:
    keys = [len(item.options[item.answer]) for item in items]
    others = [len(o) for item in items for place, o in enumerate(item.options) if place != item.answer]
    bins = range(0, max([*keys, *others]) + 4, 4)
    axes.hist([keys, others], bins=bins, density=True, label=["keys", "distractors"], color=["#1b6ca8", "#c9c9c9"])
    axes.set_xlabel("characters")
    axes.set_ylabel("share per character")
    axes.set_title("Lengths of options", fontsize=10)
    axes.legend(fontsize=8)


def _places(axes: Any, lines: Sequence[Line]) -> None:
    size = max(len(line.places) for line in lines)
    width = 0.8 / size
    for place in range(size):
        shares = [100 * line.places[place] / line.items for line in lines]
        axes.bar([n + place * width for n in range(len(lines))], shares, width, label=chr(ord("A") + place))
    axes.set_xticks(
        [n + 0.4 - width / 2 for n in range(len(lines))], [line.title for line in lines], fontsize=7, rotation=20
    )
    axes.set_ylabel("keys, %")
    axes.set_title("Places of keys", fontsize=10)
    axes.margins(y=0.15)  # room for the legend
    axes.legend(fontsize=8, ncol=4, loc="upper center")
