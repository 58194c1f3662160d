"""The grounded model: what the backbone reads, the loss, what is trained, saving and loading."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from lalm_models import BANDS, KINDS, WIDTH, backbone, extractor, llm, recipe, whisper, whisper_config
from torch.nn import functional
from transformers.models.whisper.modeling_whisper import WhisperEncoder
from turns import turns_of

from akb.errors import AkbError
from akb.lalm import saving
from akb.lalm.connector import Connector
from akb.lalm.encoder import Taps
from akb.lalm.kept import card_of
from akb.lalm.model import Lalm, with_lora
from akb.lalm.prompting import Batch, Row, collate
from akb.lalm.recipe import LoraPart
from akb.lalm.shapes import Shape
from akb.strict import read_jsonl

QUERIES, SPARE = 3, 9


def lalm(kind: str = "qwen2", **options: Any) -> Lalm:
    torch.manual_seed(2)
    ear = Taps(WhisperEncoder(whisper_config()).eval(), extractor())
    shape = Shape(4, 24, 4, WIDTH, QUERIES, 2, 40, 0.0)
    return Lalm(llm(kind), ear, Connector(shape), **options)


def row(length: int, places: tuple[int, ...], clips: tuple[str, ...], response: int, seed: int) -> Row:
    ids = torch.randint(10, 400, (length,), generator=torch.Generator().manual_seed(seed)).tolist()
    for place in places:
        ids[place : place + QUERIES] = [SPARE] * QUERIES
    labels = [-100] * (length - response) + ids[length - response :] if response else []
    return Row(tuple(ids), tuple(labels), places, clips)


def rows(response: int = 4) -> list[Row]:
    return [row(20, (3, 9), ("a", "b"), response, 0), row(13, (), (), response, 1), row(17, (5,), ("a",), response, 2)]


def features() -> dict[str, torch.Tensor]:
    return {key: torch.randn(BANDS, 200, generator=torch.Generator().manual_seed(n)) for n, key in enumerate("ab")}


def by_hand(model: Lalm, one: Row) -> torch.Tensor:
    """The embeddings of one row, put together one by one."""
    found = [model.llm.get_input_embeddings()(torch.tensor([token]))[0] for token in one.ids]
    assert model.encoder is not None
    for place, key in zip(one.places, one.clips, strict=True):
        vectors = model.connector(model.encoder(features()[key][None]))[0]
        found[place : place + QUERIES] = list(vectors)
    return torch.stack(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_together_rows_give_the_logits_that_each_gives_alone(kind: str, side: Any) -> None:
    model, several = lalm(kind), rows()
    batch = collate(several, 1, side, features=features())
    logits = model.logits(batch)
    for number, one in enumerate(several):
        with torch.no_grad():
            alone = model.llm(inputs_embeds=by_hand(model, one)[None]).logits[0]
        torch.testing.assert_close(logits[number][batch.attention[number].bool()], alone, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_without_audio_it_is_the_backbone_itself(kind: str) -> None:
    """Also for backbones that scale their embeddings (Gemma, Granite)."""
    model, one = lalm(kind), row(15, (), (), 0, 5)
    with torch.no_grad():
        expected = model.llm(torch.tensor([one.ids])).logits
    torch.testing.assert_close(model.logits(collate([one], 1)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_plain_one_over_all_logits_and_so_is_its_gradient(kind: str) -> None:
    model = lalm(kind)
    batch = collate(rows(), 1, features=features())
    loss, count = model.loss(batch)
    logits = model.llm(inputs_embeds=model.embeds(batch), attention_mask=batch.attention).logits
    assert batch.labels is not None
    plain = functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=-100)
    assert count == 12
    torch.testing.assert_close(loss, plain, rtol=1e-5, atol=1e-5)
    parameters = list(model.trained_parameters().values())
    for a, b in zip(torch.autograd.grad(loss, parameters), torch.autograd.grad(plain, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_the_output_layer_computes_labelled_places_alone() -> None:
    model, seen = lalm(), list[tuple[int, ...]]()
    head = model.llm.get_output_embeddings()
    head.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape)))
    model.loss(collate(rows(), 1, features=features()))
    assert seen == [(1, 12, WIDTH)]
    model.logits(collate(rows(), 1, features=features()))
    assert seen[-1] == (3, 20, WIDTH)


def test_taps_that_were_kept_give_what_the_encoder_gives_and_a_clip_is_encoded_once() -> None:
    model, heard = lalm(), list[int]()
    assert model.encoder is not None
    ear = model.encoder
    ear.encoder.conv1.register_forward_hook(lambda _, inputs, __: heard.append(len(inputs[0])))
    fresh, _ = model.loss(collate(rows(), 1, features=features()))
    assert heard == [2]
    taps = {key: ear(one[None])[:, 0].detach() for key, one in features().items()}
    kept, _ = Lalm(model.llm, None, model.connector).loss(collate(rows(), 1, taps=taps))
    torch.testing.assert_close(kept, fresh)


def test_the_connector_alone_is_trained_and_frozen_parts_stay_in_eval_mode() -> None:
    model = lalm("phi").train()
    assert all(name.startswith("connector.") for name in model.trained_parameters())
    assert model.connector.training
    assert model.encoder is not None
    assert not any(module.training for part in (model.llm, model.encoder) for module in part.modules())
    loss, _ = model.loss(collate(rows(), 1, features=features()))
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.trained_parameters().values())
    assert all(p.grad is None for p in [*model.llm.parameters(), *model.encoder.parameters()])


def test_an_encoder_that_is_trained_learns_all_that_its_taps_need_and_no_more() -> None:
    model = lalm(encoder_trained=True).train()
    loss, _ = model.loss(collate(rows(), 1, features=features()))
    loss.backward()
    trained = model.trained_parameters()
    assert {name.split(".")[2] for name in trained if name.startswith("encoder.")} == {"conv1", "conv2", "layers"}
    assert all(p.grad is not None for p in trained.values())


def test_a_training_step_makes_the_loss_smaller() -> None:
    model = lalm().train()
    batch = collate(rows(), 1, features=features())
    optimiser = torch.optim.AdamW(model.trained_parameters().values(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss, _ = model(batch)
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0] - 1


def test_checkpointing_gives_the_same_gradients_and_computes_layers_again() -> None:
    model, calls = lalm(), list[int]()
    batch = collate(rows(), 1, features=features())
    parameters = list(model.trained_parameters().values())
    model.train()
    plain = torch.autograd.grad(model.loss(batch)[0], parameters)
    model.checkpoint()
    model.train()
    model.llm.model.layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    again = torch.autograd.grad(model.loss(batch)[0], parameters)
    assert len(calls) == 2
    for a, b in zip(plain, again, strict=True):
        torch.testing.assert_close(a, b)
    assert not model.llm.model.layers[0].mlp.training


def test_lora_begins_as_nothing_is_trained_beside_the_connector_and_alone_drops_out() -> None:
    model = lalm("llama")
    batch = collate(rows(), 1, features=features())
    before, _ = model.loss(batch)
    tuned = Lalm(with_lora(model.llm, LoraPart(r=2), 0, "recipe made"), model.encoder, model.connector)
    torch.testing.assert_close(tuned.loss(batch)[0], before)
    names = set(tuned.trained_parameters())
    assert {name.split(".")[0] for name in names} == {"connector", "llm"}
    assert sum("lora_A" in name for name in names) == 6
    tuned.train()
    assert {name.split(".")[-2] for name, module in tuned.llm.named_modules()
            if module.training and isinstance(module, torch.nn.Dropout)} == {"lora_dropout"}  # fmt: skip
    loss, _ = tuned.loss(batch)
    loss.backward()
    assert all(p.grad is not None for p in tuned.trained_parameters().values())


def test_lora_on_layers_that_are_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(AkbError, match=r"no layer called q_proj, k_proj, v_proj[\s\S]*qkv_proj"):
        with_lora(llm("phi3"), LoraPart(), 0, "recipe made")


def test_bf16_keeps_trained_weights_in_fp32_and_stays_near() -> None:
    model = lalm()
    batch = collate(rows(), 1, features=features())
    exact = float(model.loss(batch)[0].detach())
    model.llm.bfloat16()
    assert model.encoder is not None
    model.encoder.bfloat16()
    half = Lalm(model.llm, model.encoder, model.connector, precision="bf16")
    loss, _ = half.loss(batch)
    loss.backward()
    assert loss.dtype == torch.float32
    assert {p.dtype for p in half.trained_parameters().values()} == {torch.float32}
    assert float(loss.detach()) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("lora", [False, True])
def test_a_batch_without_audio_trains_what_reads_text_and_has_a_zero_gradient_elsewhere(lora: bool) -> None:
    model = lalm("llama").train()
    if lora:
        model = Lalm(with_lora(model.llm, LoraPart(r=2), 0, "recipe made"), model.encoder, model.connector).train()
    loss, _ = model.loss(collate([row(9, (), (), 4, 0)], 1))
    loss.backward()
    moved = {name.split(".")[0] for name, p in model.trained_parameters().items() if p.grad.abs().sum() > 0}
    assert moved == ({"llm"} if lora else set())


def test_nothing_labelled_is_an_error() -> None:
    with pytest.raises(ValueError, match="without labels"):
        lalm().loss(collate([row(9, (), (), 0, 0)], 1))
    blank = Row((1, 2, 3), (-100, -100, -100))
    with pytest.raises(ValueError, match="nothing in the batch"):
        lalm().loss(collate([blank], 1))


def grounded_batch(grounded: saving.Grounded) -> Batch:
    told = [{"role": "user", "content": "Which? <|AUDIO|>", "audios": [{"audio": "a", "text": "A bell."}]}]
    one = grounded.prompting.row(turns_of(told), "A drum.")
    return collate([one], grounded.prompting.fill, features=features())


@pytest.mark.parametrize("changes", [{}, {"lora": {"r": 2}}, {"encoder": {"trained": True}}])
def test_what_is_saved_is_what_is_trained_and_loads_to_the_same_loss(tmp_path: Path, changes: dict[str, Any]) -> None:
    made = saving.untrained(recipe(tmp_path, **changes))
    for parameter in made.model.trained_parameters().values():
        torch.nn.init.normal_(parameter, 0.0, 0.2)
    made.save(tmp_path / "kept")
    again = saving.load(tmp_path / "kept")
    batch = grounded_batch(made)
    assert torch.equal(again.model.loss(batch)[0], made.model.loss(batch)[0])
    from safetensors.torch import load_file

    assert set(load_file(tmp_path / "kept" / "model.safetensors")) == set(made.model.trained_parameters())
    assert Lalm.from_pretrained(tmp_path / "kept").trained_parameters().keys() == made.model.trained_parameters().keys()
    if not changes:
        assert {path.name for path in (tmp_path / "kept").iterdir()} == {"model.safetensors", "recipe.yaml",
                                                                         "config.json"}  # fmt: skip


def test_the_connectors_start_is_the_seeds_and_disturbs_no_other_draw(tmp_path: Path) -> None:
    told = recipe(tmp_path)
    torch.manual_seed(7)
    first = saving.untrained(told).model.connector.queries
    drawn = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(1), drawn)
    assert torch.equal(saving.untrained(told).model.connector.queries, first)
    other = told.model_copy(update={"seeds": told.seeds.model_copy(update={"weights": 1})})
    assert not torch.equal(saving.untrained(other).model.connector.queries, first)


@pytest.mark.parametrize("part", ["llm", "ear"])
def test_another_backbone_or_encoder_than_in_training_is_refused_and_the_same_elsewhere_is_not(
    tmp_path: Path, part: str
) -> None:
    saving.untrained(recipe(tmp_path)).save(tmp_path / "kept")
    moved = (tmp_path / part).rename(tmp_path / "elsewhere")
    named = {"backbone" if part == "llm" else "encoder": str(moved)}
    saving.load(tmp_path / "kept", **named)
    if part == "llm":
        backbone(tmp_path / part, seed=5)
    else:
        whisper(tmp_path / part, seed=5)
    with pytest.raises(AkbError, match="is another than it was trained with"):
        saving.load(tmp_path / "kept")


def test_weights_that_do_not_fit_are_listed(tmp_path: Path) -> None:
    made = saving.untrained(recipe(tmp_path))
    made.save(tmp_path / "kept")
    file = tmp_path / "kept" / "recipe.yaml"
    file.write_text(file.read_text().replace("queries: 3", "queries: 4").replace("layers: 2", "layers: 1"))
    with pytest.raises(AkbError, match=r"connector.queries is \(4, 3, 24\), wanted is \(4, 4, 24\)") as told:
        saving.load(tmp_path / "kept")
    assert "not wanted: connector.layers.1." in str(told.value)


def test_a_folder_that_holds_none_is_told_and_so_is_a_newer_format(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="holds no grounded model"):
        saving.load(tmp_path)
    saving.untrained(recipe(tmp_path)).save(tmp_path / "kept")
    file = tmp_path / "kept" / "config.json"
    told = json.loads(file.read_text())
    assert told["format"] == 2
    for form, message in ((3, r"by a later akb \(format 3; this one reads 2\)[\s\S]*train again"),
                          (1, r"by an earlier akb \(format 1; this one reads 2\)[\s\S]*akb lalm train"),
                          (None, "by an earlier akb")):  # fmt: skip
        file.write_text(json.dumps({key: value for key, value in {**told, "format": form}.items() if key != "card"}))
        with pytest.raises(AkbError, match=message):
            saving.load(tmp_path / "kept")


def test_a_number_of_thousands_of_digits_is_an_error_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{"a": ' + "1" * 5000 + "}\n")
    with pytest.raises(AkbError, match=r"rows\.jsonl:2: not valid JSON: a number has too many digits"):
        list(read_jsonl(file))


def test_a_disk_that_is_full_while_keeping_is_one_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    made = saving.untrained(recipe(tmp_path))
    made.save(tmp_path / "kept")
    then = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    torch.nn.init.normal_(made.model.connector.queries)
    with (
        full_disk(10_000),
        pytest.raises(AkbError, match=r"kept: the model cannot be written: File too large[\s\S]*room"),
    ):
        made.save(tmp_path / "kept")
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == then
    made.save(tmp_path / "kept")
    assert (tmp_path / "kept" / "model.safetensors").read_bytes() != then["model.safetensors"]
    (tmp_path / "file").write_text("")
    with pytest.raises(AkbError, match="the model cannot be written"):
        made.save(tmp_path / "file")


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes."""
    limits, was = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, was)


def test_a_backbone_that_runs_elsewhere_or_is_a_base_model_is_refused(tmp_path: Path) -> None:
    for name, message in [("gpt-4o", "one of transformers is wanted"), ("qwen3-4b-base", "base model")]:
        with pytest.raises(AkbError, match=message):
            card_of(recipe(tmp_path).model_copy(update={"backbone": name}))
