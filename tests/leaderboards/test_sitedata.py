"""The files of a site, and the commands that make and show it."""

from __future__ import annotations

import json
import math
import re
import threading
import urllib.request
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from board_data import bank, entry, filled, ran, table, toy
from scipy.stats import pearsonr
from typer.testing import CliRunner

from akb.cli.leaderboard import app
from akb.errors import AkbError
from akb.leaderboards import board as boards
from akb.leaderboards import correlations, exports, serving, sitedata
from akb.leaderboards.entries import Store
from akb.registry import Registry

KEY = "toy-1@text:p"


def read(site: Path, name: str) -> Any:
    text = (site / "data" / f"{name}.js").read_text("utf-8")
    head = f"akbData({json.dumps(name)},"
    assert text.startswith(head)
    assert text.endswith(");\n")
    return json.loads(text[len(head) : -3])


def site(store: Store, folder: Path, **told: Any) -> Path:
    sitedata.build(store, folder, Registry(), draws=500, **told)
    return folder


def test_every_model_and_item_has_its_place(tmp_path: Path) -> None:
    made = site(filled(tmp_path / "board", n=240), tmp_path / "site")
    board = read(made, "board")
    (column,) = board["columns"]
    assert [model["slug"] for model in board["models"]] == [f"m{i}" for i in range(6)]
    chunks = [read(made, f"items/{column['taskslug']}/{number}") for number in range(3)]
    assert [(chunk["first"], len(chunk["items"])) for chunk in chunks] == [(0, 100), (100, 100), (200, 40)]
    rows = [item for chunk in chunks for item in chunk["items"]]
    scores = table(n=240)
    for place, item in enumerate(rows):
        cells = item["chosen"][KEY]
        assert [cells[f"m{i}"][2] for i in range(6)] == scores[:, place].tolist()
        assert all((cell[0] == item["answer"]) == bool(cell[2]) for cell in cells.values())
        assert item["difficulty"]["p"] == pytest.approx(scores[:, place].mean(), abs=1e-5)
        rest = scores.sum(axis=1) - scores[:, place]
        if 0 < scores[:, place].sum() < 6:
            assert item["discrimination"]["r"] == pytest.approx(pearsonr(scores[:, place], rest)[0], abs=1e-5)
        else:
            assert item["discrimination"] is None


def test_a_model_is_told_against_every_other_from_both_sides(tmp_path: Path) -> None:
    made = site(filled(tmp_path / "board"), tmp_path / "site")
    models = {f"m{i}": read(made, f"models/m{i}") for i in range(6)}
    means = table().mean(axis=1)
    for a, one in models.items():
        versus = one["versus"][KEY]
        assert set(versus) == set(models) - {a}
        for b, pair in versus.items():
            assert pair["difference"] == pytest.approx(means[int(a[1])] - means[int(b[1])], abs=1e-5)
            back = models[b]["versus"][KEY][a]
            assert (back["low"], back["high"], back["p"]) == (-pair["high"], -pair["low"], pair["p"])
        chances = [group["probability"] for group in one["hardest"][KEY]]
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) == pytest.approx(5, abs=0.02)
        (run,) = one["runs"]
        assert run["settings"]["task.version"] == "1"
        assert len(run["identity_sha256"]) == 64


def test_no_text_ends_a_script_and_replies_are_cut_to_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = bank()
    items[0] = items[0].model_copy(update={"question": "</script><script>alert(1)</script>\u2028"})
    store = Store(tmp_path / "board")
    store.write(entry("m", [1.0] * 48, items, reply=["<!--" + "x" * 300] * 48), items)
    made = site(store, tmp_path / "one")
    for path in (made / "data").rglob("*.js"):
        assert "<" not in path.read_text("utf-8")
        assert "\u2028" not in path.read_text("utf-8")
    (chunk,) = (read(made, str(p.relative_to(made / "data"))[:-3]) for p in (made / "data/items").rglob("*.js"))
    assert chunk["items"][0]["question"] == items[0].question
    assert len(chunk["items"][0]["chosen"][KEY]["m"][3]) == 304
    monkeypatch.setattr(sitedata, "REPLIES", 48 * 100)
    made = site(store, tmp_path / "two")
    (chunk,) = (read(made, str(p.relative_to(made / "data"))[:-3]) for p in (made / "data/items").rglob("*.js"))
    assert len(chunk["items"][0]["chosen"][KEY]["m"][3]) == 80
    assert "cut to 80 characters" in read(made, "board")["notes"][0]


