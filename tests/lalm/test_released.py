"""The released weights of DeSTA2.5-Audio by key: made weights of the same names, and small shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lalm_models import BANDS, recipe
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertEncoder

from akb.errors import AkbError
from akb.lalm import released, saving

QUERIES, LAYERS, WIDTH, LLM = 3, 2, 24, 32


def as_released(seed: int = 4) -> tuple[dict[str, Tensor], BertEncoder]:
    """Weights as the release names them: a BERT encoder with cross-attention, prompts and weights of layers, a
    projection."""
    torch.manual_seed(seed)
    config = BertConfig(
        hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=4, intermediate_size=40, is_decoder=True,
        add_cross_attention=True, attn_implementation="eager",
    )  # fmt: skip
    qformer, proj = BertEncoder(config).eval(), nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LLM))
    made = {f"qformer.{name}": value for name, value in qformer.state_dict().items()}
    made |= {f"proj.{name}": value for name, value in proj.state_dict().items()}
    made |= {f"layer_prompts.{tap}": torch.randn(1, QUERIES, WIDTH) for tap in range(4)}
    made["layer_weights"] = torch.randn(QUERIES, 4)
    return {f"perception.connector.{name}": value.clone() for name, value in made.items()}, qformer


def grounded(folder: Path, **changes: Any) -> saving.Grounded:
    return saving.untrained(recipe(folder, **changes))


def test_released_weights_load_by_key_and_compute_what_their_names_mean(tmp_path: Path) -> None:
    state, qformer = as_released()
    save_file(state, tmp_path / "released.safetensors")
    made = grounded(tmp_path)
    released.load(made, tmp_path / "released.safetensors")
    assert made.model.encoder is not None
    taps = made.model.encoder(torch.randn(2, BANDS, 200)).detach()
    told = {name.removeprefix("perception.connector."): value for name, value in state.items()}
    mixed = torch.zeros(())
    for tap, heard in enumerate(taps):
        prompts = told[f"layer_prompts.{tap}"].expand(2, -1, -1)
        out = qformer(prompts, encoder_hidden_states=heard).last_hidden_state
        mixed = mixed + out * told["layer_weights"].softmax(-1)[:, tap, None]
    normed = nn.functional.layer_norm(mixed, (WIDTH,), told["proj.0.weight"], told["proj.0.bias"])
    expected = normed @ told["proj.1.weight"].T + told["proj.1.bias"]
    torch.testing.assert_close(made.model.connector(taps), expected, rtol=1e-5, atol=1e-5)


def test_weights_in_several_files_of_a_folder_load_too(tmp_path: Path) -> None:
    state, _ = as_released()
    names = sorted(state)
    (tmp_path / "out").mkdir()
    save_file({name: state[name] for name in names[:9]}, tmp_path / "out" / "model-1.safetensors")
    save_file({name: state[name] for name in names[9:]}, tmp_path / "out" / "model-2.safetensors")
    made = grounded(tmp_path)
    released.load(made, tmp_path / "out")
    assert torch.equal(made.model.connector.mix, state["perception.connector.layer_weights"])


def test_every_tensor_of_ours_comes_from_the_release_and_every_one_of_theirs_is_used_once(tmp_path: Path) -> None:
    state, _ = as_released()
    connector = grounded(tmp_path).model.connector
    found = released.sources(connector.shape)
    assert set(found) == {name for name, _ in connector.named_parameters()}
    used = [f"perception.connector.{name}" for several in found.values() for name in several]
    assert sorted(used) == sorted(state)


def test_missing_and_unknown_keys_are_an_error_that_lists_them(tmp_path: Path) -> None:
    state, _ = as_released()
    state["llm_model.lora_A"] = state.pop("perception.connector.layer_weights")
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(AkbError) as told:
        released.load(grounded(tmp_path), tmp_path / "odd.safetensors")
    assert "1 missing: perception.connector.layer_weights" in str(told.value)
    assert "1 not known: llm_model.lora_A" in str(told.value)


def test_weights_for_another_backbone_are_told_by_their_shape(tmp_path: Path) -> None:
    state, _ = as_released()
    name = "perception.connector.proj.1.weight"
    state[name] = torch.zeros(40, WIDTH)
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(AkbError, match=r"connector\.project\.weight is \(40, 24\), wanted is \(32, 24\)"):
        released.load(grounded(tmp_path), tmp_path / "other.safetensors")
    with pytest.raises(AkbError, match="no weights"):
        released.load(grounded(tmp_path), tmp_path / "nowhere")
