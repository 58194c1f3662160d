"""How many parameters backbones and encoders have: written out for published configurations, so that nothing large is
imported for them, else as torch counts them on modules without weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from akb.errors import missing_extra
from akb.lalm.recipe import LoraPart
from akb.lalm.shapes import config_of, published


@dataclass(frozen=True)
class Backbone:
    """Of a text model.

    Attributes:
        whole, lora, head, tokens: parameters: all but LoRA's, LoRA's, of the output layer, of the token embeddings.
        tied: the last two are the same.
        width, layers, inner, key_values, vocabulary: key_values is the width of its keys.
    """

    whole: int
    lora: int
    head: int
    tokens: int
    tied: bool
    width: int
    layers: int
    inner: int
    key_values: int
    vocabulary: int


@dataclass(frozen=True)
class Ear:
    """Of a Whisper's encoder: parameters, and its shape."""

    whole: int
    width: int
    layers: int
    heads: int
    positions: int


def backbone(name: str, revision: str | None, lora: LoraPart | None, where: str) -> tuple[Backbone, bool]:
    """A backbone's numbers, and whether they are from its own files.

    Raises:
        AkbError: its configuration is not at hand or cannot be read, or an extra is missing.
    """
    if lora is None and (told := published(name, revision)) is not None:
        return _backbone_by_hand(told), False
    wants_torch()
    config, own = config_of(name, revision, where)
    return _backbone_by_torch(config, lora, where), own


def ear(name: str, revision: str | None, where: str) -> tuple[Ear, bool]:
    """An encoder's numbers, and whether they are from its own files.

    Raises:
        AkbError: its configuration is not at hand or cannot be read, or an extra is missing.
    """
    if (told := published(name, revision)) is not None:
        return _ear_by_hand(told), False
    wants_torch()
    config, own = config_of(name, revision, where)
    return _ear_by_torch(config), own


def wants_torch() -> None:
    """That torch and transformers are installed.

    Raises:
        AkbError: one is not.
    """
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise missing_extra(package, "lalm", needed_for="akb lalm")


def _backbone_by_hand(told: Mapping[str, Any]) -> Backbone:
    """A decoder with gated layers and grouped attention; what kinds have beside one another's stands in `more`."""
    width, inner, layers = told["hidden_size"], told["intermediate_size"], told["num_hidden_layers"]
    each = told.get("head_dim") or width // told["num_attention_heads"]
    queries, keys = each * told["num_attention_heads"], each * told["num_key_value_heads"]
    more = {
        "llama": 0,
        "phi3": 0,
        "qwen2": queries + 2 * keys,  # biases
        "qwen3": 2 * each,  # norms of each head's queries and keys
        "olmo3": queries + keys,  # norms of all heads' queries and keys
    }[told["model_type"]]
    layer = width * (2 * queries + 2 * keys) + 3 * width * inner + 2 * width + more
    tokens = told["vocab_size"] * width
    whole = layers * layer + width + tokens * (1 if told["tie_word_embeddings"] else 2)
    return Backbone(whole, 0, tokens, tokens, told["tie_word_embeddings"], width, layers, inner, keys,
                    told["vocab_size"])  # fmt: skip


def _backbone_by_torch(config: Any, lora: LoraPart | None, where: str) -> Backbone:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        llm: Any = AutoModelForCausalLM.from_config(config)
        whole, head = _count(llm), llm.get_output_embeddings()
        embedded = llm.get_input_embeddings().weight
        if lora is not None:
            from akb.lalm.model import with_lora

            llm = with_lora(llm, lora, 0, where)
    inner = config.get_text_config()
    each = getattr(inner, "head_dim", None) or inner.hidden_size // getattr(inner, "num_attention_heads", 1)
    return Backbone(
        whole=whole,
        lora=_count(llm) - whole,
        head=0 if head is None else head.weight.numel(),
        tokens=embedded.numel(),
        tied=head is not None and head.weight is embedded,
        width=embedded.shape[1],
        layers=inner.num_hidden_layers,
        inner=getattr(inner, "intermediate_size", None) or 4 * embedded.shape[1],
        key_values=each * (getattr(inner, "num_key_value_heads", None) or getattr(inner, "num_attention_heads", 1)),
        vocabulary=embedded.shape[0],
    )


def _ear_by_hand(told: Mapping[str, Any]) -> Ear:
    """Two convolutions of three steps, positions, layers (keys have no bias), and a norm."""
    width, inner, positions = told["d_model"], told["encoder_ffn_dim"], told["max_source_positions"]
    convolutions = 3 * width * (told["num_mel_bins"] + width) + 2 * width
    layer = 4 * width * width + 3 * width + 2 * width * inner + inner + width + 4 * width
    whole = convolutions + positions * width + told["encoder_layers"] * layer + 2 * width
    return Ear(whole, width, told["encoder_layers"], told["encoder_attention_heads"], positions)


def _ear_by_torch(config: Any) -> Ear:
    import torch
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    with torch.device("meta"):
        whole = _count(WhisperEncoder(config))
    return Ear(whole, config.d_model, config.encoder_layers, config.encoder_attention_heads,
               config.max_source_positions)  # fmt: skip


def _count(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
