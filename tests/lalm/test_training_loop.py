"""The training loop: losses and gradients of the whole batch, however it is cut; stops; what is kept."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lalm_models import recipe as tiny
from torch.nn import functional
from training_parts import finish, log, made, session, trained
from transformers import get_cosine_schedule_with_warmup
from typer.testing import CliRunner

from akb.audio import chunks
from akb.cli.app import app
from akb.errors import AkbError
from akb.lalm.prompting import IGNORED, collate
from akb.lalm.recipe import TrainPart
from akb.lalm.saving import load, untrained
from akb.lalm.training.checkpoints import Checkpoints
from akb.lalm.training.loop import Loop, rate
from akb.lalm.training.watching import FIRST, PATIENCE, Guard


def near(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for name in ("loss", "grad_norm", "eval_loss"):
            assert a.get(name, 0.0) == pytest.approx(b.get(name, 0.0), rel=5e-4), (a["step"], name)


@pytest.mark.parametrize("micro", [1, 2])
def test_cut_into_passes_a_batch_gives_the_same_losses_and_gradients(micro: int, tmp_path: Path) -> None:
    """Responses differ in length, so that a mean over the passes' means would not."""
    for name, size in (("whole", 4), ("cut", micro)):
        (tmp_path / name).mkdir()
        made(tmp_path / name, train={"micro_batch": size})
    near(trained(tmp_path / "cut"), trained(tmp_path / "whole"))


TOLD = """
import gc, os, torch
from torch import distributed
def seed(number, real=torch.manual_seed):
    open(f"seeds-{os.environ['RANK']}", "a").write(f"{number}\\n")
    return real(number)
def destroy(*args, real=distributed.destroy_process_group):
    shared = sum(type(one) is torch.nn.parallel.DistributedDataParallel for one in gc.get_objects())
    open(f"left-{os.environ['RANK']}", "a").write(f"{shared}\\n")
    return real(*args)
torch.manual_seed, distributed.destroy_process_group = seed, destroy
"""


def test_two_processes_give_the_same_losses_as_one_and_draw_other_dropout(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made(tmp_path / name, train={"micro_batch": 1})
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = finish(tmp_path / "two", "--json", launch=launch, first=TOLD)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout[done.stdout.index("{") :])["devices"] == 2
    near(log(tmp_path / "two"), trained(tmp_path / "one"))
    one, other = ((tmp_path / "two" / f"seeds-{rank}").read_text().split() for rank in (0, 1))
    passes = 2 * len(log(tmp_path / "two"))
    assert len({*one, *other} - ({*one} & {*other})) == 2 * passes  # what both draw is the weights at the start
    # The group goes once, and no model that holds it is there then: its end would wait for its own threads.
    assert [(tmp_path / "two" / f"left-{rank}").read_text() for rank in (0, 1)] == ["0\n", "0\n"]


