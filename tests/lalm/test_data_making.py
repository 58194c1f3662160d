"""Data from end to end: described, answered by the backbone, filtered, written; killed and added to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from data_parts import COST, GOOD, Backbone, asked, clips, lines, make, making, recipe
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "adapters"))  # the API servers of the adapters' tests

from apis import OPENAI, Asked, Reply, Server, server

from akb.calling import Budget
from akb.cli.lalm_data import data
from akb.errors import AkbError
from akb.files import file_sha256
from akb.lalm.data import contamination
from akb.lalm.data.filtering import FILTERS
from akb.lalm.data.preparing import wanted
from akb.lalm.data.rows import read
from akb.types import Decoding, Generate

_ = server  # a fixture
HERE = Path(__file__).parent


# -- from end to end -----------------------------------------------------------------------------------------------


def test_rows_hold_what_the_backbone_said_of_the_description_with_the_audio_in_its_place(tmp_path: Path) -> None:
    backbone = Backbone(tmp_path / "log")
    generation = {"temperature": 0.5, "top_p": 0.75, "seed": 3}
    report = make(recipe(clips(tmp_path / "in"), per_clip=2, generation=generation), backbone, tmp_path / "out")
    rows = list(read(tmp_path / "out" / "train.jsonl"))
    assert report["rows"] == {"wanted": 12, "kept": 12, "dropped": 0}
    assert report["clips"] == {"speech": 2, "sound": 2, "music": 2}
    assert len({row.id for row in rows}) == len({(row.id.partition("#")[0], row.prompt) for row in rows}) == 12
    by_message = {request.messages[-1].text: request for request in backbone.seen}
    for row in rows:
        request = by_message[f"<start_audio>{row.seed_description}<end_audio>\n\n{row.prompt}"]
        assert [turn.role for turn in request.messages] == ["system", "user"]
        assert isinstance(request, Generate)
        assert request.decoding == Decoding(512, 0.5, 0.75, seed=3)
        assert [turn.content for turn in row.messages] == [f"<|AUDIO|>\n\n{row.prompt}"]
        (clip,) = row.audios
        assert (row.audio_sha256, row.duration) == ((file_sha256(Path(clip.audio)),), 1.0)
        assert clip.text == (re.search(r"clip\d", row.seed_description) or [""])[0] * (row.kind == "speech")
        assert row.response.startswith(GOOD)
        assert row.seed_description not in row.response
    assert set(lines(tmp_path / "out" / "train.jsonl")[0]["messages"][0]["audios"][0]) == {"audio", "text"}
    told = json.loads((tmp_path / "out" / "report.json").read_text())
    assert told == report
    assert told["train_sha256"] == file_sha256(tmp_path / "out" / "train.jsonl")


def test_every_dropped_row_keeps_its_reason(tmp_path: Path) -> None:
    told = {"clip0": "error", "clip1": "cut", "clip2": "The description says that", "clip3": "[00:00-00:01] A voice"}
    backbone = Backbone(tmp_path / "log", told)
    report = make(recipe(clips(tmp_path / "in", 7)), backbone, tmp_path / "out")
    assert report["dropped"] == {"error": 1, "truncated": 1, "text": 1, "brackets": 1}
    assert report["rows"] == {"wanted": 7, "kept": 3, "dropped": 4}
    reasons = {drop["id"].partition("#")[0]: (drop["reason"], drop["seen"]) for drop in report["drops"]}
    assert reasons["clips/wav/0.wav"] == ("error", "the machine is tired")
    assert reasons["clips/wav/2.wav"] == ("text", "The description says")
    kept = {row.id.partition("#")[0] for row in read(tmp_path / "out" / "train.jsonl")}
    assert kept | set(reasons) == {f"clips/wav/{n}.wav" for n in range(7)}
    assert sum(report["kept"].values()) == 3


def test_errors_are_asked_again_and_what_was_answered_is_not(tmp_path: Path) -> None:
    log, made = tmp_path / "log", recipe(clips(tmp_path / "in"))
    assert make(made, Backbone(log, {"clip0": "error"}), tmp_path / "out")["dropped"] == {"error": 1}
    log.unlink()
    assert make(made, Backbone(log), tmp_path / "out")["dropped"] == {}
    assert len(asked(log)) == 4  # the batch that held it is computed again whole
    log.unlink()
    assert make(made, Backbone(log), tmp_path / "out")["rows"]["kept"] == 6
    assert asked(log) == []


def test_other_filters_need_no_asking(tmp_path: Path) -> None:
    log, path = tmp_path / "log", clips(tmp_path / "in")
    assert make(recipe(path), Backbone(log, {"clip1": "cut"}), tmp_path / "out")["rows"]["kept"] == 5
    count = len(asked(log))
    without = recipe(path, filters=[name for name in FILTERS if name not in ("truncated", "short")])
    assert make(without, Backbone(log), tmp_path / "out")["rows"]["kept"] == 6
    assert len(asked(log)) == count


# -- which rows ----------------------------------------------------------------------------------------------------


def test_fewer_rows_are_the_first_of_more_and_more_are_added_to_them(tmp_path: Path) -> None:
    log, path = tmp_path / "log", clips(tmp_path / "in", 9)
    few = make(recipe(path, per_clip=2), Backbone(log), tmp_path / "out", limit=5)
    first = lines(tmp_path / "out" / "train.jsonl")
    assert few["rows"]["kept"] == len(first) == len(asked(log)) == 5
    assert make(recipe(path, per_clip=2), Backbone(log), tmp_path / "out")["rows"]["kept"] == 18
    assert lines(tmp_path / "out" / "train.jsonl")[:5] == first
    assert len(set(asked(log))) == 18
    assert make(recipe(path, per_clip=2, rows=7), Backbone(log), tmp_path / "out")["rows"]["kept"] == 7
    assert lines(tmp_path / "out" / "train.jsonl")[:5] == first


def test_a_source_gives_as_many_rows_as_the_mix_says_from_all_over_it(tmp_path: Path) -> None:
    large, small = clips(tmp_path / "in", 40, "large"), clips(tmp_path / "in", 6, "small", start=100)
    made = making(recipe({"path": str(large), "rows": 10}, small), Backbone(tmp_path / "log"), tmp_path / "out")
    made.prepare()
    rows = [row.id for row in made.rows()]
    assert (sum(r.startswith("large/") for r in rows), sum(r.startswith("small/") for r in rows)) == (10, 6)
    places = [int(r.split("/")[2].partition(".")[0]) for r in rows if r.startswith("large/")]
    assert max(places) >= 20  # not the first ten
    assert places != sorted(places)
    again = [row.id for row in wanted(tmp_path / "out", made.sources, made.pool, 1, None, made.recipe.seeds.data)]
    assert again == rows
    assert [row.id for row in wanted(tmp_path / "out", made.sources, made.pool, 1, None, 7)] != rows
    order = [row.partition("#")[0] for row in rows]
    without_rows = tuple(source.model_copy(update={"rows": None}) for source in made.sources)
    for seed, same in ((made.recipe.seeds.data, True), (7, False)):  # the clips' order, and not the prompts alone
        other = [row.clip.id for row in wanted(tmp_path / "out", without_rows, made.pool, 1, None, seed)]
        assert ([name for name in other if name in order] == order) == same


def test_a_clip_that_is_described_otherwise_now_is_asked_again_alone(tmp_path: Path) -> None:
    log, path = tmp_path / "log", clips(tmp_path / "in")
    make(recipe(path), Backbone(log), tmp_path / "out")
    rows = lines(path)
    rows[3]["text"] = "other words"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    log.unlink()
    assert make(recipe(path), Backbone(log), tmp_path / "out")["rows"]["kept"] == 6
    assert 1 <= len(asked(log)) <= 4  # its batch
    held = [row for row in read(tmp_path / "out" / "train.jsonl") if "3.wav" in row.id]
    assert [row.audios[0].text for row in held] == ["other words"]


def test_another_model_or_another_generation_does_not_go_on_with_the_data(tmp_path: Path) -> None:
    path = clips(tmp_path / "in")
    make(recipe(path), Backbone(tmp_path / "log"), tmp_path / "out")
    before = (tmp_path / "out" / "train.jsonl").read_bytes()
    with pytest.raises(AkbError, match=r"made otherwise; they differ in .*model"):
        make(recipe(path), Backbone(tmp_path / "log", model="other"), tmp_path / "out")
    with pytest.raises(AkbError, match="temperature"):
        make(recipe(path, generation={"temperature": 0.7}), Backbone(tmp_path / "log"), tmp_path / "out")
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == before
    report = make(recipe(path), Backbone(tmp_path / "log", model="other"), tmp_path / "out", fresh=True)
    assert report["rows"]["kept"] == 6


def test_a_writer_that_is_not_the_backbone_is_told_of(tmp_path: Path) -> None:
    made = recipe(clips(tmp_path / "in"))
    assert "note" not in make(made, Backbone(tmp_path / "log"), tmp_path / "a")
    report = make(made, Backbone(tmp_path / "log"), tmp_path / "b", writer="openai:another")
    assert (report["backbone"], report["writer"]) == ("akb-reader", "openai:another")
    assert "teaches less well" in report["note"]


# -- killed, and paid ----------------------------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from akb.lalm.data import trainable
from data_parts import Backbone, make, recipe
trainable.prompting_for = lambda *_: None  # torch is slow to load
root = Path(sys.argv[2])
make(recipe(root / "in" / "clips.jsonl"), Backbone(root / "log", pause=float(sys.argv[3])), root / "out")
"""


