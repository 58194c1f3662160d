"""Pictures of correlations: a scatter for each pair, and a heat map of many. Needs matplotlib (the extra `board`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from akb.columns import Column, Columns
from akb.correlating import LEAST, Pair, between, decimals, p_text
from akb.errors import AkbError, missing_extra
from akb.stats.correlation import fisher, pearson
from akb.stats.proportion import wilson
from akb.stats.scores import Floats

# Okabe and Ito's colours, told apart by the colour-blind; markers tell families apart in grey as well
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
OTHER = "other"  # models without a known family


def figure(width: float, height: float) -> Any:
    """An empty figure in inches, without pyplot's global state.

    Raises:
        AkbError: matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("matplotlib", "board", needed_for="plots") from None
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def check_ending(path: Path) -> None:
    """That a picture can be written under this name.

    Raises:
        AkbError: its ending is not .png, .svg or .pdf.
    """
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise AkbError("a picture's name ends in .png, .svg or .pdf", where=str(path))


def save(made: Any, path: Path) -> None:
    """Write a figure; the file's ending says how: .png, .svg, .pdf.

    Raises:
        AkbError: another ending, or the file cannot be written.
    """
    from matplotlib import rc_context

    check_ending(path)
    dated = {"Date": None} if path.suffix.lower() == ".svg" else {"CreationDate": None}
    try:
        with rc_context({"svg.hashsalt": "akb", "svg.fonttype": "none"}):  # the same data, the same file
            made.savefig(path, dpi=150, metadata=None if path.suffix.lower() == ".png" else dated)
    except OSError as error:
        raise AkbError(f"the picture cannot be written: {error.strerror or error}", where=str(path)) from None


def scatter(table: Columns, pairs: Sequence[Pair], path: Path) -> None:
    """A scatter of each pair: models with their names, 95 % intervals where numbers of questions are known, families by
    colour and marker, and r with its interval above.

    Raises:
        AkbError: matplotlib is missing, or the file cannot be written.
    """
    across = (
        min((3, 4, 5, 2), key=lambda width: (-len(pairs) % width, abs(width - 4))) if len(pairs) > 2 else len(pairs)
    )
    down = math.ceil(len(pairs) / across)
    single = len(pairs) == 1
    made = figure(7.2, 6.2) if single else figure(4.8 * across, 4.4 * down + 0.5)
    styles = _styles(table, pairs)
    boxes = []
    for place, pair in enumerate(pairs):
        axes = made.add_subplot(down, across, place + 1)
        boxes.append((axes, *_panel(axes, table, pair, styles, 8.5 if single else 7)))
    handles = [_handle(name, *style) for name, style in styles.items()]
    if len(handles) > 1:
        made.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 8), frameon=False, fontsize=9)
    made.canvas.draw()  # places are known only now
    made.set_layout_engine("none")
    for axes, points, ends, labels in boxes:
        _place(axes, points, ends, labels)
    save(made, path)


