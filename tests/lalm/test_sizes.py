"""What a recipe takes, against what torch itself counts; and the two commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from lalm_models import recipe, whisper
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from training_parts import made, parted, session
from transformers import AutoConfig, AutoModelForCausalLM, WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder
from typer.testing import CliRunner

from akb import content
from akb.adapters import loading
from akb.adapters.cards import Card
from akb.cli.lalm import DEFAULT_GPU, app
from akb.errors import AkbError
from akb.lalm import checking, counting, saving, sizes
from akb.lalm.connector import Connector
from akb.lalm.data.rows import Row as Row_
from akb.lalm.encoder import Taps
from akb.lalm.kept import card_of, ear_of
from akb.lalm.model import Lalm
from akb.lalm.prompting import Row, collate
from akb.lalm.recipe import DataPart, Recipe, TrainPart, find
from akb.lalm.shapes import SHAPES, config_of
from akb.lalm.training import batching, memory
from akb.lalm.training.rows import Clip
from akb.registry import Registry

ROOTS = content.roots()
NAMES = ("desta-qwen2.5-7b", "desta-qwen3-14b", "desta-qwen3-8b", "desta-qwen3-4b", "desta-phi-4", "desta-phi-4-mini",
         "desta-olmo-3-7b", "desta-llama-3.1-8b")  # fmt: skip


def counted(name: str) -> tuple[Recipe, sizes.Counts, Card]:
    found = find(name, ROOTS)
    card = Registry().card(found.backbone)
    return found, sizes.counts(found, card), card


@pytest.mark.parametrize("name", NAMES)
def test_configurations_of_the_table_give_the_parameters_of_the_cards(name: str) -> None:
    """The cards' numbers were counted elsewhere, from the models' files."""
    _, of, card = counted(name)
    assert card.params_b is not None
    assert of.llm / 1e9 == pytest.approx(card.params_b, abs=0.006)
    assert of.encoder / 1e6 == pytest.approx(637, abs=0.5)  # of Whisper large-v3's 1,550 M


@pytest.mark.parametrize("name", [name for name, told in SHAPES.items() if told["model_type"] != "whisper"])
def test_numbers_that_are_written_out_are_those_that_torch_counts(name: str) -> None:
    found, own = counting.backbone(name, None, None, "")
    assert not own
    assert found == counting._backbone_by_torch(config_of(name, None, "")[0], None, "")


def test_the_encoders_numbers_that_are_written_out_are_those_that_torch_counts() -> None:
    name = "openai/whisper-large-v3"
    assert counting.ear(name, None, "")[0] == counting._ear_by_torch(config_of(name, None, "")[0])


def test_what_a_published_recipe_takes_is_told_without_torch() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from akb.cli.lalm import app\n"
        "done = CliRunner().invoke(app, ['show', 'desta-qwen2.5-7b', '--json'])\n"
        "print(done.exit_code, 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False", "False"]


def test_the_release_is_counted_as_published() -> None:
    """131.5 M trained parameters, about 258 k steps of 96 rows; of its 4,963,845 rows 512 are held out here."""
    found, of, _ = counted("desta2.5-audio")
    assert of.trained / 1e6 == pytest.approx(131.5, abs=0.1)
    assert sizes.steps(found) == 258_507
    assert of.frozen == of.llm + of.encoder


def test_parameters_of_folders_are_those_of_the_loaded_model(tmp_path: Path) -> None:
    several: list[dict[str, Any]] = [{}, {"lora": {"r": 2}}, {"encoder": {"trained": True}}]
    for changes in several:
        told = recipe(tmp_path, **changes)
        of, made = sizes.counts(told, card_of(told)), saving.untrained(told).model
        trained = sum(p.numel() for p in made.trained_parameters().values())
        norm_and_positions = 2 * 24 + 100 * 24 if told.encoder.trained else 0
        assert of.trained == trained + norm_and_positions
        assert of.trained + of.frozen == sum(p.numel() for p in made.parameters())
        assert of.from_files


MIDDLE: dict[str, Any] = {"hidden_size": 128, "num_hidden_layers": 4, "intermediate_size": 352, "vocab_size": 2000,
                          "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False}  # fmt: skip


def middle(folder: Path, length: int, **train: Any) -> tuple[Recipe, sizes.Counts, Lalm, Any]:
    """A model large enough that what grows with size outweighs the rest, and a batch of two rows."""
    config = AutoConfig.for_model("llama", **MIDDLE)
    config.save_pretrained(folder / "llm")
    ear = WhisperConfig(d_model=64, encoder_layers=4, encoder_attention_heads=4, encoder_ffn_dim=256, num_mel_bins=16,
                        max_source_positions=200)  # fmt: skip
    ear.save_pretrained(folder / "ear")
    told = recipe(folder, connector={"queries": 8, "layers": 3, "inner": 160, "dropout": 0.1},
                  train={"max_length": length, **train})  # fmt: skip
    of = sizes.counts(told, Card(name="llm", adapter="hf", model=str(folder / "llm")))
    torch.manual_seed(0)
    llm = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")
    taps = Taps(WhisperEncoder(ear), WhisperFeatureExtractor(feature_size=16, chunk_length=4))
    model = Lalm(llm, taps, Connector(of.shape)).train()
    row = Row(tuple(range(length)), (*[-100] * 8, *range(8, length)), (0,), ("a",))
    other = Row(row.ids, row.labels, row.places, ("b",))
    batch = collate([row, other], 0, features={key: torch.randn(16, 400) for key in "ab"})
    return told, of, model, batch


@pytest.mark.parametrize("length", [64, 256])
def test_operations_are_those_that_torch_counts(tmp_path: Path, length: int) -> None:
    """Attention by matrix products, which are counted whole; half of it, beyond the diagonal, is not needed."""
    told, of, model, batch = middle(tmp_path, length)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(batch)[0].backward()
    beyond = 3 * of.layers * 2 * of.width * length**2
    assert 2 * (sizes.row_flops(told, of) + beyond) == pytest.approx(counter.get_total_flops(), rel=0.1)


@pytest.mark.parametrize("length", [64, 256])
def test_activations_are_what_torch_keeps_and_at_most_half_as_much_again(tmp_path: Path, length: int) -> None:
    """The estimate holds the logits' gradient as well, which is there at the peak and is not kept."""
    told, of, model, batch = middle(tmp_path, length)
    kept: dict[int, int] = {}
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss, _ = model(batch)
    found = sizes.memory(told, of, 2).activations / sum(kept.values())
    assert loss.requires_grad
    assert 1 < found < 1.5, found