def child(root: Path, pause: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CHILD, str(HERE), str(root), str(pause)], text=True)


def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_rows(tmp_path: Path) -> None:
    root, count = tmp_path / "killed", 24
    clips(root / "in", count)
    process = child(root, 0.3)
    until = time.monotonic() + 60
    while len(asked(root / "log")) < 10 and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = len(asked(root / "log"))
    recorded = len(lines(root / "out" / "responses.jsonl"))
    assert 4 <= recorded < count
    assert not (root / "out" / "train.jsonl").exists()
    assert child(root, 0.0).wait(60) == 0
    assert len(asked(root / "log")) - before == count - recorded // 4 * 4  # nothing but the batches that were missing
    make(recipe(root / "in" / "clips.jsonl"), Backbone(tmp_path / "log"), tmp_path / "whole")
    mine, whole = ([row.model_dump() for row in read(p / "train.jsonl")] for p in (root / "out", tmp_path / "whole"))
    assert mine == whole


@pytest.fixture
def spoken(server: Server) -> Server:
    """A server that answers and counts."""
    pytest.importorskip("openai")

    def answer(asked: Asked) -> Reply:
        return OPENAI.ok(f"{GOOD} Heard {len(server.asked)} times.")

    server.answer = answer
    return server


def cli(*args: object) -> Any:
    app = typer.Typer()
    app.command()(data)
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe in a file; no evaluation is compared (that of the laboratory would first be rendered)."""
    monkeypatch.setattr(contamination, "TASKS", ("mmau",))
    clips(tmp_path / "in")
    path = tmp_path / "toy.yaml"
    path.write_text(
        "name: toy\nbackbone: akb-tiny\ndata:\n  manifests: [in/clips.jsonl]\n  generation: {max_tokens: 40}\n"
    )
    return path


def test_a_server_that_runs_the_backbone_writes_the_data(toy: Path, spoken: Server) -> None:
    prices = "model.prices={input: 1000.0, output: 1000.0}"
    reach = ("--with", "openai:m-1", "--set", f"model.base_url={spoken.url}/v1", "--set", "model.key_env=AKB_TEST_KEY",
             "--set", prices)  # fmt: skip
    foreseen = json.loads(cli(toy, *reach, "--dry-run", "--json").stdout)
    assert (foreseen["requests"], foreseen["reply tokens, at most"], spoken.asked) == (6, 240, [])
    assert foreseen["cost at most, $"] > 0.1
    assert foreseen["first"].count("<start_audio>[00:00-00:01]") == 1
    stopped = cli(toy, *reach, "--max-cost", "0.0001")
    assert isinstance(stopped.exception, AkbError)
    assert spoken.asked == []
    done = cli(toy, *reach, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["rows"]["kept"], len(spoken.asked)) == (6, 6)
    assert told["usage"]["model"]["cost"] == pytest.approx(6 * 18 / 1000)
    body = spoken.asked[0].body
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    assert "drops" not in told
    assert cli(toy, *reach).exit_code == 0
    assert len(spoken.asked) == 6


def test_what_was_spent_before_it_was_interrupted_counts_in_the_budget(tmp_path: Path) -> None:
    made = recipe(clips(tmp_path / "in"))
    make(made, Backbone(tmp_path / "log"), tmp_path / "out", limit=4)
    budget = Budget(5.0)
    make(made, Backbone(tmp_path / "log"), tmp_path / "out", budget=budget)
    assert budget.spent == 4 * COST


def test_the_embedded_model_writes_data_as_its_own_backbone(toy: Path) -> None:
    toy.write_text(toy.read_text() + "  filters: []\n")  # it has little to say
    done = cli(toy, "--limit", "4")
    assert done.exit_code == 0, (done.output, done.exception)
    rows = lines(Path("lalms/toy/data/train.jsonl"))
    report = json.loads(Path("lalms/toy/data/report.json").read_text())
    assert report["rows"] == {"wanted": 4, "kept": 4, "dropped": 0}
    assert len(rows) == 4
    assert all(row["response"] for row in rows)
    assert "clips: 2 speech, 2 sound, 2 music" in done.output
    assert "not compared: mmau" in done.output
    told = (report["limit"], report["generation"]["max_tokens"], report["marks"])
    assert told == (4, 40, ["<start_audio>", "<end_audio>"])


def test_settings_that_are_the_recipes_are_refused_on_the_command_line(toy: Path) -> None:
    done = cli(toy, "--set", "protocol.max_tokens=3")
    assert isinstance(done.exception, AkbError)
    assert "protocol.KEY=VALUE has no meaning here" in str(done.exception)


def test_the_report_tells_by_what_rows_were_drawn_and_which_version_wrote_them(tmp_path: Path) -> None:
    class Versioned(Backbone):
        def fingerprint(self) -> Mapping[str, Any]:
            return {**super().fingerprint(), "revision": "c0ffee"}

    told = recipe(clips(tmp_path / "in", 2), per_clip=2)
    told = told.model_copy(update={"seeds": told.seeds.model_copy(update={"data": 7})})
    report = make(told, Versioned(tmp_path / "log"), tmp_path / "out")
    assert (report["revision"], report["per_clip"], report["seed"]) == ("c0ffee", 2, 7)
    assert make(recipe(clips(tmp_path / "in", 2)), Backbone(tmp_path / "log"), tmp_path / "o")["revision"] is None
