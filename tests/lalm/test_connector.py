"""The Q-Former against one that is written from the description: one tap at a time, attention spelled out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertEncoder

from akb.errors import AkbError
from akb.lalm.connector import Connector
from akb.lalm.recipe import ConnectorPart
from akb.lalm.shapes import Shape, shape_of

SHAPE = Shape(taps=4, width=24, heads=4, llm_width=40, queries=5, layers=3, inner=48, dropout=0.1)


def plain(made: Connector, taps: Tensor) -> Tensor:
    """Tap after tap, head after head, with the weights taken by name."""
    state, shape = dict(made.named_parameters()), made.shape

    def norm(x: Tensor, name: str, eps: float = 1e-12) -> Tensor:
        mean = x.mean(-1, keepdim=True)
        normal = (x - mean) / (((x - mean) ** 2).mean(-1, keepdim=True) + eps).sqrt()
        return normal * state[f"{name}.weight"] + state[f"{name}.bias"]

    def linear(x: Tensor, name: str, part: slice = slice(None)) -> Tensor:
        return x @ state[f"{name}.weight"][part].T + state[f"{name}.bias"][part]

    def attend(x: Tensor, heard: Tensor, name: str, layer: str) -> Tensor:
        w = shape.width
        if name == "crossing":
            q = linear(x, f"{layer}.{name}.query")
            k, v = (linear(heard, f"{layer}.{name}.key_value", slice(n * w, (n + 1) * w)) for n in (0, 1))
        else:
            q, k, v = (linear(x, f"{layer}.{name}.query_key_value", slice(n * w, (n + 1) * w)) for n in (0, 1, 2))
        size, heads = w // shape.heads, []
        for head in range(shape.heads):
            at = slice(head * size, (head + 1) * size)
            scores = (q[..., at] @ k[..., at].transpose(-1, -2) / math.sqrt(size)).softmax(-1)
            heads.append(scores @ v[..., at])
        return norm(linear(torch.cat(heads, -1), f"{layer}.{name}.out") + x, f"{layer}.{name}.norm")

    mixed, weights = torch.zeros(()), state["mix"].softmax(-1)
    for number, heard in enumerate(taps):
        x = state["queries"][number].expand(len(heard), -1, -1)
        for layer in (f"layers.{n}" for n in range(shape.layers)):
            x = attend(attend(x, x, "attention", layer), heard, "crossing", layer)
            inner = linear(x, f"{layer}.inner")
            gelu = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
            x = norm(linear(gelu, f"{layer}.outer") + x, f"{layer}.norm")
        mixed = mixed + x * weights[:, number, None]
    return linear(norm(mixed, "norm", 1e-5), "project")


def made() -> Connector:
    torch.manual_seed(0)
    connector = Connector(SHAPE)
    connector.eval()
    torch.nn.init.normal_(connector.mix)
    for name, parameter in connector.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(parameter, 1.0 if name.endswith("weight") else 0.0, 0.3)
    return connector


def test_all_taps_at_once_give_what_one_after_the_other_gives_and_the_same_gradients() -> None:
    connector, taps = made(), torch.randn(4, 3, 50, 24)
    at_once, in_turn = connector(taps), plain(connector, taps)
    assert at_once.shape == (3, 5, 40)
    torch.testing.assert_close(at_once, in_turn, rtol=1e-5, atol=1e-5)
    names, parameters = zip(*connector.named_parameters(), strict=True)
    aim = torch.randn_like(at_once)
    for name, a, b in zip(
        names,
        torch.autograd.grad((at_once * aim).sum(), parameters),
        torch.autograd.grad((in_turn * aim).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4, msg=name)


def test_a_layer_is_berts() -> None:
    """transformers' BERT with cross-attention, its weights taken over; no causal mask among the queries."""
    config = BertConfig(
        hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, add_cross_attention=True,
        is_decoder=True, attn_implementation="eager",
    )  # fmt: skip
    torch.manual_seed(3)
    bert, connector = BertEncoder(config).eval(), made()
    for theirs, ours in zip(bert.layer, connector.layers, strict=True):
        for attention, mine in ((theirs.attention, ours.attention), (theirs.crossattention, ours.crossing)):
            parts = [attention.self.query, attention.self.key, attention.self.value]
            fused = [mine.query, mine.key_value] if mine.cross else [mine.query_key_value]
            source = [parts[:1], parts[1:]] if mine.cross else [parts]
            for layer, several in zip(fused, source, strict=True):
                layer.weight.data, layer.bias.data = (
                    torch.cat([getattr(p, kind).data for p in several]) for kind in ("weight", "bias")
                )
            mine.out.load_state_dict(attention.output.dense.state_dict())
            mine.norm.load_state_dict(attention.output.LayerNorm.state_dict())
        ours.inner.load_state_dict(theirs.intermediate.dense.state_dict())
        ours.outer.load_state_dict(theirs.output.dense.state_dict())
        ours.norm.load_state_dict(theirs.output.LayerNorm.state_dict())
    states, heard = torch.randn(2, 5, 24), torch.randn(2, 50, 24)
    expected = bert(states, encoder_hidden_states=heard).last_hidden_state
    for layer in connector.layers:
        states = layer(states, heard)
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-5)


def test_taps_begin_with_equal_shares_and_queries_of_their_own() -> None:
    connector = Connector(SHAPE)
    assert connector.mix.softmax(-1).unique().tolist() == [0.25]
    assert len(connector.queries.flatten(1).unique(dim=0)) == 4


def test_a_shapes_parameters_are_those_of_the_module() -> None:
    for shape in (SHAPE, Shape(taps=2, width=12, heads=3, llm_width=7, queries=1, layers=1, inner=5)):
        assert sum(p.numel() for p in Connector(shape).parameters()) == shape.parameters


def test_the_released_shape_has_the_published_number_of_parameters() -> None:
    """About 131.5 M with Whisper large-v3 and Llama-3.1-8B (the code's figure)."""
    assert Shape(taps=4, width=1280, heads=20, llm_width=4096).parameters / 1e6 == pytest.approx(131.5, abs=0.1)


def test_checkpointing_changes_memory_and_no_number() -> None:
    connector, taps = made(), torch.randn(4, 2, 20, 24)
    plainly = torch.autograd.grad(connector(taps).square().sum(), list(connector.parameters()))
    connector.checkpointing = True
    again = torch.autograd.grad(connector(taps).square().sum(), list(connector.parameters()))
    for a, b in zip(plainly, again, strict=True):
        torch.testing.assert_close(a, b)


def test_dropout_is_for_training_alone() -> None:
    connector, taps = made(), torch.randn(4, 1, 20, 24)
    assert torch.equal(connector(taps), connector(taps))
    connector.train()
    assert not torch.allclose(connector(taps), connector(taps))


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="shared by 5 heads"):
        Shape(taps=1, width=24, heads=5, llm_width=8)
    with pytest.raises(AkbError, match=r"here: connector\.heads is 5[\s\S]*the encoder's 4"):
        shape_of(ConnectorPart(heads=5), 1, 24, 4, 8, "here")
    assert shape_of(ConnectorPart(queries=5, layers=3, inner=48), 4, 24, 4, 40, "here") == SHAPE
