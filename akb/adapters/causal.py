"""What must be known of a causal language model of transformers before it is given masks and positions of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def device(model: Any) -> Any:
    return next(model.parameters()).device


def dtype(model: Any) -> Any:
    """The dtype in which the model computes: that of its first parameters, not of its fp32 output."""
    return next(parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())


def layers(model: Any) -> int:
    return int(_config(model).get_text_config().num_hidden_layers)


def window(model: Any) -> float:
    """The longest sequence over which no attention window closes, in tokens."""
    config = _config(model).get_text_config()
    sliding = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return min(
        (size for size in (sliding, getattr(config, "attention_chunk_size", None)) if size), default=float("inf")
    )


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
