"""A board in other forms: Markdown, LaTeX, CSV, JSON, and a folder that `datasets` loads."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from akb.errors import unknown
from akb.files import explained, write_whole
from akb.jsonable import dumps

Data = dict[str, Any]
MARKDOWN = (
    ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"),
    ("^(?=[-=])", r"\\"), (r"^(\d+)\.(?= |$)", r"\1\\."),  # a list, a heading
    ("://", ":&#47;&#47;"), (r"(?i)(www)\.", r"\1&#46;"), (r"(?<=[\w.+-])@(?=[\w-]+\.)", "<!-- -->@"),  # a link
)  # fmt: skip
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "-": "{-}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}",
}  # fmt: skip


def ranked(board: Data, key: str) -> list[tuple[Data, Data]]:
    """(model, result) of a column's models, best first."""
    found = [(model, model["results"][key]) for model in board["models"] if key in model["results"]]
    return sorted(found, key=lambda pair: (-pair[1]["accuracy"], pair[0]["name"]))


def rank(result: Data) -> str:
    """A rank's interval, "12-15", or "3" where it is sure."""
    low, high = result["rank"]
    return str(low) if low == high else f"{low}-{high}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


HEAD = ("rank", "model", "family", "params (B)", "accuracy (%)", "95 % interval", "macro (%)", "above chance (%)",
        "not ok (%)")  # fmt: skip


def _cells(model: Data, result: Data, between: str) -> list[str]:
    size = "" if model["params_b"] is None else f"{model['params_b']:g}"
    ends = f"{_percent(result['low'])}{between}{_percent(result['high'])}"
    shares = [_percent(result[name]) for name in ("macro", "chance_corrected", "not_ok")]
    place = rank(result).replace("-", between)
    return [place, model["name"], model["family"] or "", size, _percent(result["accuracy"]), ends, *shares]


def _about(column: Data) -> str:
    return f"{column['task']} {column['version']}, {column['setting']}, {column['protocol']}, n = {column['n']}"


# -- Markdown --------------------------------------------------------------------------------------------------


def markdown(board: Data) -> str:
    """A table a column; every text is escaped, so that none can become markup."""
    lines = [f"# {_md(board['title'])}", "", *(f"{_md(note)}\n" for note in board["notes"])]
    for column in board["columns"]:
        lines += [f"## {_md(_about(column))}", "", f"| {' | '.join(HEAD)} |", "|--:|---|---|--:|--:|--:|--:|--:|--:|"]
        pairs = ranked(board, column["key"])
        lines += [f"| {' | '.join(map(_md, _cells(*pair, between='–')))} |" for pair in pairs]
        lines += [
            "",
            *(f"- {_md(model['name'])}: {_md(flag)}" for model, found in pairs for flag in found["flags"]),
            "",
        ]
    told = (
        "Ranks and intervals are 95 % intervals that keep questions of one template or clip together; what is not ok "
        "counts as wrong."
    )
    return "\n".join([*lines, told, f"Built {_md(board['built'])} with akb {_md(board['akb'])}.", ""])


def _md(text: str) -> str:
    flat = " ".join(str(text).split())
    text = "".join(f"\\{c}" if c in "\\`*_{}[]()#+!|~$" else c for c in flat)
    for pattern, instead in MARKDOWN:
        text = re.sub(pattern, instead, text)
    return text


# -- LaTeX -----------------------------------------------------------------------------------------------------


def latex(board: Data) -> str:
    """A table a column in the style of the package booktabs; every text is escaped."""
    parts = ["% \\usepackage{booktabs}; \\usepackage[T1]{fontenc}"]
    for column in board["columns"]:
        rows = [
            " & ".join(
                [*map(_tex_range, cells[:1]), *map(_tex, cells[1:5]), _tex_range(cells[5]), *map(_tex, cells[6:])]
            )
            + r" \\"
            for cells in (_cells(*pair, between="--") for pair in ranked(board, column["key"]))
        ]
        head = " & ".join(_tex(name) for name in HEAD) + r" \\"
        parts += [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(_about(column))}}}",
            r"\begin{tabular}{rllrrrrrr}",
            r"\toprule",
            head,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return "\n".join([*parts, ""])


def _tex(text: str) -> str:
    return "".join(LATEX.get(c, c) for c in " ".join(str(text).split()))