def test_memory_grows_with_rows_and_shrinks_by_checkpointing_and_what_fits_does() -> None:
    told, of, _ = counted("desta-qwen2.5-7b")
    assert sizes.memory(told, of, 12).whole > sizes.memory(told, of, 6).whole
    less = told.model_copy(update={"train": told.train.model_copy(update={"checkpointing": True})})
    assert sizes.memory(less, of, 12).activations < 0.5 * sizes.memory(told, of, 12).activations
    for room in (24e9, 40e9, 80e9):
        most = sizes.largest(told, of, room)
        assert sizes.memory(told, of, most).whole <= room < sizes.memory(told, of, most + 1).whole
    assert "train.micro_batch: " in sizes.what_fits(told, of, 40e9)
    assert "Nothing would" in sizes.what_fits(told, of, 8e9)


def test_time_is_shared_by_gpus_and_a_gpu_that_is_not_known_is_told() -> None:
    told, of, _ = counted("desta-qwen3-4b")
    one, eight = sizes.on_gpu(told, of, "a100-80g"), sizes.on_gpu(told, of, "A100-80G", 8)
    assert one.hours is not None
    assert eight.hours == pytest.approx(one.hours / 8)
    small = sizes.on_gpu(told, of, "RTX-4090")
    assert not small.fits
    assert 1 <= small.micro_batch < (told.train.micro_batch or 0)
    with pytest.raises(AkbError, match=r"no GPU is called 'H100'[\s\S]*H100-80G"):
        sizes.on_gpu(told, of, "H100")


