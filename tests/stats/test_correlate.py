"""akb correlate: the study's correlations, CSVs, runs, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from akb import columns, correlating
from akb.cli.correlate import correlate
from akb.errors import AkbError
from akb.evaluation import evaluate

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(correlate)

# computed elsewhere from the same tables: r, exact p (n = 8), Spearman, Kendall, least r without a family,
# r given log size
EXPECTED = """
akb mmau_text 17 .948886 - .879902 .676471 .940146 .908339
akb mmar_text 17 .961280 - .982823 .918544 .954324 .930665
mmau_text mmar_text 17 .939193 - .905522 .740761 .928024 .923875
akb mmau_audio 8 .751106 .039038 .690476 .571429 .651281 .788041
mmau_text mmau_audio 8 .770837 .031473 .738095 .500000 .609047 .766462
mmar_text mmau_audio 8 .824977 .010913 .714286 .571429 .737550 .856415
akb mmar_audio 8 .786795 .029787 .547619 .357143 .680107 .713395
mmau_text mmar_audio 8 .713572 .056399 .714286 .571429 .672414 .779925
mmar_text mmar_audio 8 .795674 .032391 .714286 .500000 .740138 .758078
mmau_audio mmar_audio 8 .402233 .320461 .380952 .214286 .218409 .422520
"""
SHARED = Path(__file__).resolve().parents[3] / "shared/data/paper_tables"


def run(*arguments: object) -> Any:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run("--board", "akb-paper", "--json", "--draws", 500))
    return told


def test_the_studys_ten_correlations_are_those_computed_elsewhere(study: dict[str, Any]) -> None:
    lines = [line.split() for line in EXPECTED.strip().splitlines()]
    assert [(p["x"], p["y"], p["n"]) for p in study["pairs"]] == [(x, y, int(n)) for x, y, n, *_ in lines]
    for pair, (_, _, _, r, p, rho, tau, family, size) in zip(study["pairs"], lines, strict=True):
        got = (pair["pearson"]["value"], pair["spearman"]["value"], pair["kendall"]["value"],
               pair["without_family"]["low"], pair["partial"]["log size"]["r"])  # fmt: skip
        assert got == pytest.approx([float(v) for v in (r, rho, tau, family, size)], abs=5e-5)
        assert pair["pearson"]["exact"] == (p != "-")
        if p != "-":
            assert pair["pearson"]["p"] == pytest.approx(float(p), abs=5e-7)


def test_what_is_printed_otherwise_and_what_holds_after_holm(study: dict[str, Any]) -> None:
    assert [(p["x"], p["y"], p["printed"]) for p in study["pairs"] if p["differs"]] == [
        ("akb", "mmau_text", 0.94),
        ("akb", "mmar_text", 0.94),
    ]
    claims = [p for p in study["pairs"] if p["p_holm"] is not None]
    assert len(claims) == 6
    assert min(p["p_holm"] for p in claims) == pytest.approx(6 * 0.010913, abs=1e-5)
    assert "none" in study["verdict"]
    proxies = [r["test"]["p"] for r in study["rivals"]]
    assert len(proxies) == 6
    assert min(proxies) > 0.29
    by = {p["x"] + "~" + p["y"]: p for p in study["pairs"]}
    assert by["akb~mmau_audio"]["within"]["r"] == pytest.approx(0.22, abs=5e-3)
    assert by["akb~mmar_audio"]["within"]["r"] == pytest.approx(0.76, abs=5e-3)
    assert by["akb~mmau_audio"]["reliability"] == pytest.approx([0.985, 0.831], abs=5e-4)
    assert by["akb~mmar_audio"]["disattenuated"] == pytest.approx(0.8855, abs=5e-5)  # .787 / sqrt(.985 * .802)
    assert [p["shares"] for p in claims] == [False, True, False, False, False, True]
    assert study["choices"][0]["regrets"][-1]["predictor"] == "chance"


def test_the_table_says_it_in_words() -> None:
    told = run("--board", "akb-paper", "--draws", 200)
    assert "printed 0.94, but the tables give 0.9489" in told
    assert "printed 0.94, but the tables give 0.9613" in told
    assert "exact permutation p = .039, .149 after Holm over 6 claims" in told
    assert "After this adjustment it is not significant" in told
    assert "mind: only 4 families" in told


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared tables are not here")
def test_the_board_is_the_published_tables(study: dict[str, Any]) -> None:
    with (SHARED / "leaderboard.csv").open() as file:
        published = {row["model"]: row for row in csv.DictReader(file) if row["akb"]}
    table = columns.board("akb-paper")
    assert set(table.models) == set(published)
    for place, model in enumerate(table.models):
        for name, column in table.columns.items():
            cell = published[model][name]
            assert str(column.values[place]) == (str(float(cell)) if cell else "nan")
    with (SHARED / "recomputed_correlations.csv").open() as file:
        for pair, row in zip(study["pairs"], csv.DictReader(file), strict=True):
            assert pair["p_t"] == pytest.approx(float(row["p_t"]), rel=5e-4)
            assert pair["without_model"]["high"] == pytest.approx(float(row["loo_max"]), abs=5e-5)
            assert pair["pearson"]["low"] == pytest.approx(float(row["lo"]), abs=5e-5)


TABLE = "name,kin,b,ours,mmlu,audio\na,A,7,50,60,40\nb,A,8,55,61,46\nc,B,3,60,58,44\nd,B,14,65,66,50\ne,C,30,72,70,49\n"


def written(folder: Path, text: str = TABLE) -> Path:
    path = folder / "t.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_csv_with_a_control_and_order_of_lines_does_not_matter(tmp_path: Path) -> None:
    head, *lines = TABLE.splitlines()
    found = []
    for text in (TABLE, "\n".join([head, *lines[::-1]])):
        options = ("--x", "ours", "--y", "audio", "--control", "mmlu", "--family", "kin", "--size", "b", "--draws", 200)
        found.append(json.loads(run("--table", written(tmp_path, text), *options, "--json")))
    one, other = (told["pairs"][0] for told in found)
    assert set(one["partial"]) == {"log size", "mmlu"}
    assert {g["predictor"] for g in found[0]["choices"][0]["regrets"]} == {"ours", "mmlu", "size", "chance"}
    assert one["p_holm"] == one["pearson"]["p"]
    assert one["p_t"] == pytest.approx(other["p_t"])
    for name, got in one["partial"].items():
        assert got == pytest.approx(other["partial"][name])
    assert one["without_family"]["low_without"] == other["without_family"]["low_without"]


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (TABLE, ("--x", "our", "--y", "audio"), "no column is called 'our'"),
        (TABLE, ("--x", "ours"), "which scores"),
        (TABLE, ("--x", "ours", "--y", "ours"), "with itself"),
        (TABLE, ("--x", "ours", "--y", "audio", "--family", "kinn"), "no column is called 'kinn'"),
        (TABLE, ("--x", "ours", "--y", "audio", "--items", "ours"), "not of the form"),
        (TABLE, ("--x", "ours", "--y", "audio", "--items", "ours=many"), "number of questions"),
        (TABLE.replace("55", "5 5"), ("--x", "ours", "--y", "audio"), "ours: a number is wanted, found '5 5'"),
        (TABLE.replace("b,A", "a,A"), ("--x", "ours", "--y", "audio"), "comes twice"),
        (TABLE + "f,C\n", ("--x", "ours", "--y", "audio"), "6 cells are wanted"),
        (TABLE.replace("40\n", "\n").replace("46\n", "\n"), ("--x", "ours", "--y", "audio"), "3 models in common"),
        ("m,x,y\na,1,2\nb,1,3\nc,1,4\nd,1,5\n", ("--x", "x", "--y", "y"), "the same score"),
        ("m,x\n", ("--x", "x", "--y", "y"), "lines of values"),
    ],
)
def test_what_is_wrong_is_said_once(text: str, options: tuple[str, ...], told: str, tmp_path: Path) -> None:
    with pytest.raises(AkbError, match=told.replace("(", r"\(")):
        run("--table", written(tmp_path, text), *options)


def test_one_source_is_wanted(tmp_path: Path) -> None:
    for options in ((), ("--board", "akb-paper", "--table", written(tmp_path))):
        with pytest.raises(AkbError, match="one source"):
            run(*options)
    with pytest.raises(AkbError, match="no board is called 'akb-papr'"):
        run("--board", "akb-papr")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Baselines on two categories, each under four names."""
    base = tmp_path_factory.mktemp("runs")
    made: list[Path] = []
    for task in ("phonetic", "music"):
        for model in ("random", "first", "longest", "random"):
            out = base / f"{task}-{len(made)}"
            evaluate(model, task, out=out, cache=False, seed=len(made) % 4 if model == "random" else 0)
            made.append(out)
    return made


def test_runs_of_two_tasks_are_joined_by_model(folders: list[Path]) -> None:
    with pytest.raises(AkbError, match=r"two runs|several protocols"):
        columns.from_runs(folders, ["akb-open/phonetic"])
    names = {columns_.manifest.task for columns_ in _loaded(folders)}
    few = columns.from_runs([folders[i] for i in (0, 1, 2, 4, 5, 6)], sorted(names))
    with pytest.raises(AkbError, match="3 models in common"):
        correlating.report(few, [tuple(sorted(names))])
    with pytest.raises(AkbError, match="no run is of mmau@audio"):
        columns.from_runs(folders[:2], ["mmau@audio"])
    one = columns.from_runs(folders[:3], [_loaded(folders)[0].manifest.task])
    (column,) = one.columns.values()
    assert column.scores is not None
    assert column.items == len(column.scores.items)
    shares = dict(zip(one.models, column.values, strict=True))
    for run_ in _loaded(folders[:3]):
        assert shares[run_.manifest.model] == pytest.approx(100 * run_.accuracy)


def _loaded(folders: list[Path]) -> list[Any]:
    from akb.run import Run

    return [Run.load(folder) for folder in folders]
