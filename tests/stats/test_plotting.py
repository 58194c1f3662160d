"""Pictures: what is drawn, in which formats, and that names are shown as they are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from akb import columns, correlating, plotting
from akb.bank import figures as bank_figures
from akb.errors import AkbError

pytest.importorskip("matplotlib")


def drawn(path: Path, names: tuple[str, ...] = ("a", "b", "c", "d", "e")) -> str:
    values = np.array([50.0, 60, 62, 61, 80])
    cols = {"x": columns.Column("text", values, 500), "y": columns.Column("audio", values[[1, 0, 2, 4, 3]], 300)}
    table = columns.Columns(names, ("A", "A", "B", "C", ""), np.full(5, np.nan), cols)
    told = correlating.report(table, [("x", "y")], draws=200)
    plotting.scatter(table, told.pairs, path)
    return path.read_text("utf-8") if path.suffix == ".svg" else ""


def test_a_scatter_says_n_interval_axes_models_and_families(tmp_path: Path) -> None:
    text = drawn(tmp_path / "s.svg")
    told = re.findall(r"<text[^>]*>([^<]*)</text>", text)
    for wanted in ("a", "e", "A", "B", "C", plotting.OTHER, "text (accuracy, %; 500 questions)"):
        assert wanted in told
    assert any("n = 5" in line for line in told)


def test_the_same_data_make_the_same_file(tmp_path: Path) -> None:
    assert drawn(tmp_path / "1.svg") == drawn(tmp_path / "2.svg")


@pytest.mark.parametrize(("ending", "head"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_formats(ending: str, head: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"s.{ending}"
    drawn(path)
    assert path.read_bytes().startswith(head)


def test_names_are_no_formulas_and_no_script(tmp_path: Path) -> None:
    text = drawn(tmp_path / "s.svg", ("$x^2$", "<script>alert(1)</script>", "_", "d%", "e"))
    assert "$x^2$" in text
    assert "<script>" not in text


def test_labels_do_not_cover_points_or_one_another() -> None:
    one, other = (0.0, 0.0, 2.0, 2.0), (1.0, 1.0, 3.0, 3.0)
    assert plotting._overlap(one, other) == 1
    assert plotting._overlap(one, (2.5, 0, 3, 1)) == 0


def test_a_perfect_line_has_no_interval(tmp_path: Path) -> None:
    values = np.array([50.0, 60, 62, 61, 80])
    cols = {name: columns.Column(name, values) for name in "xy"}
    table = columns.Columns(tuple("abcde"), ("",) * 5, np.full(5, np.nan), cols)
    plotting.scatter(table, correlating.report(table, [("x", "y")], draws=200).pairs, tmp_path / "s.svg")
    plotting.heat(table, ["x", "y"], tmp_path / "h.svg")
    assert "r = 1.00, 95 % -, n = 5" in (tmp_path / "s.svg").read_text("utf-8")
    assert "1.00 to 1.00" not in (tmp_path / "h.svg").read_text("utf-8")


def test_a_heat_map_shows_each_pair_once(tmp_path: Path) -> None:
    table = columns.board("akb-paper")
    plotting.heat(table, list(table.columns), tmp_path / "h.svg")
    told = re.findall(r"<text[^>]*>([^<]*)</text>", (tmp_path / "h.svg").read_text("utf-8"))
    assert sum(line.startswith("n = ") for line in told) == 10
    assert told.count("n = 8") == 7
    with pytest.raises(AkbError, match="two columns"):
        plotting.heat(table, ["akb"], tmp_path / "h.svg")


def test_another_ending_or_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for name, told in (("s.gif", "ends in"), ("none/s.png", "cannot be written")):
        with pytest.raises(AkbError, match=told):
            drawn(tmp_path / name)


def test_a_picture_of_a_bank_has_the_same_endings(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match=r"ends in \.png, \.svg or \.pdf"):
        bank_figures.plot(bank_figures.Figures((), {}, {}, 0, 0, 0, 0), [], tmp_path / "x.foo")


def test_without_matplotlib_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(AkbError, match="matplotlib") as told:
        plotting.figure(1, 1)
    assert "akb[board]" in told.value.fix
