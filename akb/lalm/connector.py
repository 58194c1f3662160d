"""The connector: a Q-Former (Li et al. 2023, arXiv 2301.12597) that turns what the encoder hears into vectors that the
backbone reads, as in DeSTA2.5-Audio (arXiv 2507.02768).

Each tap has learned queries of its own. They attend to one another and, in every layer, to the tap's positions; layers
are BERT's (post-layer-norm) and shared by all taps. What comes of the taps is mixed by a softmax over taps that is
learned for each query, normalised, and brought to the backbone's width.

The taps go through the layers together, as rows of one batch, with fused attention and fused projections: the same
numbers as tap after tap.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from akb.lalm.shapes import Shape

EPS = 1e-12  # of layer norms, as in BERT


class Attention(nn.Module):  # type: ignore[misc]
    """Attention with its residual and layer norm: to the states themselves, or to what is heard."""

    def __init__(self, shape: Shape, *, cross: bool) -> None:
        super().__init__()
        width = shape.width
        self.heads, self.dropout, self.cross = shape.heads, shape.dropout, cross
        if cross:
            self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        else:
            self.query_key_value = nn.Linear(width, 3 * width)
        self.out, self.norm = nn.Linear(width, width), nn.LayerNorm(width, eps=EPS)

    def forward(self, states: Tensor, heard: Tensor | None = None) -> Tensor:
        if heard is None:
            query, key, value = self.query_key_value(states).chunk(3, -1)
        else:
            query = self.query(states)
            key, value = self.key_value(heard).chunk(2, -1)
        rate = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(
            self._split(query), self._split(key), self._split(value), dropout_p=rate
        )
        given = self.out(mixed.transpose(1, 2).flatten(2))
        normed: Tensor = self.norm(functional.dropout(given, self.dropout, self.training) + states)
        return normed

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Layer(nn.Module):  # type: ignore[misc]
    """Queries among themselves, queries to what is heard, feed-forward."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.dropout = shape.dropout
        self.attention, self.crossing = Attention(shape, cross=False), Attention(shape, cross=True)
        self.inner, self.outer = nn.Linear(shape.width, shape.inner), nn.Linear(shape.inner, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=EPS)

    def forward(self, states: Tensor, heard: Tensor) -> Tensor:
        states = self.crossing(self.attention(states), heard)
        given = self.outer(functional.gelu(self.inner(states)))
        normed: Tensor = self.norm(functional.dropout(given, self.dropout, self.training) + states)
        return normed


class Connector(nn.Module):  # type: ignore[misc]
    """From tapped hidden states to vectors for the backbone.

    Attributes:
        checkpointing: layers are computed again in the backward pass, in place of being kept.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.checkpointing = shape, False
        self.queries = nn.Parameter(torch.randn(shape.taps, shape.queries, shape.width))
        self.mix = nn.Parameter(torch.zeros(shape.queries, shape.taps))
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm, self.project = nn.LayerNorm(shape.width), nn.Linear(shape.width, shape.llm_width)

    def forward(self, taps: Tensor) -> Tensor:
        """Vectors, (clips, queries, llm_width).

        Args:
            taps: (taps, clips, positions, width).
        """
        number, clips = taps.shape[:2]
        heard = taps.flatten(0, 1).to(self._dtype(taps))
        states: Any = self.queries[:, None].expand(-1, clips, -1, -1).flatten(0, 1)
        for layer in self.layers:
            if self.checkpointing and torch.is_grad_enabled():
                states = checkpoint(layer, states, heard, use_reentrant=False)
            else:
                states = layer(states, heard)
        weights = self.mix.softmax(-1).T[:, None, :, None]  # (taps, 1, queries, 1)
        mixed = (states.unflatten(0, (number, clips)) * weights).sum(0)
        vectors: Tensor = self.project(self.norm(mixed))
        return vectors

    def _dtype(self, taps: Tensor) -> torch.dtype:
        """What is heard keeps its half precision under autocast, where nothing would be gained by more."""
        return taps.dtype if torch.is_autocast_enabled(taps.device.type) else self.queries.dtype
