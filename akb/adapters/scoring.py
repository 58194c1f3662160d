"""Log-probabilities of continuations from a causal language model in torch.

Rows are padded on the right: in a causal model no real token ever sees the padding, whatever the architecture, its
attention window or its cache. Logits are computed only where a token is scored, and the softmax is taken in fp32.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from akb.adapters.rendering import Encoded

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Row:
    """One sequence that goes through the model: all tokens but the last of prompt and continuation.

    Attributes:
        ids: the input.
        wanted: (place of the option, of its spelling, first input position whose logits are needed, target ids).
    """

    ids: tuple[int, ...]
    wanted: tuple[tuple[int, int, int, tuple[int, ...]], ...]


def rows(encoded: Encoded) -> list[Row]:
    """The sequences that one question needs. Continuations of one token share the prompt's own row."""
    by_input: dict[tuple[int, ...], list[tuple[int, int, int, tuple[int, ...]]]] = {}
    start = len(encoded.prompt) - 1
    for place, group in enumerate(encoded.continuations):
        for spelling, ids in enumerate(group):
            by_input.setdefault((*encoded.prompt, *ids[:-1]), []).append((place, spelling, start, ids))
    return [Row(ids, tuple(wanted)) for ids, wanted in by_input.items()]


def score(model: Any, rows: Sequence[Row], pad: int) -> list[list[float]]:
    """The log-probability of each wanted continuation of each row, summed over its tokens.

    Args:
        model: a transformers causal LM in eval mode.
        rows: the sequences of one batch.
        pad: id of the padding; any id will do.

    Returns:
        For each row, for each of its `wanted`, natural-log probability.
    """
    import torch

    longest = max(len(row.ids) for row in rows)
    device = next(model.parameters()).device
    ids = torch.full((len(rows), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = torch.tensor(row.ids)
        mask[number, : len(row.ids)] = 1
    positions = sorted({start + step for row in rows for _, _, start, t in row.wanted for step in range(len(t))})
    column = {position: number for number, position in enumerate(positions)}
    with torch.inference_mode():
        logits = _logits(model, ids.to(device), mask.to(device), positions)
        return [
            [_sum(logits[number], column, start, targets) for _, _, start, targets in row.wanted]
            for number, row in enumerate(rows)
        ]


def _logits(model: Any, ids: torch.Tensor, mask: torch.Tensor, positions: list[int]) -> torch.Tensor:
    """Logits at these positions alone: (rows, positions, vocabulary)."""
    import torch

    keep = torch.tensor(positions, device=ids.device)
    if "logits_to_keep" in inspect.signature(_forward_of(model)).parameters:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=keep).logits
    else:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, keep]
    if logits.shape[1] != len(positions):
        raise RuntimeError(f"the model gave {logits.shape[1]} positions, {len(positions)} were asked for")
    return logits


def _forward_of(model: Any) -> Any:
    """The forward of the model itself, not of a wrapper such as PEFT's."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner.forward


def _sum(logits: torch.Tensor, column: dict[int, int], start: int, targets: tuple[int, ...]) -> float:
    import torch

    places = torch.tensor([column[start + step] for step in range(len(targets))], device=logits.device)
    wanted = torch.tensor(targets, device=logits.device)
    chosen = logits[places].float()
    values = chosen.gather(1, wanted[:, None])[:, 0] - chosen.logsumexp(-1)
    return float(values.double().sum())