def test_numbers_have_eight_digits_and_what_is_none_is_null() -> None:
    told = {"a": 1 / 3, "b": [math.nan, math.inf, 1.0], "c": (np.float64(0.123456789), True, None, 7)}
    assert (
        json.dumps(sitedata.rounded(told))
        == '{"a": 0.33333333, "b": [null, null, 1], "c": [0.12345679, true, null, 7]}'
    )
    small = {"p": 1.23456789e-12, "q": 1e-12, "more": [{"p_holm": 5e-324, "difference": -1e-17}], "p_perm": 0.0123456}
    assert sitedata.rounded(small) == {"p": 1.2346e-12, "q": 0, "more": [{"p_holm": 5e-324, "difference": 0}],
                                       "p_perm": 0.012346}  # fmt: skip
    assert sitedata.rounded({"x": 1234.5678912, "y": 0.000123456}, small=True) == {"x": 1234.5678912, "y": 0.00012346}


def test_a_score_is_shown_as_eval_shows_it() -> None:
    """24.650129 %, which is 24.6 if it was first cut to 24.65."""
    kept = sitedata.rounded({"macro": 0.24650129})["macro"]
    assert exports._percent(kept) == f"{100 * 0.24650129:.1f}" == "24.7"


def test_the_coverage_on_the_site_is_that_of_the_design_page_and_its_defaults_that_break_the_rule_are_named() -> None:
    page = (Path(__file__).parents[2] / "docs" / "design" / "statistics.md").read_text("utf-8")
    told = [line.strip("| ").split(" | ") for line in page.splitlines() if re.fullmatch(r"\|.*\| [\d.]+ \|", line)]
    rows = sitedata.methods()["coverage"]
    assert [line[:2] for line in told] == [[row["interval"] + " *" * row["default"], row["world"]] for row in rows]
    for line, row in zip(told, rows, strict=True):
        assert [float(text) / 100 for text in line[2:]] == pytest.approx(
            [row["nominal"], row["measured"], row["error"]], abs=0.00056
        )
    off = {row["interval"] for row in rows if row["default"] and abs(row["measured"] - row["nominal"]) > 0.02}
    assert off == {"Wilson", "mean, score", "difference", "rank, pairwise"}


def test_methods_tell_every_statistic_with_its_words() -> None:
    found = sitedata.methods()
    titles = [section["title"] for section in found["sections"]]
    assert len(set(titles)) == len(titles)
    wilson = next(section for section in found["sections"] if section["source"] == "akb.stats.proportion.wilson")
    assert "doi:10.1080/01621459.1927.10502953" in wilson["text"]
    assert all(len(section["text"]) > 60 for section in found["sections"])


def test_building_again_leaves_nothing_behind_and_touches_nothing_else(tmp_path: Path) -> None:
    made = site(filled(tmp_path / "board"), tmp_path / "site")
    (made / "mine.txt").write_text("keep")
    (made / "exports").mkdir()
    (made / "exports/board.csv").write_text("of the older board")
    (made / sitedata.PART).mkdir()  # a build that was killed
    (made / sitedata.PART / "rest").write_text("x")
    site(filled(tmp_path / "other", models=3), made)
    assert not (made / "data/models/m5.js").exists()
    assert not (made / "exports").exists()
    assert not (made / sitedata.PART).exists()
    assert (made / "mine.txt").read_text() == "keep"
    (tmp_path / "full").mkdir()
    (tmp_path / "full/data.txt").write_text("x")
    with pytest.raises(AkbError, match="something else than a board's site"):
        site(filled(tmp_path / "board"), tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["data.txt"]


def test_a_build_that_fails_leaves_the_older_site_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = site(filled(tmp_path / "board"), tmp_path / "site")
    before = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}

    def fail() -> None:
        raise AkbError("the disk is full")

    monkeypatch.setattr(sitedata, "methods", fail)
    for out in (made, tmp_path / "new"):
        with pytest.raises(AkbError, match="disk is full"):
            site(filled(tmp_path / "other", models=3), out)
    assert {path: path.read_bytes() for path in made.rglob("*") if path.is_file()} == before
    assert not list((tmp_path / "new").iterdir())


