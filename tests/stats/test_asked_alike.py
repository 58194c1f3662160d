"""Runs that were not asked alike are not compared, not correlated and not shown in one column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from test_compare import run
from typer.testing import CliRunner

from akb import columns, records
from akb.alike import HEARD, differences, is_baseline
from akb.cli import compare as command
from akb.errors import AkbError

app = typer.Typer()
app.command()(command.compare)

CAPTIONS = {"name": "ears", "temperature": 0, "sha256": "one"}
EARS = {"adapter": "ears/1", "model": "ears"}
PARTY = {"adapter": "hf/2", "model": "m"}
CASCADE: dict[str, Any] = {
    "listen": "caption:ears",
    "captions": CAPTIONS,
    "parties": {"model": PARTY, "captioner": EARS},
}
OTHERWISE = [
    ({"captions": CAPTIONS | {"sha256": "two"}}, "captions.sha256"),
    ({"captions": CAPTIONS | {"temperature": 1}}, "captions.temperature"),
    ({"parties": {"model": PARTY, "captioner": EARS | {"adapter": "ears/2"}}}, "others.captioner.adapter"),
    ({"prompt": {"question": "PROMPT"}}, "prompt"),
    ({"protocol": {"name": "q"}}, "protocol.name"),
    ({"seed": 1}, "seed"),
    ({"control": "choices-only"}, "control"),
    ({"task_args": {"all": True}}, "task_args"),
    ({"task": {"name": "toy", "version": "2"}}, "task.version"),
]


def compared(*args: object) -> str:
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False).stdout


@pytest.mark.parametrize(("change", "wrong"), OTHERWISE)
def test_what_was_asked_otherwise_is_neither_compared_nor_correlated(
    tmp_path: Path, change: dict[str, Any], wrong: str
) -> None:
    one, other = run(tmp_path, "a", [0, 1], **CASCADE), run(tmp_path, "b", [0, 0], **{**CASCADE, **change})
    with pytest.raises(AkbError, match=wrong):
        compared(one, other)
    finished = [finish(path) for path in (one, other)]
    with pytest.raises(AkbError, match=f"toy: b was not asked as a was: {wrong}"):
        columns.from_runs(finished, ["toy"])


def finish(path: Path) -> Path:
    manifest = records.read_manifest(path)
    records.write_manifest(path, manifest.model_copy(update={"status": "finished"}))
    return path


def test_the_model_itself_may_differ_and_across_listening_also_how_audio_reached_it(tmp_path: Path) -> None:
    told = run(tmp_path, "a", [0, 1], **CASCADE)
    parties = {"model": {"adapter": "api/1", "model": "n"}, "captioner": EARS}
    assert "a" in compared(told, run(tmp_path, "b", [0, 0], **{**CASCADE, "parties": parties}))
    heard = run(tmp_path, "c", [0, 0], listen="audio", parties={"model": PARTY})
    with pytest.raises(AkbError, match="captions"):
        compared(told, heard)
    assert "a, caption:ears" in compared(told, heard, "--across-listening")
    asked = run(tmp_path, "d", [0, 0], listen="audio", parties={"model": PARTY}, seed=4)
    with pytest.raises(AkbError, match="seed"):
        compared(told, asked, "--across-listening")


def test_captions_of_a_part_are_known_by_all_but_the_hash_over_all_clips(tmp_path: Path) -> None:
    whole, part = (
        records.read_manifest(run(tmp_path, name, [0, 0], **CASCADE | more))
        for name, more in (("a", {}), ("b", {"limit": 2, "captions": CAPTIONS | {"sha256": "two"}}))
    )
    assert differences(whole, part) == []
    part.identity["captions"]["temperature"] = 1
    assert [change.split(":")[0] for change in differences(whole, part)] == ["captions.temperature"]
    assert differences(whole, part, HEARD) == []


def test_baselines_are_no_models_to_correlate(tmp_path: Path) -> None:
    models = [finish(run(tmp_path, name, [0] * n + [1] * (4 - n), parties={"model": PARTY}))
              for n, name in enumerate("abc")]  # fmt: skip
    chance = finish(run(tmp_path, "random", [1, 1, 1, 0], parties={"model": {"adapter": "baseline/1"}}))
    assert is_baseline(records.read_manifest(chance))
    found = columns.from_runs([*models, chance], ["toy"])
    assert found.models == ("a", "b", "c")
    assert found.notes == ("runs of baselines are left out, for no model made them: 1",)
    assert columns.from_runs(models, ["toy"]).notes == ()
    with pytest.raises(AkbError, match="no run is of toy") as caught:
        columns.from_runs([chance], ["toy"])
    assert "nothing but baselines" in caught.value.fix


def test_one_large_template_is_warned_of(tmp_path: Path) -> None:
    for per, warned in ((20, True), (4, False)):
        folder = tmp_path / str(per)
        folder.mkdir()
        told = json.loads(compared(*(run(folder, name, [0, 1, 0] * 40, per) for name in "ab"), "--json"))
        assert any(f"one template holds {per} of the 120" in text for text in told["warnings"]) == warned