def _tex_range(text: str) -> str:
    return "--".join(_tex(part) for part in text.split("--"))


# -- CSV, JSON -------------------------------------------------------------------------------------------------

FIELDS = ("rank_point", "rank_low", "rank_high", "n", "clusters", "accuracy", "low", "high", "wilson_low",
          "wilson_high", "macro", "macro_sub", "chance_corrected", "coverage", "not_ok", "readable",
          "by_chance")  # fmt: skip


def flat(board: Data) -> list[Data]:
    """One row a model and column: shares from 0 to 1."""
    rows = []
    for column in board["columns"]:
        where = {name: column[name] for name in ("task", "version", "setting", "protocol")}
        for model, found in ranked(board, column["key"]):
            known = {name: model[name] for name in ("name", "family", "params_b", "access", "repository")}
            ends = dict(zip(("rank_low", "rank_high"), found["rank"], strict=True))
            ends |= dict(zip(("wilson_low", "wilson_high"), found["wilson"], strict=True))
            numbers = {name: {**found, **ends}[name] for name in FIELDS}
            rows.append({"model": known.pop("name"), **known, **where, **numbers, "flags": "; ".join(found["flags"])})
    return rows


def table(board: Data) -> str:
    """CSV of `flat`. A text that a spreadsheet would take for a formula begins with an apostrophe."""
    buffer = io.StringIO()
    rows = flat(board)
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _json(board: Data) -> str:
    return json.dumps(board, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, tuple[str, Callable[[Data], str]]] = {
    "md": ("board.md", markdown),
    "latex": ("board.tex", latex),
    "csv": ("board.csv", table),
    "json": ("board.json", _json),
}


def check(formats: Sequence[str]) -> None:
    """Whether there are such forms.

    Raises:
        AkbError: there is one that is not.
    """
    for name in formats:
        if name not in (*FORMATS, "dataset"):
            raise unknown("format", name, [*FORMATS, "dataset"], see=f"There are: {', '.join(FORMATS)}, dataset.")


def write(board: Data, formats: Sequence[str], folder: Path) -> list[Path]:
    """Write a board in several forms.

    Args:
        formats: of "md", "latex", "csv", "json", "dataset".

    Returns:
        The files (of "dataset" the folder).

    Raises:
        AkbError: there is no such form.
    """
    check(formats)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in dict.fromkeys(formats):
        if name == "dataset":
            written.append(dataset(board, folder / "results"))
            continue
        file, make = FORMATS[name]
        write_whole(folder / file, make(board))
        written.append(folder / file)
    return written


# -- a folder for `datasets` -----------------------------------------------------------------------------------


def dataset(board: Data, folder: Path) -> Path:
    """results.jsonl (a model and column a row), parts.jsonl (one for each of its categories and subcategories), and a
    README.md that tells `datasets.load_dataset(folder, "results")` of them."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tables = {name: rows for name, rows in (("results", flat(board)), ("parts", _parts(board))) if rows}
    for name, rows in tables.items():
        write_whole(folder / f"{name}.jsonl", (dumps(row) + "\n" for row in rows))
    head = ["---", "configs:"]
    for name in tables:
        head += [f"- config_name: {name}", f"  data_files: {name}.jsonl", *["  default: true"][: name == "results"]]
    head.append("---")
    told = [
        f"# {_md(board['title'])}",
        "Shares are from 0 to 1; `low` and `high` are 95 % intervals that keep questions of one template or clip "
        "together.",
        f"Built {_md(board['built'])} with akb {_md(board['akb'])}.",
    ]
    write_whole(folder / "README.md", "\n".join(head) + "\n\n" + "\n\n".join(told) + "\n")
    return folder


def _parts(board: Data) -> list[Data]:
    rows = []
    for column in board["columns"]:
        for model, found in ranked(board, column["key"]):
            head = {
                "model": model["name"],
                **{name: column[name] for name in ("task", "version", "setting", "protocol")},
            }
            for level in ("categories", "subcategories"):
                for name, part in found[level].items():
                    shrunk = {end: part.get(end) for end in ("shrunk", "shrunk_low", "shrunk_high")}
                    rows.append({**head, "part": name, **part, **shrunk})
    return rows