def test_the_first_step_is_that_of_plain_torch_on_the_whole_batch(tmp_path: Path) -> None:
    """By hand: each row alone, all logits, one mean over all labels, Adam with decoupled decay."""
    made(tmp_path, train={"warmup": 0, "steps": 1, "epochs": 1, "clip": 0.1})
    doing = session(tmp_path)
    run = doing.run()
    lines = log(tmp_path)
    grounded = untrained(doing.recipe)
    data = doing._data(grounded, run)
    from akb.lalm.training.batching import Order

    train = doing.recipe.train
    order = Order(data.train.lengths, data.train.groups, train.batch, train.bucket, train.seed)
    model, total, count = grounded.model.train(), torch.zeros(()), 0
    assert model.encoder is not None
    for number in order.rows(0):
        row = data.train[number]
        features = {}
        for key in row.clips:
            path, _, piece = key.partition("#")
            sounds = chunks(path, model.encoder.policy)
            features[key] = model.encoder.features([sounds[int(piece or 0)]])[0]
        batch = collate([row], 0, features=features)
        logits = model.llm(inputs_embeds=model.embeds(batch)).logits
        labels = batch.labels
        assert labels is not None
        total = total + functional.cross_entropy(logits[0, :-1], labels[0, 1:], ignore_index=IGNORED, reduction="sum")
        count += int((labels != IGNORED).sum())
    loss = total / count
    loss.backward()
    parameters = list(model.trained_parameters().values())
    norm = torch.nn.utils.clip_grad_norm_(parameters, train.clip)
    optimiser = torch.optim.AdamW(parameters, lr=train.lr, betas=train.betas, weight_decay=train.weight_decay)
    optimiser.step()
    assert lines[0]["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert lines[0]["grad_norm"] == pytest.approx(float(norm), rel=1e-4)
    assert lines[0]["labelled"] == count
    assert run.steps == 1
    kept = load(tmp_path / "lalms/tiny/model").model.trained_parameters()
    for name, value in model.trained_parameters().items():
        torch.testing.assert_close(kept[name], value, rtol=1e-3, atol=2e-4)  # a step moves a weight by 3e-3


def test_it_learns_and_the_kept_model_has_the_loss_that_was_logged(tmp_path: Path) -> None:
    made(tmp_path, train={"epochs": 12, "lr": 0.01, "held_out": 0.2})  # several passes of rows of uneven length
    doing = session(tmp_path)
    run = doing.run()
    lines = log(tmp_path)
    assert sum(line["loss"] for line in lines[-5:]) < 0.9 * sum(line["loss"] for line in lines[:5])
    assert (doing.place / "loss.png").stat().st_size > 1000
    grounded = load(tmp_path / "lalms/tiny/model")
    ear, data = grounded.model.encoder, doing._data(grounded, run)
    assert ear is not None
    assert run.result is not None
    total = count = 0.0
    for number in range(len(data.held)):
        row = data.held[number]
        sounds = {key: chunks(key.partition("#")[0], ear.policy)[int(key.partition("#")[2] or 0)] for key in row.clips}
        batch = collate([row], 0, features={key: ear.features([sound])[0] for key, sound in sounds.items()})
        with torch.no_grad():
            loss, tokens = grounded.model.loss(batch)
        total, count = total + float(loss) * tokens, count + tokens
    assert run.result["eval_loss"] == pytest.approx(total / count, rel=1e-5)


def test_taps_from_disk_give_the_very_losses_that_the_encoder_gives_in_every_step(tmp_path: Path) -> None:
    made(tmp_path, train={"cache": "on"})
    kept = trained(tmp_path)
    recipe = session(tmp_path).recipe
    off = recipe.model_copy(update={"train": recipe.train.model_copy(update={"cache": "off"})})
    near(trained(tmp_path, recipe=off, fresh=True), kept)


def test_in_half_precision_it_learns(tmp_path: Path) -> None:
    made(tmp_path, train={"precision": "bf16", "epochs": 6, "lr": 0.01})
    run = session(tmp_path).run()
    lines = log(tmp_path)
    assert run.cache_dtype == "bfloat16"
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_an_encoder_that_is_trained_changes_and_is_kept(tmp_path: Path) -> None:
    made(tmp_path, encoder={"trained": True}, train={"epochs": 1})
    before = untrained(session(tmp_path).recipe).model.trained_parameters()
    run = session(tmp_path).run()
    after = load(tmp_path / "lalms/tiny/model").model.trained_parameters()
    assert run.cache == "the encoder is trained"
    names = [name for name in after if name.startswith("encoder.")]
    assert names
    assert all(not torch.equal(before[name], after[name]) for name in names if name.endswith("weight"))


def test_the_rate_is_the_cosine_of_transformers_after_a_warm_up_that_begins_above_zero() -> None:
    train = TrainPart(lr=0.5, warmup=0)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = get_cosine_schedule_with_warmup(optimiser, 0, 50)
    for step in range(50):
        assert rate(train, step, 50) == pytest.approx(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    warm = TrainPart(lr=1.0, warmup=4)
    assert [rate(warm, step, 50) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rate(warm, 49, 50) > 0


def test_a_loss_that_is_no_number_stops_with_the_checkpoint_kept(tmp_path: Path) -> None:
    made(tmp_path, train={"lr": 1e30, "warmup": 0, "clip": None, "save_every": 1, "epochs": 20})
    with pytest.raises(AkbError, match=r"(loss of step|gradient's norm at step|no finite numbers)") as error:
        session(tmp_path).run()
    assert "Lower train.lr" in error.value.fix
    assert "model" not in [path.name for path in (tmp_path / "lalms/tiny").iterdir()]


def test_a_gradient_that_is_no_number_stops() -> None:
    with pytest.raises(AkbError, match="the gradient's norm at step 7 is inf; the checkpoint of step 3 is kept"):
        Guard([], "recipe x").gradient(7, math.inf, "the checkpoint of step 3 is kept")


def test_a_training_looks_at_its_gradient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    monkeypatch.setattr("accelerate.Accelerator.clip_grad_norm_", lambda *_: torch.tensor(math.nan))
    with pytest.raises(AkbError, match="gradient's norm at step 1 is nan; there is no checkpoint yet"):
        session(tmp_path).run()


def test_a_loss_on_held_out_rows_that_is_no_number_is_not_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path)
    monkeypatch.setattr(Loop, "evaluate", lambda self: (math.nan, 7))
    with pytest.raises(AkbError, match="held-out rows after step 6 is nan; the checkpoint of step 3 is kept"):
        session(tmp_path).run()
    checkpoints = Checkpoints(tmp_path / "lalms/tiny/train/checkpoints")
    assert checkpoints.steps() == [3]
    assert checkpoints.read(3)[0].best is None


def test_a_loss_that_stays_high_is_divergence_and_one_peak_is_not() -> None:
    guard = Guard([1.0] * FIRST, "recipe x")
    for step in range(PATIENCE - 1):
        guard.loss(step, 3.5, "")
    guard.loss(PATIENCE, 1.0, "")
    for step in range(PATIENCE - 1):
        guard.loss(step, 9.0, "kept")
    with pytest.raises(AkbError, match=r"diverges: for 20 steps up to 19 .* running median of 1.000 .now 9.000"):
        guard.loss(19, 9.0, "kept")


def test_a_resumed_guard_remembers() -> None:
    with pytest.raises(AkbError, match="diverges"):
        Guard([1.0] * 50 + [5.0] * (PATIENCE - 1), "recipe x").loss(70, 5.0, "")


def test_too_little_memory_says_what_would_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)

    def full(self: Any, batch: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("akb.lalm.model.Lalm.loss", full)
    with pytest.raises(AkbError, match="2 rows at a time do not fit into the memory of cpu") as error:
        session(tmp_path).run()
    assert error.value.fix


def test_too_little_memory_is_told_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    monkeypatch.setattr("akb.lalm.training.memory.free", lambda device: 100_000)
    monkeypatch.setattr("akb.lalm.training.session.untrained", None)
    with pytest.raises(AkbError, match=r"GB are needed for 2 rows at a time, .* are free on cpu"):
        session(tmp_path).run()


def test_too_little_memory_for_the_encoder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)

    def full(self: Any, features: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("akb.lalm.encoder.Taps.forward", full)
    with pytest.raises(AkbError, match="16 clips at a time cannot be encoded in the memory of cpu") as error:
        session(tmp_path).run()
    assert "train.cache=off" in error.value.fix


@pytest.mark.parametrize(
    ("device", "said"),
    [("cuda:7", "'cuda:7' is no device"), ("tpu", "'tpu' is no device"), ("cuda", "torch finds no GPU here")],
)
def test_a_device_that_is_not_there_is_an_error(device: str, said: str, tmp_path: Path) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    made(tmp_path)
    with pytest.raises(AkbError, match=said) as error:
        session(tmp_path, device=device).run()
    assert "--device" in str(error.value)


def test_the_command_trains_with_changes_and_tells_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        done = CliRunner().invoke(app, ["lalm", "train", "tiny.yaml", "--device", "cpu", "--set", "train.epochs=1",
                                        "--limit-rows", "24", "--json"])  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["rows"] + told["held_out"], told["recipe"]["data"]["rows"]) == (24, 24)
    assert told["steps"] == len(log(tmp_path)) == math.ceil(told["rows"] / 4)
    assert told["result"]["model"].endswith("tiny/model")


@pytest.mark.parametrize(
    ("pair", "said"),
    [("train.lrr=1", "train.lrr: there is no such field"), ("trains.lr=1", "a recipe has no trains"),
     ("lr", "not a setting"), ("train.lr=fast", "train.lr: .*found 'fast'")],
)  # fmt: skip
def test_a_setting_that_is_none_is_told(pair: str, said: str, tmp_path: Path) -> None:
    from akb.lalm.training.record import changed

    with pytest.raises(AkbError, match=said):
        changed(tiny(tmp_path), [pair])


def test_a_tracker_is_told_of_losses(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    made(tmp_path, train={"epochs": 1})
    session(tmp_path, log_with="tensorboard").run()
    assert list((tmp_path / "lalms/tiny/train").rglob("events.out.*"))


def test_an_unknown_or_missing_tracker_is_an_error(tmp_path: Path) -> None:
    made(tmp_path, train={"epochs": 1})
    with pytest.raises(AkbError, match="--log-with"):
        session(tmp_path, log_with="nosuch").run()