def two_settings(folder: Path) -> Store:
    """Six text models, and six LALMs built on them."""
    store, items = filled(folder), bank()
    audio = [item.model_copy(update={"id": f"a{item.id}", "question": "heard", "audio": (("ab", "clip 1.wav"),)})
             for item in items]  # fmt: skip
    for number, row in enumerate(table(seed=1)):
        store.write(entry(f"lalm{number}", row.tolist(), audio, "audio"), audio)
    facts = {f"lalm{i}": {"backbone": f"m{i}"} for i in range(6)} | {f"m{i}": {"family": f"f{i % 2}"} for i in range(6)}
    (folder / "board.yaml").write_text(json.dumps({"title": "T", "models": facts, "audio": "clips/"}))
    return Store(folder)


def test_text_is_correlated_with_audio_over_backbones(tmp_path: Path) -> None:
    made = site(two_settings(tmp_path / "board"), tmp_path / "site")
    (pair,) = read(made, "correlation")["pairs"]
    assert (pair["x"], pair["y"], pair["n"]) == (KEY, "toy-audio-1@audio:p", 6)
    x, y = table().mean(axis=1), table(seed=1).mean(axis=1)
    assert pair["pearson"] == pytest.approx(pearsonr(x, y)[0], abs=1e-5)
    ends = pearsonr(x, y).confidence_interval()
    assert pair["fisher"] == pytest.approx([ends.low, ends.high], abs=1e-5)
    assert [point["name"] for point in pair["points"]] == [f"m{i}" for i in range(6)]
    assert [point["y"] for point in pair["points"]] == pytest.approx(100 * y, abs=1e-5)
    assert (pair["xunit"], pair["yunit"]) == ("%", "%")
    assert pair["joint"][0] <= pair["fisher"][0]
    assert pair["joint"][1] >= pair["fisher"][1]
    without = [pearsonr(np.delete(x, i), np.delete(y, i))[0] for i in range(6)]
    assert pair["lomo"] == [pytest.approx(min(without), abs=1e-5), pytest.approx(max(without), abs=1e-5),
                            f"m{np.argmin(without)}"]  # fmt: skip
    assert {point["family"] for point in pair["points"]} == {"f0", "f1"}
    assert all(p["xlow"] < p["x"] < p["xhigh"] for p in pair["points"])
    assert (pair["regret"]["n"], pair["regret"]["among"]) == (6, 4)
    for one, by in zip(pair["regret"]["losses"], (x, np.zeros(6)), strict=True):
        assert one["loss"] == pytest.approx(100 * lost(by, y, 4), abs=1e-5)
    slug = next(c["taskslug"] for c in read(made, "board")["columns"] if c["setting"] == "audio")
    assert read(made, f"items/{slug}/0")["items"][0]["audio"] == ["clips/clip 1.wav"]


def lost(predictor: Any, outcome: Any, among: int) -> float:
    """The mean over all sets of the best outcome less that of those that the predictor puts first."""
    found = []
    for chosen in map(list, combinations(range(len(outcome)), among)):
        first = predictor[chosen] == predictor[chosen].max()
        found.append(outcome[chosen].max() - outcome[chosen][first].mean())
    return float(np.mean(found))


def test_columns_of_other_units_keep_their_numbers(tmp_path: Path) -> None:
    """Elo, and points that may be below 0 or above 100, are no shares and no per cent."""
    file, scores = tmp_path / "t.csv", np.array([50, 55, 61, 72, 80])
    others = {"elo": np.array([1036, 1031, 1034, 1144, 1092]), "gain": np.array([-3, 2, 4, 9, 12]),
              "tiny": np.array([1, 2, 3, 4, 6]) * 1e-7, "score": np.array([10, 55, 90, 35, 70])}  # fmt: skip
    rows = ("m" + ",".join(map(str, (n, *row))) for n, row in enumerate(zip(scores, *others.values(), strict=True)))
    file.write_text("\n".join([f"model,akb,{','.join(others)}", *rows]))
    pairs = sitedata.rounded(correlations.of_table(str(file), (), 200, 0), small=True)["pairs"]
    for name, values in others.items():
        pair = next(pair for pair in pairs if (pair["x"], pair["y"]) == ("akb", name))
        assert (pair["xunit"], pair["yunit"]) == ("", "")
        assert [point["x"] for point in pair["points"]] == scores.tolist()
        assert [point["y"] for point in pair["points"]] == pytest.approx(values.tolist())
        assert pair["points"][0]["ylow"] is None
        losses = {one["predictor"]: one["loss"] for one in pair["regret"]["losses"]}
        assert losses["akb"] == pytest.approx(lost(scores, values, 4), rel=1e-4)
        assert losses["chance"] == pytest.approx(lost(np.zeros(5), values, 4), rel=1e-4)


