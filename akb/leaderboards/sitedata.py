"""A board as a folder of static files: the pages, and data as scripts that each call one function, so that the folder
can be read from file:// too. The schema is in docs/design/leaderboards.md."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from akb.errors import AkbError
from akb.files import explained, write_whole
from akb.leaderboards import board as boards
from akb.leaderboards import correlations
from akb.leaderboards.board import Data, Sheet
from akb.leaderboards.entries import Entry, Store, cut, slug
from akb.records import digest
from akb.stats import difficulty

if TYPE_CHECKING:
    from akb.registry import Registry

CHUNK = 100  # items a file
REPLIES = 4_000_000  # characters of replies that a site may hold
CUTS = (400, 200, 120, 80, 48, 24)
PAGES = Path(__file__).parent / "site"
P_VALUES = ("p", "p_holm", "p_perm")
PART = ".new"  # in a site's folder, what is being built


def build(store: Store, out: Path, registry: Registry, *, draws: int = boards.DRAWS, seed: int = 0,
          correlate: str = "") -> Data:  # fmt: skip
    """Compute a board and write its site; what an earlier build left in the folder goes (pages, assets, data, exports),
    once the new one is whole.

    Args:
        correlate: a CSV, or a board with published figures, for the correlation page; empty: the board's own text
            columns with its others, where models have both (else the page says that there is none).

    Returns:
        BOARD, rounded as it was written.

    Raises:
        AkbError: the board is empty or damaged, or `out` holds something else than a site.
    """
    sheets = boards.sheets(store, registry, draws, seed)
    built = datetime.now(UTC).isoformat(timespec="seconds")
    board: Data = rounded(boards.board(store, sheets, registry, built))
    models = model_data(sheets)
    correlation = (
        correlations.of_table(correlate, registry.roots[1:], draws, seed)
        if correlate
        else correlations.of_sheets(sheets, draws, seed)
    )
    most = reply_limit(sheets)
    if most < CUTS[0]:
        board["notes"].append(f"Replies are cut to {most} characters to keep the site small.")
    with _taking_the_place_of(out) as new:
        _copy_pages(new)
        write(new, "board", board)
        for name, model in models.items():
            write(new, f"models/{name}", rounded(model))
        for taskslug, together in by_task(sheets).items():
            for number, chunk in enumerate(item_chunks(together, store.file.audio, most)):
                write(new, f"items/{taskslug}/{number}", chunk)
        if correlation is not None:
            write(new, "correlation", rounded(correlation, small=True))
        write(new, "methods", methods())
    return board


def rounded(value: Any, small: bool = False) -> Any:
    """JSON with numbers of 8 digits after the point; what is not a number is null. They are rounded once more where
    they are shown, so more are kept than a reader sees: of 24.650129 % a page must make 24.7 %, as `akb eval` does.

    Args:
        small: numbers below 1 keep 5 significant digits; a p (a key of `P_VALUES`) always does, for it is never 0.
    """
    if isinstance(value, float):
        return _number(value, small)
    if isinstance(value, Mapping):
        return {str(key): rounded(one, small or key in P_VALUES) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(one, small) for one in value]
    return value


def _number(value: float, small: bool = False) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.5g}") if small and abs(value) < 1 else round(float(value), 8)
    return int(short) if short == int(short) else short


# -- MODEL -----------------------------------------------------------------------------------------------------


def model_data(sheets: Sequence[Sheet]) -> dict[str, Data]:
    """MODEL of each model, by slug."""
    found: dict[str, Data] = {}
    for sheet in sheets:
        key = sheet.column.key
        for entry in sheet.entries:
            model = found.setdefault(slug(entry.model), {"runs": [], "versus": {}, "hardest": {}})
            model["slug"] = slug(entry.model)
            model["runs"].append(_run(entry))
            model["versus"][key] = {}
        names = [slug(name) for name in sheet.scores.models]
        for a, b, pair in sheet.versus():
            turned = {"difference": -pair["difference"], "low": -pair["high"], "high": -pair["low"], "p": pair["p"]}
            found[names[a]]["versus"][key][names[b]] = pair
            found[names[b]]["versus"][key][names[a]] = turned
        groups = sorted(set(sheet.groups))
        if len(groups) > boards.HARDEST and any(item.subcategory for item in sheet.items):
            for name, chances in zip(names, sheet.hardest, strict=True):
                order = np.argsort(-chances, kind="stable")
                told = [{"name": groups[i], "probability": float(chances[i])} for i in order if chances[i] >= 0.005]
                found[name]["hardest"][key] = told
    return found


def _run(entry: Entry) -> Data:
    manifest = entry.manifest
    moved = {name: value for name, value in manifest.identity.items() if name != "categories"}
    return {
        "key": entry.column.key,
        "settings": dict(flattened(moved)),
        "environment": dict(flattened(manifest.environment)),
        "started": manifest.started,
        "seconds": manifest.seconds,
        "usage": dict(flattened({name: party.model_dump() for name, party in manifest.usage.items()})),
        "identity_sha256": digest(manifest.identity),
        "akb": manifest.akb,
    }


def flattened(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """(dotted name, value) of nested settings; lists are one text."""
    if isinstance(value, Mapping):
        return [pair for key, one in value.items() for pair in flattened(one, f"{path}.{key}".strip("."))]
    if isinstance(value, (list, tuple)):
        return [(path, json.dumps(value, ensure_ascii=False))] if value else []
    return [(path, value)]


# -- ITEMS -----------------------------------------------------------------------------------------------------


def by_task(sheets: Sequence[Sheet]) -> dict[str, list[Sheet]]:
    """The columns that share a task and version, by its slug."""
    found: dict[str, list[Sheet]] = {}
    for sheet in sheets:
        found.setdefault(sheet.column.taskslug, []).append(sheet)
    return found


def reply_limit(sheets: Sequence[Sheet]) -> int:
    """The most characters of a reply with which all replies together stay below `REPLIES`."""
    replies = (reply for sheet in sheets for entry in sheet.entries for reply in entry.answers.reply)
    lengths = np.array([len(reply) for reply in replies if reply is not None])
    return next((most for most in CUTS if np.minimum(lengths, most).sum() <= REPLIES), CUTS[-1])


def item_chunks(sheets: Sequence[Sheet], audio: str, most: int) -> list[Data]:
    """ITEMS of a task and version. Difficulty and discrimination are over the models of its largest column, without
    baselines where there are others.

    Args:
        sheets: its columns.
        audio: where clips lie; empty: none are shown.
        most: characters of a reply.
    """
    main = max(sheets, key=lambda sheet: len(sheet.entries))
    asked = [n for n, entry in enumerate(main.entries) if main.facts[entry.model].access != "baseline"]
    values = main.scores.values[asked or slice(None)]
    hard = {one.id: one for one in difficulty.items(values, main.scores.items)}
    cells = {sheet.column.key: _cells(sheet, most) for sheet in sheets}
    captions = {sheet.column.key: _captions(sheet) for sheet in sheets}
    rows = [_item(sheet_item, hard[sheet_item.id], audio) for sheet_item in main.items]
    for row in rows:
        row["chosen"] = {key: found[row["id"]] for key, found in cells.items() if row["id"] in found}
        if told := {key: found[row["id"]] for key, found in captions.items() if row["id"] in found}:
            row["captions"] = told
    return [{"first": first, "items": rows[first : first + CHUNK]} for first in range(0, len(rows), CHUNK)]


def _item(item: Any, hard: difficulty.Item, audio: str) -> Data:
    known = math.isfinite(hard.discrimination)
    ends = {"r": hard.discrimination, "low": hard.d_low, "high": hard.d_high} if known else None
    row = {
        "id": item.id,
        "version": item.version,
        "category": item.category,
        "subcategory": item.subcategory,
        "template": item.template,
        "question": item.question,
        "options": list(item.options),
        "answer": item.answer,
        "difficulty": rounded({"p": hard.right, "low": hard.low, "high": hard.high}),
        "discrimination": rounded(ends),
        "look": hard.look,
    }
    if item.rationale:
        row["rationale"] = item.rationale
    if item.audio and audio:
        row["audio"] = [f"{audio.rstrip('/')}/{name}" for _, name in item.audio]
    return row


def _captions(sheet: Sheet) -> dict[str, str]:
    """By item what the models of a cascade's column were told of its audio. They were all told the same, unless the
    captions were made anew in between: then what the first was told."""
    found: dict[str, str] = {}
    for entry in sheet.entries:
        for item, caption in zip(entry.answers.ids, entry.answers.captions, strict=False):
            if caption is not None:
                found.setdefault(item, caption)
    return found


def _cells(sheet: Sheet, most: int) -> dict[str, Data]:
    """By item and model [index, status, score, reply]."""
    found: dict[str, Data] = {name: {} for name in sheet.scores.items}
    for entry in sheet.entries:
        name, a = slug(entry.model), entry.answers
        for item, chosen, status, score, reply in zip(a.ids, a.chosen, a.status, a.score, a.reply, strict=True):
            found[item][name] = [chosen, status, _number(score), None if reply is None else cut(reply, most)]
    return found


# -- METHODS ---------------------------------------------------------------------------------------------------


def methods() -> Data:
    """METHODS: how every number is computed, from the docstrings of what computes it, and the measured coverage of the
    intervals (akb/leaderboards/coverage.json, as benchmarks/coverage.py --json writes it)."""
    sections = [
        {"title": title, "text": _paragraphs(function), "source": f"{function.__module__}.{function.__qualname__}"}
        for title, function in _sections()
    ]
    path = Path(__file__).parent / "coverage.json"
    coverage = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return {"sections": sections, "coverage": coverage}


def _sections() -> list[tuple[str, Callable[..., Any]]]:
    from akb.stats import correlation, decision, intervals, paired, power, proportion, ranks, shrinkage

    return [
        ("Accuracy and its interval", intervals.average),
        ("Wilson interval, for independent questions", proportion.wilson),
        ("Averages over categories and subcategories", intervals.averages),
        ("Score above chance", intervals.corrected),
        ("Shrunk subcategories", shrinkage.shrunk),
        ("Shrunk subcategories where questions share templates", shrinkage.subcategories),
        ("The hardest five", shrinkage.hardest),
        ("Rank intervals", ranks.ranks),
        ("Difference of two models", paired.difference),
        ("Test of a difference (p)", paired.permutation),
        ("McNemar's test", paired.mcnemar),
        ("Several tests at once (Holm)", paired.holm),
        ("Neighbours, Cochran's Q and the detectable difference", boards.family),
        ("Cochran's Q", paired.cochran),
        ("Smallest detectable difference", power.detectable),
        ("Difficulty and discrimination of a question", difficulty.items),
        ("Permutation p of a correlation", correlation.permutation),
        ("BCa interval of a correlation", correlation.bca),
        ("Regret of a choice", decision.regret),
    ]


def _paragraphs(function: Callable[..., Any]) -> str:
    """A docstring as plain paragraphs: lines joined, but those of lists of arguments kept."""
    text = getdoc(function) or ""
    found = []
    for part in text.split("\n\n"):
        lines = part.splitlines()
        listed = lines[0].strip() in ("Args:", "Returns:", "Raises:", "Attributes:", "Examples:")
        found.append("\n".join(lines) if listed else " ".join(line.strip() for line in lines))
    return "\n\n".join(one for one in found if not one.startswith(("Raises:", "Examples:")))


# -- files -----------------------------------------------------------------------------------------------------


def write(out: Path, name: str, data: Any) -> None:
    """data/NAME.js. No text in it can end a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    path = out / "data" / f"{name}.js"
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, f"akbData({json.dumps(name)},{safe});\n")


@contextmanager
def _taking_the_place_of(out: Path) -> Iterator[Path]:
    """A folder to build a site in; once it is whole, it takes the place of what an earlier build left in `out`.
    Anything else there is left alone, and so is everything where the building fails."""
    new = out / PART
    with explained(out):
        if out.exists() and not out.is_dir():
            raise AkbError("this is a file; a folder is wanted", where=str(out))
        others = out.is_dir() and any(path.name != PART for path in out.iterdir())
        if others and not (out / "data" / "board.js").is_file():
            raise AkbError("this folder holds something else than a board's site", where=str(out),
                           fix="Choose a new folder with --out.")  # fmt: skip
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
    try:
        yield new
        with explained(out):
            for name in ("data", "assets", "exports"):
                shutil.rmtree(out / name, ignore_errors=True)
            for path in new.iterdir():
                path.replace(out / path.name)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _copy_pages(out: Path) -> None:
    if not (PAGES / "index.html").is_file():
        raise AkbError("the site's pages are missing from the package", where=str(PAGES), fix="Install akb again.")
    with explained(out):
        for page in PAGES.glob("*.html"):
            shutil.copyfile(page, out / page.name)
        shutil.copytree(PAGES / "assets", out / "assets", dirs_exist_ok=True)