def _styles(table: Columns, pairs: Sequence[Pair]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each family that is shown, in the table's order."""
    shown = {model for pair in pairs for model in pair.models}
    names = [f or OTHER for m, f in zip(table.models, table.families, strict=True) if m in shown]
    return {name: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, name in enumerate(dict.fromkeys(names))}


def _handle(name: str, colour: str, marker: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, marker=marker, linestyle="", markersize=6, label=_text(name))


def _text(name: str) -> str:
    """A name as it is: a dollar sign in it is no formula."""
    return name.replace("$", r"\$")


def _panel(
    axes: Any, table: Columns, pair: Pair, styles: dict[str, tuple[str, str]], small: float
) -> tuple[Floats, list[Floats], list[Any]]:  # fmt: skip
    """Draw a pair; gives the points, the ends of their bars, and the labels, which are placed later."""
    columns = table.columns[pair.x], table.columns[pair.y]
    rows = [table.models.index(model) for model in pair.models]
    points = np.array([[column.values[row] for column in columns] for row in rows])
    ends = []
    for (x, y), row in zip(points, rows, strict=True):
        colour, marker = styles[table.families[row] or OTHER]
        bars = [_bar(column, value) for column, value in zip(columns, (x, y), strict=True)]
        for axis, bar in enumerate(bars):
            if bar is not None:
                step = np.eye(2)[axis]
                ends.append(np.array([(x, y) - bar[0] * step, (x, y) + bar[1] * step]))
        axes.errorbar(x, y, xerr=bars[0], yerr=bars[1], color=colour, alpha=0.45, linewidth=0.8, zorder=1)
        axes.plot(x, y, marker, color=colour, markersize=5, zorder=2, markeredgecolor="white", markeredgewidth=0.5)
    labels = [axes.annotate(_text(m), p, xytext=(0, 0), textcoords="offset points", fontsize=small, zorder=3,
                            va="center") for m, p in zip(pair.models, points, strict=True)]  # fmt: skip
    axes.margins(0.12)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(_axis(columns[0]), fontsize=9)
    axes.set_ylabel(_axis(columns[1]), fontsize=9)
    axes.tick_params(labelsize=8)
    r, adjusted = pair.pearson, "" if pair.p_holm is None or pair.family < 2 else f", Holm {p_text(pair.p_holm)}"
    axes.set_title(
        f"r = {decimals(r.value)}, 95 % {between(r.low, r.high)}, n = {pair.n}\n"
        f"permutation p {p_text(r.p)}{adjusted}", fontsize=9, loc="left",
    )  # fmt: skip
    return points, ends, labels


def _axis(column: Column) -> str:
    known = f" (accuracy, %; {column.items:,} questions)" if column.items else ""
    return _text(column.title) + known


def _bar(column: Column, value: float) -> Floats | None:
    """Distances to the ends of the 95 % Wilson interval."""
    if not column.items:
        return None
    low, high = wilson(value / 100 * column.items, column.items)
    return np.array([[max(0.0, value - 100 * low)], [max(0.0, 100 * high - value)]])


def _place(axes: Any, points: Floats, ends: Sequence[Floats], labels: Sequence[Any]) -> None:
    """Put each label where it covers least: candidates around its point, the most crowded points first."""
    scale = axes.figure.dpi / 72
    at = axes.transData.transform(points)
    renderer, frame = axes.figure.canvas.get_renderer(), axes.get_window_extent()
    sizes = [(box.width, box.height) for box in (label.get_window_extent(renderer) for label in labels)]
    taken: list[tuple[float, float, float, float]] = [(x - 7, y - 7, x + 7, y + 7) for x, y in at]
    for low, high in (axes.transData.transform(end) for end in ends):
        taken.append((low[0] - 3, low[1] - 3, high[0] + 3, high[1] + 3))
    crowd = [-np.sum(np.hypot(*(at - p).T) < 60 * scale) for p in at]
    for i in np.argsort(crowd, kind="stable"):
        (x, y), (width, height) = at[i], sizes[i]
        best: tuple[float, float, float] | None = None
        for distance in (7, 13, 20, 28):
            for turn in range(16):
                angle = 2 * math.pi * turn / 16
                dx, dy = distance * scale * math.cos(angle), distance * scale * math.sin(angle)
                left = x + dx - (width if math.cos(angle) < -0.3 else width / 2 if abs(math.cos(angle)) <= 0.3 else 0)
                box = (left, y + dy - height / 2, left + width, y + dy + height / 2)
                cost = sum(_overlap(box, other) for other in taken) + 4 * distance * scale
                cost += 50 * _outside(box, frame)
                if best is None or cost < best[0]:
                    best = cost, (left - x) / scale, dy / scale
        assert best is not None
        labels[i].set_position(best[1:])
        left, bottom = x + best[1] * scale, y + best[2] * scale - height / 2
        taken.append((left, bottom, left + width, bottom + height))
        if math.hypot(best[1], best[2]) > 15 and best[2] != 0:
            end = (left + min(max(x - left, 0), width), bottom + (0 if y < bottom else height))
            (x0, y0), (x1, y1) = axes.transData.inverted().transform([(x, y), end])
            axes.plot([x0, x1], [y0, y1], color="0.6", linewidth=0.5, zorder=0, scalex=False, scaley=False)


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0


def _outside(box: Sequence[float], frame: Any) -> float:
    return float(
        max(0.0, frame.x0 - box[0]) + max(0.0, box[2] - frame.x1) + max(0.0, frame.y0 - box[1], box[3] - frame.y1)
    )


def heat(table: Columns, names: Sequence[str], path: Path) -> None:
    """A heat map of Pearson's r between columns: in each cell r, its 95 % interval, and n.

    Raises:
        AkbError: fewer than two columns, matplotlib is missing, or the file cannot be written.
    """
    if len(names) < 2:
        raise AkbError("two columns or more are wanted for a heat map", where=", ".join(names))
    size = len(names)
    made = figure(1.15 * size + 3.2, 0.95 * size + 2.2)
    axes = made.add_subplot()
    values = np.full((size, size), np.nan)
    for i, one in enumerate(names):
        for j, other in enumerate(names[:i]):
            values[i, j] = _cell(axes, i, j, table.column(one), table.column(other))
    picture = axes.imshow(np.ma.masked_invalid(values[1:, :-1]), cmap="RdBu_r", vmin=-1, vmax=1,
                          extent=(-0.5, size - 1.5, size - 0.5, 0.5), aspect="auto", zorder=0)  # fmt: skip
    axes.set_xticks(range(size - 1), [_text(table.column(n).title) for n in names[:-1]], rotation=35, ha="right")
    axes.set_yticks(range(1, size), [_text(table.column(n).title) for n in names[1:]])
    axes.tick_params(length=0, labelsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = made.colorbar(picture, ax=axes, shrink=0.7)
    bar.set_label("Pearson's r", fontsize=9)
    axes.set_title("r across models, its 95 % interval (Fisher), n; not adjusted for the number of pairs",
                   fontsize=9, loc="left")  # fmt: skip
    save(made, path)


def _cell(axes: Any, row: int, place: int, one: Column, other: Column) -> float:
    keep = np.isfinite(one.values) & np.isfinite(other.values)
    n = int(keep.sum())
    r = pearson(one.values[keep], other.values[keep]) if n >= LEAST else math.nan
    low, high = fisher(r, n)
    colour = "white" if abs(r) > 0.65 else "black"
    if math.isnan(r):
        axes.text(place, row, f"n = {n}", ha="center", va="center", fontsize=7, color="0.5")
        return r
    axes.text(place, row - 0.12, decimals(r), ha="center", va="center", fontsize=10, color=colour)
    below = f"{between(low, high)}\nn = {n}"
    axes.text(place, row + 0.18, below, ha="center", va="center", fontsize=6.5,
              color=colour)  # fmt: skip
    return r