def test_steps_are_not_known_without_rows_and_are_counted_from_the_data(tmp_path: Path) -> None:
    told = recipe(tmp_path)
    assert sizes.steps(told) is None
    assert sizes.steps(told, 9) == 12  # 5 epochs of 9 rows, 4 a step
    of = sizes.counts(told, card_of(told))
    assert sizes.on_gpu(told, of, "A100-80G").hours is None


def test_a_model_that_is_neither_at_hand_nor_in_the_table_is_an_error(tmp_path: Path) -> None:
    told = recipe(tmp_path).model_copy(update={"backbone": "hf:org/none"})
    with pytest.raises(AkbError, match="org/none is not at hand"):
        sizes.counts(told, card_of(told))


@pytest.mark.parametrize("name", NAMES)
def test_the_studys_recipes_fit_the_gpu_that_show_takes_by_default_alone_and_by_eight(name: str) -> None:
    told, of, _ = counted(name)
    for gpus in (1, 2, 4, 8):
        found = sizes.on_gpu(told, of, DEFAULT_GPU, gpus)
        assert found.fits
        assert batching.share(told.train, gpus, "").micro_batch == found.micro_batch == told.train.micro_batch


@pytest.mark.parametrize("devices", [1, 2, 3, 8, 16])
def test_a_micro_batch_that_is_recommended_can_be_set_and_fits(devices: int) -> None:
    told, of, _ = counted("desta-phi-4")
    for room in (50e9, 72e9, 120e9):
        found = re.search(r"train\.micro_batch: (\d+)\.", sizes.what_fits(told, of, room, devices))
        assert found is not None
        train = TrainPart.model_validate({**told.train.model_dump(), "micro_batch": int(found[1])})
        assert batching.share(train, devices, "").micro_batch == int(found[1])
        assert sizes.memory(told, of, int(found[1])).whole <= room
        wide = told.model_copy(update={"train": told.train.model_copy(update={"micro_batch": None})})
        on = sizes.on_gpu(wide, of, "H200", devices)
        assert batching.share(train.model_copy(update={"micro_batch": on.micro_batch}), devices, "")


def test_devices_that_cannot_share_a_batch_are_told() -> None:
    told, of, _ = counted("desta-phi-4")
    assert sizes.what_fits(told, of, 72e9, 7) == "Make train.batch a multiple of the 7 devices."
    with pytest.raises(AkbError, match=r"96 rows cannot be shared by 7 GPUs[\s\S]*multiple of 7"):
        sizes.on_gpu(told, of, "A100-80G", 7)


@pytest.mark.parametrize(("number", "per_clip"), [(124, 1), (124, 2), (9, 1), (18, 2), (2000, 1), (9000, 3)])
def test_rows_to_train_on_are_those_that_training_takes(number: int, per_clip: int) -> None:
    told = Recipe(name="r", backbone="b", data=DataPart(per_clip=per_clip))
    heard = [f"{n // per_clip}.wav" for n in range(number)]
    several = [Row_.model_validate({"messages": [{"role": "user", "content": "<|AUDIO|>", "audios": [{"audio": name}]}],
                                    "response": "x"}) for name in heard]  # fmt: skip
    clips = {name: Clip(Path(name), name, 1) for name in heard}
    train, _ = parted(several, clips, told.train.held_out, 42)
    assert sizes.learned_rows(told, number) == len(train)


