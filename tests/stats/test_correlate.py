"""akb correlate: the study's correlations, CSVs, runs, and what is refused."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from akb import columns, correlating, records
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
    assert "exact permutation p = .039, p = .149 after Holm over 6 claims" in told
    assert "After this adjustment it is not significant" in told
    assert "mind: only 4 families" in told


@pytest.mark.parametrize("way", [("akb", "mmau_audio"), ("mmau_audio", "akb")])
def test_a_claim_shown_alone_or_the_other_way_round_is_adjusted_over_all(
    way: tuple[str, str], study: dict[str, Any]
) -> None:
    (whole,) = (p for p in study["pairs"] if {p["x"], p["y"]} == set(way))
    told = json.loads(run("--board", "akb-paper", "--x", way[0], "--y", way[1], "--json", "--draws", 200))
    (pair,) = told["pairs"]
    assert pair["p_holm"] == pytest.approx(whole["p_holm"])
    assert pair["family"] == 6
    assert "p = .149 after Holm over 6 claims" in pair["sentence"]
    assert told["choices"][0]["y"] == "mmau_audio"


def test_a_pair_asked_for_both_ways_is_one_and_the_verdict_tells_of_how_many_claims() -> None:
    both = ("--x", "akb", "--x", "mmau_audio", "--y", "akb", "--y", "mmau_audio")
    assert len(json.loads(run("--board", "akb-paper", *both, "--json", "--draws", 200))["pairs"]) == 1
    some = ("--x", "akb", "--x", "mmau_text", "--y", "mmau_audio", "--draws", 200)
    assert "Of 2 of 6 claims, below .05 after Holm: none" in run("--board", "akb-paper", *some)


def test_a_claim_that_cannot_be_tested_counts_and_helps_no_other() -> None:
    values = np.array([[1.0, 2, 3, 4, 5], [2, 1, 4, 3, 5], [1, math.nan, math.nan, 2, 3]])
    cols = {name: columns.Column(name, row) for name, row in zip("xyz", values, strict=True)}
    table = columns.Columns(tuple("abcde"), ("",) * 5, np.full(5, np.nan), cols, claims=(("x", "y"), ("x", "z")))
    (pair,) = correlating.report(table, [("x", "y")], draws=200).pairs
    assert pair.family == 2
    assert pair.p_holm == pytest.approx(2 * pair.pearson.p)


def test_no_p_is_zero_and_zero_has_no_sign() -> None:
    assert [correlating.decimals(v) for v in (-0.001, 0.001, -0.12, 1.0)] == [".00", ".00", "-.12", "1.00"]
    assert [correlating.p_text(p) for p in (0.0, 0.00099, 0.0012)] == ["< .001", "< .001", "= .001"]


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
        (TABLE, ("--x", "ours", "--y", "audio", "--size", "kin"), "kin: a column of numbers is wanted"),
        (TABLE, ("--x", "ours", "--y", "audio", "--items", "kin=5"), "kin: a column of numbers is wanted"),
        (TABLE, ("--x", "ours", "--y", "audio", "--items", "ours"), "not of the form"),
        (TABLE, ("--x", "ours", "--y", "audio", "--items", "ours=many"), "number of questions"),
        ("m,x,y\na,.5,2\nb,.6,3\nc,1,4\n", ("--x", "x", "--y", "y", "--items", "x=200"), "found shares (none above 1)"),
        (TABLE.replace("55", "5 5"), ("--x", "ours", "--y", "audio"), "ours: a number is wanted, found '5 5'"),
        (TABLE.replace("b,A", "a,A"), ("--x", "ours", "--y", "audio"), "comes twice"),
        (TABLE + "f,C\n", ("--x", "ours", "--y", "audio"), "6 cells are wanted"),
        (TABLE.replace("40\n", "\n").replace("46\n", "\n"), ("--x", "ours", "--y", "audio"), "3 models in common"),
        ("m,x,y\na,1,2\nb,1,3\nc,1,4\nd,1,5\n", ("--x", "x", "--y", "y"), "the same score"),
        ("m,x\n", ("--x", "x", "--y", "y"), "lines of values"),
    ],
)
def test_what_is_wrong_is_said_once(text: str, options: tuple[str, ...], told: str, tmp_path: Path) -> None:
    with pytest.raises(AkbError, match=re.escape(told)):
        run("--table", written(tmp_path, text), *options)


def test_what_was_given_but_not_used_is_noted(tmp_path: Path) -> None:
    asked = ("--x", "ours", "--y", "audio", "--draws", 200, "--table", written(tmp_path))
    told = run(*asked, "--items", "ours=500", "--control", "audio")
    assert "note: how many questions audio has is not known" in told
    assert "note: audio is not held constant where it is itself correlated: ours ~ audio" in told
    assert "note:" not in run(*asked, "--items", "ours=500", "--items", "audio=300", "--control", "mmlu")
    words = written(tmp_path, TABLE.replace(",kin,", ",params_b,"))
    assert "note: params_b holds no numbers" in run(*asked[:-1], words)


def test_the_makers_path_is_not_published(tmp_path: Path) -> None:
    assert columns.from_csv(written(tmp_path)).source == "t.csv"
    assert str(tmp_path) not in run("--table", tmp_path / "t.csv", "--x", "ours", "--y", "audio", "--draws", 200)


def test_small_p_and_a_perfect_line_are_told_as_such(tmp_path: Path) -> None:
    lines = "".join(f"m{i},{i},{2 * i},{i + i % 4}\n" for i in range(16))
    table = written(tmp_path, "model,x,line,near\n" + lines)
    told = run("--table", table, "--x", "x", "--y", "line", "--y", "near", "--draws", 200)
    assert "p < .001, p < .001 after Holm over 2 claims" in told
    assert ".000 after" not in told
    assert "r = 1.00 (95 % interval -;" in told
    assert "mind: r = 1: the models are on one line" in told
    assert "1.00 to 1.00; perm" not in told


def test_a_seed_below_zero_is_a_usage_error() -> None:
    done = CliRunner().invoke(app, ["--board", "akb-paper", "--seed", "-1"])
    assert done.exit_code == 2


def test_one_source_is_wanted(tmp_path: Path) -> None:
    for options in ((), ("--board", "akb-paper", "--table", written(tmp_path))):
        with pytest.raises(AkbError, match="one source"):
            run(*options)
    with pytest.raises(AkbError, match="no board is called 'akb-papr'"):
        run("--board", "akb-papr")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Baselines on two categories, each under four names; the record calls them models."""
    base = tmp_path_factory.mktemp("runs")
    made: list[Path] = []
    for task in ("phonetic", "music"):
        for model in ("random", "first", "longest", "random"):
            out = base / f"{task}-{len(made)}"
            evaluate(model, task, out=out, cache=False, seed=len(made) % 4 if model == "random" else 0)
            manifest = records.read_manifest(out)
            manifest.identity["parties"]["model"]["adapter"] = "hf/2"
            records.write_manifest(out, manifest)
            made.append(out)
    return made


def test_runs_of_two_tasks_are_joined_by_model(folders: list[Path]) -> None:
    with pytest.raises(AkbError, match=r"two runs|not asked as"):
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
