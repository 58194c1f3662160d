"""Training goes on after kill -9 as if nothing had been, and only as the training that it was."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lalm_models import backbone, whisper
from training_parts import log, losses, made, session, trained

from akb.errors import AkbError
from akb.files import LockedError, take_lock
from akb.lalm.training import record
from akb.lalm.training.checkpoints import Checkpoints, State
from akb.lalm.training.stopping import Stop

WHERE = Path("lalms/tiny/train")
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["training_parts", "transformers.models.qwen2", "accelerate", "peft"])


def train_in(folder: Path) -> None:
    """What the process to be killed does."""
    import torch

    torch.set_num_threads(1)
    os.chdir(folder)
    session(folder).run()


def killed_when(folder: Path, moment: Callable[[], bool], by: int = signal.SIGKILL) -> int | None:
    """Train in a process of its own until then, and kill it; its exit code."""
    process = PROCESSES.Process(target=train_in, args=(folder,))
    process.start()
    assert process.pid is not None
    ends = time.monotonic() + 120
    while not moment() and process.is_alive() and time.monotonic() < ends:
        time.sleep(0.001)
    os.kill(process.pid, by)
    process.join(120)
    return process.exitcode


def lines(folder: Path) -> int:
    file = folder / WHERE / "log.jsonl"
    return len(file.read_text().splitlines()) if file.exists() else 0


CHANGES: dict[str, dict[str, Any]] = {
    "taps on disk, with dropout": {"connector": {"dropout": 0.2}},
    "encoder in every step, LoRA": {"train": {"cache": "off"}, "lora": {"r": 2, "dropout": 0.1}},
    "encoder trained": {"encoder": {"trained": True}, "train": {"micro_batch": 4}},
}


@pytest.mark.parametrize("kind", CHANGES)
def test_killed_again_and_again_it_has_the_losses_of_one_that_was_not(kind: str, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    made(tmp_path / "whole", **CHANGES[kind])
    whole = trained(tmp_path / "whole")
    folder = tmp_path / "killed"
    made(folder, **CHANGES[kind])
    checkpoints = folder / WHERE / "checkpoints"
    moments: list[Callable[[], bool]] = [
        lambda: any((folder / "lalms").glob(".taps/*/*")) or lines(folder) >= 1,  # while taps are made
        lambda: lines(folder) >= 2,  # before there is a checkpoint
        lambda: lines(folder) >= 5,  # between checkpoints
        lambda: any(checkpoints.glob(".step-*.part")) or lines(folder) >= 12,  # while one is written
        lambda: lines(folder) >= 14,
    ]
    for moment in moments if kind.startswith("taps") else moments[3:]:
        assert killed_when(folder, moment) == -signal.SIGKILL
    assert lines(folder) < len(whole)
    assert losses(trained(folder)) == losses(whole)
    assert [line["step"] for line in whole] == list(range(1, 20))
    assert any("eval_loss" in line for line in whole)


def test_told_to_stop_it_keeps_the_step_that_it_is_at(tmp_path: Path) -> None:
    made(tmp_path, train={"save_every": 1000, "eval_every": 1000, "epochs": 200})
    assert killed_when(tmp_path, lambda: lines(tmp_path) >= 4, signal.SIGTERM) == 1
    steps = Checkpoints(tmp_path / WHERE / "checkpoints").steps()
    assert steps == [lines(tmp_path)]


def test_told_to_stop_while_it_gets_ready_it_stops_at_once() -> None:
    told: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Stop(told.append):
        signal.raise_signal(signal.SIGTERM)
    assert told == []
    with Stop(told.append) as stop, stop.finishing():
        signal.raise_signal(signal.SIGINT)
        assert stop.told
        assert len(told) == 1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / WHERE).mkdir(parents=True)
    lock = take_lock(tmp_path / WHERE)
    try:
        with pytest.raises(LockedError, match="another akb process") as error:
            session(tmp_path).run()
    finally:
        lock.release()
    assert "--out" not in str(error.value)


def test_what_stands_is_removed_when_the_new_training_can_begin_and_not_before(tmp_path: Path) -> None:
    made(tmp_path, train={"steps": 2})
    before = trained(tmp_path)
    steps = Checkpoints(tmp_path / WHERE / "checkpoints").steps()
    bad = record.changed(session(tmp_path).recipe, ["train.max_length=20"])
    with pytest.raises(AkbError, match="rows cannot be read"):
        session(tmp_path, recipe=bad, fresh=True).run()
    assert log(tmp_path) == before
    assert Checkpoints(tmp_path / WHERE / "checkpoints").steps() == steps
    assert session(tmp_path).run().result


def test_checkpoints_of_which_nothing_is_known_do_not_go_on(tmp_path: Path) -> None:
    made(tmp_path, train={"steps": 2})
    session(tmp_path).run()
    run = tmp_path / WHERE / "run.json"
    told = json.loads(run.read_text())
    run.unlink()
    with pytest.raises(AkbError, match=r"there are checkpoints and no run\.json"):
        session(tmp_path).run()
    told["recipe"]["train"]["lr"], told["result"] = 0.5, None  # a record that is of another training
    run.write_text(json.dumps(told))
    other = record.changed(session(tmp_path).recipe, ["train.lr=0.5"])
    with pytest.raises(AkbError, match="the checkpoint is of another training"):
        session(tmp_path, recipe=other).run()


def test_a_training_is_removed_checkpoints_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkpoints/step-3").mkdir(parents=True)
    (tmp_path / "run.json").write_text("{}")

    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", refused)
        with pytest.raises(AkbError, match="Permission denied"):
            record.clear(tmp_path)
    assert (tmp_path / "run.json").exists()
    record.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["backbone", "encoder"])
def test_with_another_backbone_or_encoder_it_does_not_go_on_nor_is_it_taken_for_done(what: str, tmp_path: Path) -> None:
    made(tmp_path, train={"steps": 2})
    session(tmp_path).run()
    if what == "backbone":
        backbone(tmp_path / "llm", seed=9)
    else:
        whisper(tmp_path / "ear", seed=9)
    with pytest.raises(AkbError, match=f"the {what} was .*sha256:.* and is .*sha256:"):
        session(tmp_path).run()


def test_a_training_of_an_earlier_akb_does_not_go_on(tmp_path: Path) -> None:
    made(tmp_path, train={"steps": 2})
    session(tmp_path).run()
    run = tmp_path / WHERE / "run.json"
    run.write_text(json.dumps({**json.loads(run.read_text()), "format": 1}))
    with pytest.raises(AkbError, match="an earlier akb began it"):
        session(tmp_path).run()


def test_a_changed_recipe_does_not_go_on_and_the_fields_are_named(tmp_path: Path) -> None:
    made(tmp_path, train={"epochs": 1})
    before = trained(tmp_path)
    recipe = session(tmp_path).recipe
    other = record.changed(recipe, ["train.lr=1e-3", "connector.queries=4"])
    with pytest.raises(AkbError, match=r"connector.queries was 3 and is 4; train.lr was 0.003 and is 0.001"):
        session(tmp_path, recipe=other).run()
    assert log(tmp_path) == before
    again = trained(tmp_path, recipe=other, fresh=True)
    assert len(again) == len(before)
    assert losses(again) != losses(before)


def test_changed_data_does_not_go_on(tmp_path: Path) -> None:
    made(tmp_path, train={"epochs": 1})
    trained(tmp_path)
    with (tmp_path / "lalms/tiny/data/train.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(AkbError, match=r"the data .* was changed"):
        session(tmp_path).run()


def test_a_finished_training_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, train={"epochs": 1})
    first = session(tmp_path).run()
    monkeypatch.setattr("akb.lalm.training.session.untrained", None)  # nothing is loaded
    assert session(tmp_path).run() == first


def test_without_data_it_says_how_it_is_made(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "lalms/tiny/data/train.jsonl").unlink()
    with pytest.raises(AkbError, match="akb lalm data tiny"):
        session(tmp_path).run()


def test_the_last_two_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    made(tmp_path, train={"epochs": 4, "lr": 0.05, "save_every": 1})
    lines = trained(tmp_path)
    evaluated = {line["step"]: line["eval_loss"] for line in lines if "eval_loss" in line}
    best = min(evaluated, key=lambda step: evaluated[step])
    assert Checkpoints(tmp_path / WHERE / "checkpoints").steps() == sorted({best, len(lines) - 1, len(lines)})


def test_a_checkpoint_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    made(tmp_path, train={"epochs": 1})
    trained(tmp_path)
    last = Checkpoints(tmp_path / WHERE / "checkpoints").steps()[-1]
    (tmp_path / WHERE / f"checkpoints/step-{last}/optimiser.pt").write_bytes(b"half of it")
    with pytest.raises(AkbError, match=f"step-{last}: the checkpoint cannot be read"):
        Checkpoints(tmp_path / WHERE / "checkpoints").read(last)


def test_where_there_is_no_room_for_a_checkpoint_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.zeros(100, 100))
    weight.grad = torch.ones_like(weight)
    optimiser = torch.optim.AdamW([weight])
    optimiser.step()
    checkpoints = Checkpoints(tmp_path)
    (tmp_path / ".step-7.part").mkdir()  # of a process that was killed
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for room in (10_000, 60_000):  # too little for the weights; for the optimiser, which is twice as large
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
            with pytest.raises(AkbError, match="cannot be written") as error:
                checkpoints.write(State(step=1), {"weight": weight.detach()}, optimiser.state_dict())
            assert "--out" not in error.value.fix
            assert list(tmp_path.iterdir()) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    checkpoints.write(State(step=1), {"weight": weight.detach()}, optimiser.state_dict())
    assert checkpoints.read(1)[2]["state"][0]["exp_avg"].shape == (100, 100)
