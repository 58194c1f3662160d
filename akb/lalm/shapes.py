"""Shapes of what a recipe puts together, known without torch: configurations of backbones and encoders that recipes
name, for when their files are not at hand, where encoders are tapped, and the size of a connector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akb.adapters.snapshot import Snapshot
from akb.errors import AkbError
from akb.lalm.recipe import ConnectorPart

# by the number of blocks: Whisper large (v1 to v3), medium, small, tiny
TAPS = {32: (7, 15, 23, 31), 24: (5, 11, 17, 23), 12: (2, 5, 8, 11), 4: (0, 1, 2, 3)}
SETTING = "encoder.taps"

# From the configuration files on the hub. That they give the number of parameters on the models' cards is tested.
_QWEN3 = {"model_type": "qwen3", "head_dim": 128, "vocab_size": 151936, "num_key_value_heads": 8}
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "meta-llama/Llama-3.1-8B-Instruct": {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 14336,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False,
    },
    "Qwen/Qwen2.5-7B-Instruct": {
        "model_type": "qwen2", "hidden_size": 3584, "num_hidden_layers": 28, "intermediate_size": 18944,
        "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064, "tie_word_embeddings": False,
    },
    "Qwen/Qwen3-4B": {
        **_QWEN3, "hidden_size": 2560, "num_hidden_layers": 36, "intermediate_size": 9728, "num_attention_heads": 32,
        "tie_word_embeddings": True,
    },
    "Qwen/Qwen3-8B": {
        **_QWEN3, "hidden_size": 4096, "num_hidden_layers": 36, "intermediate_size": 12288, "num_attention_heads": 32,
        "tie_word_embeddings": False,
    },
    "Qwen/Qwen3-14B": {
        **_QWEN3, "hidden_size": 5120, "num_hidden_layers": 40, "intermediate_size": 17408, "num_attention_heads": 40,
        "tie_word_embeddings": False,
    },
    "microsoft/phi-4": {
        "model_type": "phi3", "hidden_size": 5120, "num_hidden_layers": 40, "intermediate_size": 17920,
        "num_attention_heads": 40, "num_key_value_heads": 10, "vocab_size": 100352, "tie_word_embeddings": False,
    },
    "microsoft/Phi-4-mini-instruct": {
        "model_type": "phi3", "hidden_size": 3072, "num_hidden_layers": 32, "intermediate_size": 8192,
        "num_attention_heads": 24, "num_key_value_heads": 8, "vocab_size": 200064, "tie_word_embeddings": True,
        "pad_token_id": 0,
    },
    "allenai/Olmo-3-7B-Instruct": {
        "model_type": "olmo3", "hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 11008,
        "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 100278, "tie_word_embeddings": False,
    },
    "openai/whisper-large-v3": {
        "model_type": "whisper", "d_model": 1280, "encoder_layers": 32, "encoder_attention_heads": 20,
        "encoder_ffn_dim": 5120, "decoder_layers": 32, "decoder_attention_heads": 20, "decoder_ffn_dim": 5120,
        "num_mel_bins": 128, "vocab_size": 51866, "max_source_positions": 1500,
    },
}  # fmt: skip
SHAPES = {**SHAPES, "DeSTA-ntu/Llama-3.1-8B-Instruct": SHAPES["meta-llama/Llama-3.1-8B-Instruct"]}


def published(name: str, revision: str | None) -> Mapping[str, Any] | None:
    """A model's configuration in the table above; None where its own file is at hand, or the table has it not."""
    return SHAPES.get(name) if name in SHAPES and _file(name, revision) is None else None


def config_of(name: str, revision: str | None, where: str) -> tuple[Any, bool]:
    """A model's configuration without asking the hub, and whether it is from its own file.

    Raises:
        AkbError: it is in no folder, not in the hub's cache, and not in the table above.
    """
    from transformers import AutoConfig

    file = _file(name, revision)
    if file is not None:
        told = dict(Snapshot(name, file.parent, "", local=False).config)
    elif name in SHAPES:
        told = dict(SHAPES[name])
    else:
        raise AkbError(f"the configuration of {name} is not at hand, so nothing can be counted", where=where,
                       fix="Fetch it once (akb eval, or huggingface-cli download), or name a folder.")  # fmt: skip
    kind = told.pop("model_type", None)
    try:
        return AutoConfig.for_model(kind, **told), file is not None
    except (ValueError, TypeError, KeyError) as error:
        raise AkbError(f"its configuration cannot be read: {str(error).splitlines()[0]}", where=where) from None


def _file(name: str, revision: str | None) -> Path | None:
    """config.json of a folder, or of a model in the hub's cache."""
    if Path(name).is_dir():
        return Path(name) / "config.json"
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json", revision=revision)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def taps_of(depth: int, wanted: Sequence[int] | None, where: str) -> tuple[int, ...]:
    """After which blocks, from 0, an encoder of `depth` blocks is tapped.

    Raises:
        AkbError: the depth is not one of DeSTA's and no taps are given, or there is no such block.
    """
    if wanted is None and depth not in TAPS:
        known = ", ".join(str(number) for number in sorted(TAPS))
        raise AkbError(f"for an encoder of {depth} blocks no taps are known (they are for {known})", where=where,
                       fix=f"Name the blocks, from 0, in the recipe: {SETTING}: [..., {depth - 1}]")  # fmt: skip
    taps = TAPS[depth] if wanted is None else tuple(wanted)
    if max(taps) >= depth:
        raise AkbError(f"{SETTING} names block {max(taps)}, but the encoder's {depth} blocks are 0 to {depth - 1}",
                       where=where)  # fmt: skip
    return taps


@dataclass(frozen=True)
class Shape:
    """What a connector's size depends on.

    Attributes:
        taps: how many; `width` of what they give.
        heads, layers, inner: of the Q-Former; `inner` is the width of its feed-forward layers.
        queries: for each tap; so many vectors come out.
        llm_width: of the vectors.
    """

    taps: int
    width: int
    heads: int
    llm_width: int
    queries: int = 64
    layers: int = 6
    inner: int = 3072
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} cannot be shared by {self.heads} heads")

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        w, norm = self.width, 2 * self.width
        attention = 4 * (w * w + w) + norm
        layer = 2 * attention + 2 * w * self.inner + self.inner + w + norm
        ends = self.queries * self.taps * (w + 1) + norm + w * self.llm_width + self.llm_width
        return self.layers * layer + ends


def shape_of(part: ConnectorPart, taps: int, width: int, heads: int, llm_width: int, where: str) -> Shape:
    """The size of a recipe's connector, for an encoder of so many taps, such a width and so many heads.

    Raises:
        AkbError: the heads of the recipe cannot share the width.
    """
    wanted = part.heads or heads
    if width % wanted:
        raise AkbError(f"connector.heads is {wanted}, and an encoder's width of {width} cannot be shared by so many",
                       where=where, fix=f"Leave it out, and it is the encoder's {heads}, or take another divisor of "
                       f"{width}.")  # fmt: skip
    return Shape(taps, width, wanted, llm_width, part.queries, part.layers, part.inner, part.dropout)