def test_an_encoder_of_akbs_own_is_found_by_its_name_and_another_name_gets_did_you_mean(tmp_path: Path) -> None:
    told = recipe(tmp_path, encoder={"model": "lab-encoder"})
    assert told.encoder.model == "lab-encoder"
    assert ear_of(told) == str(content.builtin() / "lalm" / "lab-encoder")
    assert sizes.counts(told, card_of(told)).ear_layers == 4
    whisper(tmp_path / "own" / "lalm" / "my-ear")
    mine = told.model_copy(update={"encoder": told.encoder.model_copy(update={"model": "my-ear"})})
    assert ear_of(mine, [tmp_path / "own"]) == str(tmp_path / "own" / "lalm" / "my-ear")
    with pytest.raises(AkbError, match=r"encoder\.model: no encoder is called 'my-ear'"):
        sizes.counts(mine, card_of(told))
    wrong = told.model_copy(update={"encoder": told.encoder.model_copy(update={"model": "lab-encodr"})})
    with pytest.raises(AkbError, match=r"Did you mean lab-encoder"):
        saving.untrained(wrong)


# -- commands --


def run(*args: str) -> Any:
    return CliRunner().invoke(app, list(args), catch_exceptions=False)


def test_show_lists_recipes_and_tells_what_one_takes() -> None:
    assert "desta2.5-audio" in run("show").stdout
    told = run("show", "desta-qwen2.5-7b", "--gpu", "A100-80G,H100-80G", "--gpus", "8").stdout
    for part in (
        "130.88 M",
        "26,015 of 96 rows",
        "500,000, 499,488 of them",
        "8 x A100-80G",
        "8 x H100-80G",
        "35% of the peak",
        "from a table",
    ):
        assert part in told
    found = json.loads(run("show", "desta-qwen2.5-7b", "--json").stdout)
    assert found["steps"] == 26_015
    assert found["gpus"][0]["gpu"] == "A100-80G"


def test_show_counts_the_data_that_was_made(tmp_path: Path) -> None:
    recipe(tmp_path)
    made = tmp_path / "lalms" / "tiny" / "data"
    made.mkdir(parents=True)
    (made / "train.jsonl").write_text("{}\n" * 10)
    assert "10 (made)" in run("show", "tiny.yaml").stdout


def test_show_tells_small_sizes_in_units_that_suit_them_and_what_does_not_fit(tmp_path: Path) -> None:
    recipe(tmp_path, data={"rows": 124})
    told = run("show", "tiny.yaml").stdout
    for part in ("(43.30 k, frozen)", "124, 122 of them to train on", "153 of 4 rows", "at most 73.44 k", " kB",
                 "less than a minute"):  # fmt: skip
        assert part in told
    assert " 0.0" not in told
    large = run("show", "desta-phi-4", "--gpu", "RTX-4090,L40S", "--gpus", "8").stdout
    assert "does not fit: 36.40 GB of 24.00 GB with one row at once" in large
    assert "GB with 2 rows at once" in large
    assert "(set train.micro_batch: 2; the recipe's own will not do)" in large
    assert large.count("about") == 1


def test_a_misspelt_field_within_a_part_gets_did_you_mean(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: r\nbackbone: b\ntrain: {stpes: 5}\nlora: {alpah: 2}\nbackbnoe: c\n"
                                     "data: {generation: {sede: 1}}\n")  # fmt: skip
    with pytest.raises(AkbError) as error:
        find(str(tmp_path / "r.yaml"), ROOTS)
    for wrong, meant in (("train.stpes", "train.steps"), ("lora.alpah", "lora.alpha"), ("backbnoe", "backbone"),
                         ("data.generation.sede", "data.generation.seed")):  # fmt: skip
        assert f"{wrong}: there is no such field; did you mean {meant}?" in str(error.value)


def test_show_and_check_take_the_changes_that_training_takes(tmp_path: Path) -> None:
    recipe(tmp_path, train={"batch": 4, "micro_batch": 4, "max_length": 60, "precision": "fp32"})
    changes = ("--set", "train.micro_batch=2", "--set", "train.max_length=50")
    shown = json.loads(run("show", "tiny.yaml", *changes, "--json").stdout)
    checked = json.loads(run("check", "tiny.yaml", *changes, "--json").stdout)
    assert (shown["recipe"]["train"]["micro_batch"], shown["gpus"][0]["micro_batch"]) == (2, 2)
    assert (checked["rows"], checked["tokens"]) == (2, 50)
    for command in (("show",), ("check",), ("report",)):
        with pytest.raises(AkbError, match=r"train\.micro: there is no such field"):
            run(*command, "tiny.yaml", "--set", "train.micro=2")
    with pytest.raises(AkbError, match="changes are of one recipe"):
        run("show", "--set", "train.lr=1")


