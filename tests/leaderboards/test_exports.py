"""A board in other forms: what is in them is what is on the board, and no text in them does anything."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from board_data import bank, entry, filled

from akb.errors import AkbError
from akb.leaderboards import board as boards
from akb.leaderboards import exports, sitedata
from akb.leaderboards.entries import Store
from akb.registry import Registry

load_dataset = pytest.importorskip("datasets").load_dataset
HOSTILE = r"<script>alert(1)</script> | [a](javascript:x) \input{/etc/passwd} $x$ 100% #_~^&{}`*"


def made(store: Store) -> dict[str, Any]:
    found: dict[str, Any] = sitedata.rounded(
        boards.board(store, boards.sheets(store, Registry(), 500), Registry(), "2026-01-01T00:00:00")
    )
    return found


def hostile(folder: Path) -> dict[str, Any]:
    items, store = bank(), filled(folder, 2)
    store.write(entry(HOSTILE, [1.0] * 48, items), items)
    store.write(entry("=cmd()", [0.0] * 48, items), items)
    return made(store)


def test_markdown_has_every_model_once_and_nothing_becomes_markup(tmp_path: Path) -> None:
    text = exports.markdown(hostile(tmp_path))
    rows = [line for line in text.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) == 4
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 10 for row in rows)
    assert "<script" not in text
    assert "\\[a\\]\\(javascript:x\\)" in text


def test_no_note_becomes_a_list_a_heading_or_a_link(tmp_path: Path) -> None:
    notes = ["- x", "12. x", "=", "www.evil.example", "_WWW.evil.example", "a.b+c@evil.example", "https://evil.example"]
    html = (
        pytest.importorskip("markdown_it")
        .MarkdownIt("commonmark")
        .render(exports.markdown({**hostile(tmp_path), "title": "T", "notes": notes, "columns": []}))
    )
    told = re.sub("<!--.*?-->", "", html)
    assert [f"<p>{note}</p>" in told for note in notes] == [True] * len(notes)
    text = exports.markdown({**hostile(tmp_path), "notes": notes})  # what GitHub makes a link of, in its source
    assert not re.search(r"www\.|://|[\w.+-]@[\w-]+\.", text, re.I)


def test_latex_is_escaped_and_compiles_where_there_is_a_compiler(tmp_path: Path) -> None:
    text = exports.latex(hostile(tmp_path))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 5
    assert all(len(re.findall(r"(?<!\\)&", row)) == 8 for row in rows)
    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    assert not re.search(r"(?<!\\)[$#%_^~](?! \\usepackage)", text)
    assert r"\toprule" in text
    if shutil.which("pdflatex"):
        whole = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\begin{document}"
        (tmp_path / "t.tex").write_text(whole + text + r"\end{document}")
        subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_csv_and_json_hold_the_boards_numbers(tmp_path: Path) -> None:
    board = hostile(tmp_path)
    assert json.loads(exports.FORMATS["json"][1](board)) == board
    rows = list(csv.DictReader(io.StringIO(exports.table(board))))
    assert [row["model"] for row in rows][::3] == [HOSTILE, "'=cmd()"]
    for row, flat in zip(rows, exports.flat(board), strict=True):
        assert float(row["accuracy"]) == flat["accuracy"]
        assert float(row["rank_high"]) == flat["rank_high"]
    by_name = {model["name"]: next(iter(model["results"].values())) for model in board["models"]}
    assert {row["model"]: (row["low"], row["wilson_high"]) for row in exports.flat(board)} == {
        name: (found["low"], found["wilson"][1]) for name, found in by_name.items()
    }


def test_a_rank_is_an_interval_and_a_sure_one_is_a_number() -> None:
    assert exports.rank({"rank": [12, 15]}) == "12-15"
    assert exports.rank({"rank": [3, 3]}) == "3"


def test_datasets_loads_the_folder(tmp_path: Path) -> None:
    board = hostile(tmp_path)
    (folder,) = exports.write(board, ["dataset"], tmp_path / "out")
    results = load_dataset(str(folder), "results", cache_dir=str(tmp_path / "hf"))["train"]
    assert results.to_list() == [dict(row) for row in exports.flat(board)]
    assert load_dataset(str(folder), cache_dir=str(tmp_path / "hf"))["train"].num_rows == 4  # the default
    parts = load_dataset(str(folder), "parts", cache_dir=str(tmp_path / "hf"))["train"]
    assert parts.num_rows == 4 * (2 + 8)
    assert set(parts["part"]) == {"c0", "c1", *(f"c{i // 4}/s{i}" for i in range(8))}


def test_an_unknown_form_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="'markdwn'"):
        exports.write({}, ["markdwn"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
