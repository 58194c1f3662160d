"""What is computed of a board, against statsmodels and against sums done by hand."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from board_data import bank, entry, filled, table
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from akb import records
from akb.errors import AkbError
from akb.jsonable import dumps, trial_to
from akb.leaderboards import board as boards
from akb.leaderboards.entries import Entry, Facts, Store
from akb.registry import Registry
from akb.run import Run
from akb.stats import shrinkage
from akb.stats.intervals import design_effect
from akb.stats.power import detectable, detectable_between
from akb.stats.summary import summarise
from akb.types import Answer, Outcome, Question, Status, Trial

KEY = "toy-1@text:p"


def built(store: Store, **told: Any) -> tuple[boards.Sheet, boards.Data]:
    sheets = boards.sheets(store, Registry(), draws=500, **told)
    return sheets[0], boards.board(store, sheets, Registry(), "2026")


def results(data: boards.Data) -> dict[str, boards.Data]:
    return {model["name"]: model["results"][KEY] for model in data["models"]}


def test_the_numbers_of_a_model_are_those_of_its_scores(tmp_path: Path) -> None:
    _, data = built(filled(tmp_path))
    for number, row in enumerate(table()):
        found = results(data)[f"m{number}"]
        assert found["accuracy"] == pytest.approx(row.mean())
        assert found["wilson"] == pytest.approx(proportion_confint(row.sum(), 48, method="wilson"))
        assert found["macro"] == pytest.approx((row[:24].mean() + row[24:].mean()) / 2)
        assert found["macro_sub"] == pytest.approx(row.reshape(8, 6).mean())
        assert found["categories"]["c1"]["accuracy"] == pytest.approx(row[24:].mean())
        assert found["chance_corrected"] == pytest.approx((row.mean() - 0.25) / 0.75)
        assert found["low"] < found["accuracy"] < found["high"]
        subs = found["subcategories"]
        assert list(subs) == [f"c{i // 4}/s{i}" for i in range(8)]
        assert [one["accuracy"] for one in subs.values()] == pytest.approx(row.reshape(8, 6).mean(axis=1))
        spread = [np.ptp([one[name] for one in subs.values()]) for name in ("accuracy", "shrunk")]
        assert spread[1] < spread[0]
    place = 1 + np.array([(table().mean(axis=1) > mean).sum() for mean in table().mean(axis=1)])
    assert [results(data)[f"m{i}"]["rank_point"] for i in range(6)] == place.tolist()
    assert all(r["rank"][0] <= r["rank_point"] <= r["rank"][1] for r in results(data).values())


def test_what_is_not_ok_counts_as_wrong_and_the_other_policies_stand_beside_it(tmp_path: Path) -> None:
    items, store = bank(), Store(tmp_path)
    status = ["refused"] * 8 + ["empty"] * 4 + ["ok"] * 36
    store.write(entry("m", [0.0] * 12 + [1.0] * 27 + [0.0] * 9, items, status=status), items)
    store.write(entry("n", [1.0] * 48, items), items)
    found = results(built(store)[1])["m"]
    assert found["statuses"] == {"empty": 4, "ok": 36, "refused": 8}
    assert found["not_ok"] == 0.25
    assert found["accuracy"] == pytest.approx(27 / 48)
    assert found["readable"] == pytest.approx(27 / 36)
    assert found["by_chance"] == pytest.approx((27 + 12 * 0.25) / 48)
    assert found["flags"] == ["25.0 % of the answers were not ok; they count as wrong"]


def cyclic(folder: Path, model: str, answered: list[list[int | None]]) -> Run:
    """A finished run in four orders; for each question its answers: an option (0 is right), None where not read."""
    path = folder / model
    path.mkdir()
    trials, outcomes = [], []
    for n, row in enumerate(answered):
        q = Question(f"q{n:02}", f"What is {n}?", ("key", "b", "c", "key")[: 3 + n % 2], 0, "x", "s", (), f"t{n}")
        trials.append(Trial(q.id, q, {"orders": [[0, 1, 2]] * len(row)}))
        answers = tuple(Answer(Status.REFUSED) if c is None else Answer(Status.OK, c, c, c == 0) for c in row)
        status = Status.REFUSED if None in row else Status.OK
        outcomes.append((q.id, Outcome(status, row.count(0) / len(row), answers)))
    (path / records.TRIALS).write_text("".join(dumps(trial_to(t)) + "\n" for t in trials), "utf-8")
    (path / records.RESPONSES).write_text("", "utf-8")
    records.write_outcomes(path, outcomes)
    identity = {"task": {"name": "toy", "version": "1"}, "protocol": {"name": "p"}, "categories": [],
                "parties": {"model": {}}}  # fmt: skip
    manifest = records.Manifest(akb="0", status="finished", model=model, task="toy", protocol="p", identity=identity,
                                config={}, started="now")  # fmt: skip
    records.write_manifest(path, manifest)
    return Run.load(path)


def test_a_cyclic_run_has_the_numbers_of_the_runs_table(tmp_path: Path) -> None:
    """Answers count, not items: an item that was read in three orders of four is guessed in one alone."""
    rows: list[list[int | None]] = [[0, 0, 0, None], [0, 1, None, None], [None] * 4, [0] * 4, [1, 1, 1, 0]]
    rows.append([None, 0, 1, 2])
    run, store = cyclic(tmp_path, "m", rows), Store(tmp_path / "board")
    one, items = Entry.of(run)
    store.write(one, items)
    row, found = summarise(run.judged()).rows[0], results(built(store)[1])["m"]
    assert row.not_ok == 8 / 24
    for name in ("accuracy", "not_ok", "by_chance", "readable"):
        assert found[name] == pytest.approx(getattr(row, name)), name


def test_p_is_exact_for_three_orders_also_where_scores_were_kept_with_six_digits(tmp_path: Path) -> None:
    """Against all changes of sign, in fractions: thirds must tie with thirds."""
    right = ((3, 1, 2, 0, 3, 2, 1, 3), (2, 2, 0, 0, 1, 1, 1, 0))
    apart = [Fraction(a - b, 3) for a, b in zip(*right, strict=True) if a != b]
    total = [abs(sum((s * x for s, x in zip(signs, apart, strict=True)), Fraction()))
             for signs in product((1, -1), repeat=len(apart))]  # fmt: skip
    wanted = sum(one >= total[0] for one in total) / len(total)  # the first has no sign changed
    rows: list[list[list[int | None]]] = [[[*[0] * n, *[1] * (3 - n)] for n in row] for row in right]
    runs = [cyclic(tmp_path, name, row) for name, row in zip("ab", rows, strict=True)]
    for folder, digits in (("exact", 17), ("old", 6)):
        store = Store(tmp_path / folder)
        for run in runs:
            one, items = Entry.of(run)
            scores = tuple(round(score, digits) for score in one.answers.score)
            store.write(one.model_copy(update={"answers": one.answers.model_copy(update={"score": scores})}), items)
        (pair,) = built(store)[1]["families"][KEY]["neighbours"]
        assert pair["p"] == pytest.approx(wanted, rel=1e-9)
        assert pair["difference"] == pytest.approx(float(sum(apart)) / 8, abs=1e-12)


def test_a_run_whose_scores_do_not_go_with_its_choices_makes_no_entry(tmp_path: Path) -> None:
    run = cyclic(tmp_path, "m", [[0, 0]])
    records.write_outcomes(run.path, [("q00", Outcome(Status.OK, 1.0, (Answer(Status.OK, 1, 1, True),) * 2))])
    with pytest.raises(AkbError, match="q00 has score 1, which does not go with the option chosen") as caught:
        Entry.of(Run.load(run.path))
    assert caught.value.where == str(run.path)


def test_a_score_that_is_no_share_of_its_answers_stays_as_it_is() -> None:
    assert entry("m", [0.3, 1.0], bank()[:2]).answers.shares == [0.3, 1.0]


@pytest.mark.parametrize("name", ["x" * 300, "hf:" + "x" * 300, "hf:org/" + "x" * 300, "a\0b", "hf:a\0b"])
def test_a_model_whose_name_can_be_no_path_stops_no_board(tmp_path: Path, name: str) -> None:
    items = bank()
    one = entry("m", [1.0] * 48, items)
    one.manifest.config["model"] = name
    Store(tmp_path).write(one, items)
    assert results(built(Store(tmp_path))[1])["m"]["accuracy"] == 1


def test_what_the_column_shows_is_what_a_comparison_shows(tmp_path: Path) -> None:
    """Scores between 0 and 1 move a mean by their squares, and a design effect below 1 is not believed."""
    items, store = bank(), Store(tmp_path)
    a = [0.75, 0.25] * 12 + [1.0] * 24
    b = [0.25, 0.75] * 12 + [0.0, 0.5] * 12  # within a template differences cancel: design effect below 1
    for name, scores in (("a", a), ("b", b)):
        store.write(entry(name, scores, items), items)
    sheet, data = built(store)
    apart = np.array(a) - np.array(b)
    assert design_effect(apart[:24], sheet.scores.clusters[:24]) < 1
    assert data["families"][KEY]["mdd"] == pytest.approx(
        detectable(48, (apart**2).mean(), design=max(1.0, design_effect(apart, sheet.scores.clusters)))
    )
    assert detectable_between([apart[:24]], sheet.scores.clusters[:24]) == detectable(24, 0.25)


def test_neighbours_are_adjusted_together_and_cochran_is_that_of_statsmodels(tmp_path: Path) -> None:
    _, data = built(filled(tmp_path))
    family = data["families"][KEY]
    order = [one["a"] for one in family["neighbours"]] + [family["neighbours"][-1]["b"]]
    means = dict(zip([f"m{i}" for i in range(6)], table().mean(axis=1), strict=True))
    assert order == sorted(means, key=lambda name: (-means[name], name))
    assert [(one["a"], one["b"]) for one in family["neighbours"]] == list(pairwise(order))
    for one in family["neighbours"]:
        assert one["difference"] == pytest.approx(means[one["a"]] - means[one["b"]])
    p = [one["p"] for one in family["neighbours"]]
    assert [one["p_holm"] for one in family["neighbours"]] == pytest.approx(multipletests(p, method="holm")[1])
    oracle = cochrans_q(table().T)
    assert (family["cochran"]["q"], family["cochran"]["p"]) == pytest.approx((oracle.statistic, oracle.pvalue))


def test_baselines_are_no_part_of_cochran(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "board.yaml").write_text("models: {m0: {access: baseline}, m1: {access: baseline}}")
    _, data = built(Store(store.folder))
    assert data["families"][KEY]["cochran"]["q"] == pytest.approx(cochrans_q(table()[2:].T).statistic)


def test_the_hardest_are_those_of_the_statistic_with_the_same_draws(tmp_path: Path) -> None:
    sheet, _ = built(filled(tmp_path))
    names = sorted(set(sheet.groups))
    for row, chances in zip(sheet.scores.values, sheet.hardest, strict=True):
        alone = shrinkage.hardest(row, sheet.scores.clusters, sheet.groups, draws=500)
        assert {one.name: one.chance for one in alone} == pytest.approx(dict(zip(names, chances, strict=True)))


def test_neither_the_order_of_adding_nor_other_columns_move_a_number(tmp_path: Path) -> None:
    items = bank()
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    rows = list(enumerate(table()))
    for store, order in ((one, rows), (other, rows[::-1])):
        for number, row in order:
            store.write(entry(f"m{number}", row.tolist(), items), items)
    audio = [item.model_copy(update={"id": f"a{item.id}"}) for item in items]
    other.write(entry("m0", table()[3].tolist(), audio, "audio"), audio)
    first, second = built(one)[1], boards.board(other, boards.sheets(other, Registry(), 500), Registry(), "2026")
    assert results({"models": second["models"]}) == results(first)
    assert second["families"][KEY] == first["families"][KEY]
    assert [column["key"] for column in second["columns"]] == [KEY, "toy-audio-1@audio:p"]


def test_facts_come_from_the_card_and_the_board_has_the_last_word(tmp_path: Path) -> None:
    items, registry = bank(), Registry()

    def known(model: str, own: Facts | None = None) -> Facts:
        one = entry(model, [1.0] * 48, items)
        one.manifest.config["model"] = model
        return boards.facts(one, own or Facts(), registry)

    qwen = known("qwen3-14b")
    assert (qwen.family, qwen.params_b, qwen.access) == ("Qwen", 14.77, "open")
    assert qwen.repository == "Qwen/Qwen3-14B"
    assert known("gpt-4o").access == "proprietary"
    assert known("akb-tiny").repository is None
    assert known("of-nobody") == Facts()
    assert known("qwen3-14b", Facts(params_b=15, family="Own")).params_b == 15


def test_categories_have_the_taxonomys_order_and_titles(tmp_path: Path) -> None:
    registry, items = Registry(), [
        item.model_copy(update={"category": category, "subcategory": sub})
        for item, (category, sub) in zip(
            bank(4), (("phonetic", "rhyme"), ("sound", "onomatopoeia"), ("sound", "animal-sounds"), ("odd", "x")),
            strict=True,
        )
    ]  # fmt: skip
    one = entry("m", [1.0] * 4, items)
    one.manifest.identity["task"]["name"] = "akb-open"
    one.manifest.identity["categories"] = registry.categories("akb-open")
    store = Store(tmp_path)
    store.write(one, items)
    (column,) = boards.board(store, boards.sheets(store, registry, 500), registry, "2026")["columns"]
    assert [c["title"] for c in column["categories"]] == ["Sound", "Phonetic", "odd"]
    assert [s["title"] for s in column["categories"][0]["subcategories"]] == ["Animal Sounds", "Onomatopoeia"]


def test_an_empty_board_and_one_of_unlike_entries_are_errors(tmp_path: Path) -> None:
    (tmp_path / "entries").mkdir()
    with pytest.raises(AkbError, match="empty"):
        boards.sheets(Store(tmp_path), Registry())
    items = bank()
    for name, part in (("a", items), ("b", items[:-1])):
        Store(tmp_path).write(entry(name, [1.0] * len(part), part), items)
    with pytest.raises(AkbError, match="b was not asked the items of a"):
        boards.sheets(Store(tmp_path), Registry())
