"""Errata: a run asked before a fault was known is judged without the faulty questions, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from akb.cli.app import app
from akb.errors import AkbError
from akb.run import Run
from akb.scoring import rescore
from akb.tasks import errata

ITEM = {
    "version": 1, "category": "sound", "subcategory": "animal-sounds", "kind": "authored", "template_id": "t",
    "sources": [{"kind": "general", "ref": "general knowledge"}], "rationale": "r", "dialect": "", "reviews": [],
    "check": None, "canary": "c",
}  # fmt: skip
WRONG = {"item": "q-2", "version": 1, "what": "withdrawn", "why": "two keys", "date": "2026-01-01"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of four questions, of which the one always chosen is right in the first two; q-4 is in its version 2."""
    folder = tmp_path / "tasks" / "mine"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(
        'name: mine\nversion: "1"\nformat: item\nquestions: [q.jsonl]\nerrata: errata.jsonl\n'
    )
    rows = [
        ITEM | {"id": f"q-{n}", "question": f"Question {n}?", "options": [f"{c}{n}" for c in "abcd"],
                "answer": 0 if n < 3 else 1, "version": 2 if n == 4 else 1}
        for n in (1, 2, 3, 4)
    ]  # fmt: skip
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "errata.jsonl").write_text("")
    command = ["eval", "-m", "first", "-t", "mine", "-i", str(tmp_path), "--set", "protocol.order=given", "--no-cache"]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


def known(*rows: dict[str, object]) -> dict[str, errata.Erratum]:
    return {str(row["item"]): errata.Erratum.model_validate(row) for row in rows}


def test_faulty_questions_are_left_out_and_the_run_itself_is_as_it_was(run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix != ".lock"}
    assert Run.load(run).accuracy == 0.5
    judged = rescore(run, known=known(WRONG))
    assert judged.summary.rows[0].n == 3
    assert judged.accuracy == pytest.approx(1 / 3)
    assert "1 questions left out, which have errata: q-2" in judged.manifest.notes[-1]
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.suffix != ".lock"} == before


def test_a_question_asked_in_a_later_version_has_the_fault_no_more(run: Path) -> None:
    fault = WRONG | {"item": "q-4", "what": "changed"}
    assert rescore(run, known=known(fault)).summary.rows[0].n == 4
    assert rescore(run, known=known(fault | {"version": 2})).summary.rows[0].n == 3


def test_the_run_without_them_can_be_kept_and_is_another_run(run: Path, tmp_path: Path) -> None:
    saved = rescore(run, save=tmp_path / "kept", known=known(WRONG))
    again = Run.load(tmp_path / "kept")
    assert again.summary == saved.summary
    assert [trial.id for trial, _ in again.judged()] == ["q-1", "q-3", "q-4"]
    assert {name for name, _, _ in again.responses()} == {"q-1", "q-3", "q-4"}
    assert again.manifest.identity["left_out"] == ["q-2"]
    assert again.manifest.usage["model"].answered == 3


def test_errata_and_another_rule_go_together(run: Path) -> None:
    judged = rescore(run, {"extraction": "strict-letter"}, known=known(WRONG))
    assert judged.summary.rows[0].n == 3
    assert "strict-letter" in judged.manifest.protocol


def test_a_run_of_which_nothing_is_left_is_refused(run: Path) -> None:
    rows = [WRONG | {"item": f"q-{n}", "version": 9} for n in (1, 2, 3, 4)]
    with pytest.raises(AkbError, match="nothing is left to judge"):
        rescore(run, known=known(*rows))


def test_the_command_takes_the_errata_of_the_runs_task(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "akb.toml"
    config.write_text(f'include = ["{tmp_path}"]\n')
    monkeypatch.setenv("AKB_CONFIG", str(config))
    (tmp_path / "tasks" / "mine" / "errata.jsonl").write_text(json.dumps(WRONG) + "\n")
    plain, without = (CliRunner().invoke(app, ["score", str(run), "--json", *more]) for more in ([], ["--errata"]))
    assert json.loads(plain.stdout)[0]["rows"][0]["n"] == 4
    assert json.loads(without.stdout)[0]["rows"][0]["n"] == 3


@pytest.mark.parametrize(
    ("line", "what"),
    [("{", "not valid JSON"), (json.dumps(WRONG | {"what": "bad"}), "what"), ('{"item": "q"}', "version")],
)
def test_a_damaged_file_of_errata_is_one_clear_error(tmp_path: Path, line: str, what: str) -> None:
    (tmp_path / "errata.jsonl").write_text(line + "\n")
    with pytest.raises(AkbError) as caught:
        errata.read(tmp_path / "errata.jsonl")
    assert caught.value.where.endswith("errata.jsonl:1")
    assert what in caught.value.what