@pytest.mark.parametrize("command", ["show", "check"])
def test_heads_that_cannot_share_the_encoders_width_are_told(tmp_path: Path, command: str) -> None:
    recipe(tmp_path, connector={"heads": 7})
    with pytest.raises(AkbError, match=r"recipe tiny: connector: connector\.heads is 7, and an encoder's width of 24"):
        run(command, "tiny.yaml")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_check_takes_two_steps_of_the_longest_rows(tmp_path: Path, precision: str) -> None:
    recipe(tmp_path, train={"precision": precision, "batch": 4, "micro_batch": 2, "max_length": 60})
    found = json.loads(run("check", "tiny.yaml", "--json").stdout)
    assert (found["rows"], found["tokens"], found["device"]) == (2, 60, "cpu")
    assert len(found["losses"]) == len(found["seconds"]) == 2
    assert found["losses"][0] != found["losses"][1]
    assert found["step_seconds"] == pytest.approx(2 * found["seconds"][1])
    assert found["peak"] > 0
    assert (found["placeholder"], found["end"]) == ("<|video_pad|>", "<|im_end|>")
    assert "2 steps of 2 x 60 tokens" in run("check", "tiny.yaml").stdout


def test_too_little_memory_is_told_with_what_would_fit_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = recipe(tmp_path, train={"batch": 64, "micro_batch": 64})
    of = sizes.counts(told, card_of(told))
    room = int(sizes.memory(told, of, 9).whole / sizes.HEADROOM)
    monkeypatch.setattr(checking, "untrained", None)
    with pytest.raises(AkbError, match=r"64 rows at a time[\s\S]*Set train\.micro_batch: 8\."):
        checking.check(told, most=room)
    with pytest.raises(AkbError, match="Nothing would"):
        checking.check(told, most=1000)


def full_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


def full_cpu() -> None:
    torch.empty(10**16)


@pytest.mark.parametrize("full", [full_gpu, full_cpu])
@pytest.mark.parametrize("where", ["steps", "read", "moved"])
def test_memory_that_runs_out_on_the_way_is_told_too(
    where: str, full: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Model:
        def to(self, device: str) -> None:
            full()

    def fails(*_: Any, **__: Any) -> Any:
        if where == "moved":
            loading.moved(Model(), "cpu", "backbone")
        with loading.explained_load("backbone", "model") if where == "read" else nullcontext():
            full()

    told = recipe(tmp_path)
    monkeypatch.setattr(checking, "_steps" if where == "steps" else "untrained", fails)
    with pytest.raises(AkbError, match=r"2 rows at a time do not fit[\s\S]*train\."):
        checking.check(told)


def test_another_fault_on_the_way_is_not_taken_for_too_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(checking, "_steps", fails)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        checking.check(recipe(tmp_path))


def test_check_and_training_need_the_same_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the one refuses the other refuses, in the same words."""
    made(tmp_path)
    told = session(tmp_path).recipe
    monkeypatch.setattr(checking, "free", lambda device: 100_000)
    monkeypatch.setattr(memory, "free", lambda device: 100_000)
    said = []
    for run in (lambda: checking.check(told, device="cpu"), session(tmp_path).run):
        with pytest.raises(AkbError, match="GB are needed for 2 rows at a time") as error:
            run()
        said.append(str(error.value))
    assert said[0] == said[1]


def test_a_loss_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    told = recipe(tmp_path, train={"lr": 1e30, "clip": None})
    with pytest.raises(AkbError, match=r"the loss is .*(nan|inf)"):
        checking.check(told)