def test_without_audio_there_is_no_correlation(tmp_path: Path) -> None:
    made = site(filled(tmp_path / "board"), tmp_path / "site")
    assert not (made / "data/correlation.js").exists()


def test_published_tables_can_be_shown_beside_a_board(tmp_path: Path) -> None:
    found = correlations.of_table("akb-paper", (), 200, 0)
    pair = next(pair for pair in found["pairs"] if (pair["x"], pair["y"]) == ("akb", "mmau_audio"))
    assert pair["pearson"] == pytest.approx(0.7511, abs=5e-5)
    assert pair["p_perm"] == pytest.approx(0.0390, abs=5e-5)
    assert 0.05 < pair["p_holm"] < 1
    assert pair["xunit"] == "%"
    assert all(1 < point["xlow"] < point["x"] < point["xhigh"] < 100 for point in pair["points"])
    file = tmp_path / "t.csv"
    file.write_text("model,a,b\n" + "".join(f"m{i},{i * 7 % 5},{i}\n" for i in range(5)))
    (pair,) = correlations.of_table(str(file), (), 200, 0)["pairs"]
    assert pair["pearson"] == pytest.approx(pearsonr([i * 7 % 5 for i in range(5)], range(5))[0])
    file.write_text("model,a\nx,1\ny,2\nz,3\n")
    with pytest.raises(AkbError, match="0 pairs"):
        correlations.of_table(str(file), (), 200, 0)


def test_a_backbone_of_two_models_of_a_column_is_an_error(tmp_path: Path) -> None:
    store = two_settings(tmp_path)
    (tmp_path / "board.yaml").write_text("models: {lalm0: {backbone: m0}, lalm1: {backbone: m0}}")
    with pytest.raises(AkbError, match="m0 is the backbone of several"):
        correlations.of_sheets(boards.sheets(Store(store.folder), Registry(), 500), 500, 0)


# -- commands --------------------------------------------------------------------------------------------------


def test_from_runs_to_a_site(tmp_path: Path) -> None:
    task = toy(tmp_path)
    runs = [str(ran(tmp_path / model, model, task)) for model in ("random", "first", "longest")]
    board, out = str(tmp_path / "board"), str(tmp_path / "site")
    cli = CliRunner()
    added = cli.invoke(app, ["add", *runs, "--board", board, "--json"], catch_exceptions=False)
    assert [row["n"] for row in json.loads(added.stdout)] == [12, 12, 12]
    told = cli.invoke(app, ["build", board, "--out", out, "--formats", "md,csv", "--draws", "200"],
                      catch_exceptions=False)  # fmt: skip
    assert "toy-1@text:akb-v1-loglik" in told.stdout
    assert sorted(path.name for path in (tmp_path / "site/exports").iterdir()) == ["board.csv", "board.md"]
    assert {model["access"] for model in read(tmp_path / "site", "board")["models"]} == {"baseline"}
    with pytest.raises(AkbError, match="'pdf'"):
        cli.invoke(app, ["build", board, "--out", str(tmp_path / "no"), "-f", "pdf"], catch_exceptions=False)
    assert not (tmp_path / "no").exists()
    below = cli.invoke(app, ["build", board, "--out", str(tmp_path / "no"), "--seed", "-1"])
    assert below.exit_code == 2
    assert "seed" in below.output


def test_a_site_is_served_to_this_machine_alone(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="no site here"):
        serving.server(tmp_path, 0)
    (tmp_path / "index.html").write_text("hello")
    with serving.server(tmp_path, 0) as running:
        host, port = running.server_address[:2]
        assert host == "127.0.0.1"
        with pytest.raises(AkbError, match="port cannot be used"):
            serving.server(tmp_path, int(port))
        threading.Thread(target=running.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as reply:
            assert reply.read() == b"hello"
        running.shutdown()
