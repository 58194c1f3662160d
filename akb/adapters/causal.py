"""What must be known of a causal language model of transformers before it is given masks and positions of our own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_WINDOW = re.compile(r"^(?!max_window_layers)(?!.*pattern).*window|attention_chunk|local_att")


def device(model: Any) -> Any:
    return next(model.parameters()).device


def dtype(model: Any) -> Any:
    """The dtype in which the model computes: that of its first parameters, not of its fp32 output."""
    return next(parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())


def layers(model: Any) -> int:
    return int(_config(model).get_text_config().num_hidden_layers)


def window(model: Any) -> float:
    """The longest sequence over which no attention window closes, in tokens: the smallest number that the configuration
    has under a name for such windows, of which there are many."""
    config = _config(model).get_text_config().to_dict()
    if config.get("use_sliding_window") is False:
        config.pop("sliding_window", None)
    return _least(value for name, value in config.items() if _WINDOW.search(name))


def reach(model: Any) -> float:
    """The longest sequence, in tokens, whose numbers do not depend on what is computed beside it. Beyond it some models
    turn all rows' positions by the longest row (RoPE of the kinds "longrope" and "dynamic"), or choose what a token
    sees among all tokens of its row."""
    config = _config(model).get_text_config().to_dict()
    ropes = [rope for rope in _dicts(config.get("rope_parameters")) if rope.get("rope_type") in ("longrope", "dynamic")]
    trained = (
        rope.get("original_max_position_embeddings")
        or config.get("original_max_position_embeddings")
        or config.get("max_position_embeddings")
        for rope in ropes
    )
    return _least([*trained, config.get("index_topk"), config.get("keep_window_size")])


def takes_positions(model: Any) -> bool:
    """Whether the model can be told at which position a token stands. Those that cannot (ALiBi) count columns."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "position_ids" in inspect.signature(inner.forward).parameters


def _dicts(rope: Any) -> list[dict[str, Any]]:
    """The settings of RoPE, of which a model may have one for each type of layer."""
    if not isinstance(rope, dict):
        return []
    return [rope, *(value for value in rope.values() if isinstance(value, dict))]


def _least(values: Iterable[Any]) -> float:
    return min((value for value in values if type(value) is int and value > 0), default=float("inf"))


def as_mask(model: Any, seen: torch.Tensor) -> torch.Tensor:
    """What each token sees, (rows, tokens, seen tokens) of booleans, in four dimensions as the model's attention takes
    it. As numbers to be added it is made once; from booleans torch would make them again in every layer on a CPU."""
    import torch

    if _config(model)._attn_implementation == "sdpa" and seen.device.type != "cpu":
        return seen[:, None]
    half = dtype(model)
    blocked = torch.zeros(seen.shape, dtype=half, device=seen.device).masked_fill(~seen, torch.finfo(half).min)
    return blocked[:, None]


def _config(model: Any) -> Any:
    return model.get_base_model().config if hasattr(model, "get_base_model") else model.config
