"""The grounded model: encoder, connector and backbone.

A clip's vectors stand among the embeddings of the text's tokens; what the backbone does with them is its own affair, so
any that takes `inputs_embeds` will do. Backbone and encoder are frozen: their weights have no gradient and their
dropout is off. The loss is computed where there are labels, and the output layer only there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_layers import GradientCheckpointingLayer

from akb.adapters.causal import takes_positions
from akb.errors import AkbError
from akb.lalm.connector import Connector
from akb.lalm.encoder import Taps
from akb.lalm.prompting import IGNORED, Batch
from akb.lalm.recipe import ConnectorPart, LoraPart
from akb.lalm.shapes import shape_of

Precision = Literal["bf16", "fp32"]


class Lalm(nn.Module):  # type: ignore[misc]
    """A backbone that hears.

    Args:
        llm: a causal language model of transformers, or one with LoRA by peft.
        encoder: None where what it makes of clips is kept (batches hold `taps`).
        precision: "bf16" computes the connector in bfloat16 by autocast; its weights are fp32.
        encoder_trained: else it is frozen.
    """

    def __init__(
        self,
        llm: Any,
        encoder: Taps | None,
        connector: Connector,
        *,
        precision: Precision = "fp32",
        encoder_trained: bool = False,
    ) -> None:
        super().__init__()
        self.llm, self.encoder, self.connector = llm, encoder, connector
        self.precision, self.encoder_trained = precision, encoder_trained
        for name, parameter in llm.named_parameters():
            parameter.requires_grad_("lora_" in name)
        if encoder is not None:
            encoder.requires_grad_(False)
            for part in encoder.parts() if encoder_trained else ():
                part.requires_grad_(True)
        self.positions = takes_positions(llm)
        self.train(False)

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> Lalm:
        """A trained one from its folder: see akb.lalm.saving.load."""
        from akb.lalm.saving import load

        return load(Path(folder), **options).model

    # -- what is trained --

    def train(self, mode: bool = True) -> Lalm:
        """Training is for what is trained; the frozen parts stay as they are used."""
        super().train(False)
        self.training = mode
        self.connector.train(mode)
        if self.encoder is not None and self.encoder_trained:
            self.encoder.train(mode)
        for name, module in self.llm.named_modules():
            if "lora_" in name:
                module.train(mode)
            elif isinstance(module, GradientCheckpointingLayer) and module.gradient_checkpointing:
                module.training = mode  # the layer alone, not what is in it: it checkpoints in training only
        return self

    def checkpoint(self) -> None:
        """Compute layers again in the backward pass, in place of keeping what they made: less memory, more time."""
        self.connector.checkpointing = True
        switch = getattr(self.llm, "activation_checkpointing_enable", None) or self.llm.gradient_checkpointing_enable
        switch({"use_reentrant": False})
        self.llm.disable_input_require_grads()  # what is read needs none where no audio is in it

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by name: all that is saved."""
        return {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}

    # -- forward --

    def audio(self, batch: Batch) -> Tensor:
        """The vectors of a batch's chunks, (m, queries, llm_width)."""
        taps = batch.taps if batch.taps is not None else self._heard(batch)
        with self._autocast(taps):
            vectors: Tensor = self.connector(taps)
        return vectors

    def _heard(self, batch: Batch) -> Tensor:
        if self.encoder is None or batch.features is None:
            raise ValueError("clips without taps need features and an encoder")
        taps: Tensor
        if self.encoder_trained:
            with self._autocast(batch.features):
                taps = self.encoder(batch.features)
        else:
            with torch.no_grad():
                taps = self.encoder(batch.features)
        return taps

    def _autocast(self, tensor: Tensor) -> Any:
        if self.precision != "bf16":
            return nullcontext()
        return torch.autocast(tensor.device.type, torch.bfloat16)

    def embeds(self, batch: Batch) -> Tensor:
        """What the backbone reads, (b, t, width): embeddings of tokens, with audio in its places."""
        with torch.no_grad():
            text: Tensor = self.llm.get_input_embeddings()(batch.ids)  # a model that scales them does so in there
        if not len(batch.clip_of):
            return text
        audio = self.audio(batch)[batch.clip_of].to(text.dtype)
        columns = batch.clip_starts[:, None] + torch.arange(audio.shape[1], device=text.device)
        return text.index_put((batch.clip_rows[:, None], columns), audio)

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """What the backbone is called with. Padding at the end needs no mask: nothing before it sees it."""
        told = {"inputs_embeds": self.embeds(batch)}
        if batch.side == "right":
            return told
        told["attention_mask"] = batch.attention
        if self.positions:
            told["position_ids"] = (batch.attention.cumsum(-1) - 1).clamp(min=0)
        return told

    def forward(self, batch: Batch) -> tuple[Tensor, int]:
        """The loss, as what wraps modules (DDP, FSDP) calls it."""
        return self.loss(batch)

    def loss(self, batch: Batch) -> tuple[Tensor, int]:
        """The mean loss (nats a token) over labelled tokens, and how many these are.

        Raises:
            ValueError: nothing is labelled.
        """
        if batch.labels is None:
            raise ValueError("a batch without labels has no loss")
        wanted = functional.pad(batch.labels[:, 1:], (0, 1), value=IGNORED)
        rows, columns = (wanted != IGNORED).nonzero(as_tuple=True)
        if not len(rows):
            raise ValueError("nothing in the batch is labelled")
        with only_at(self.llm, rows, columns) as gathered:
            logits = self.llm(**self.inputs(batch), use_cache=False).logits
        logits = logits[0] if gathered else logits[rows, columns]
        loss = functional.cross_entropy(logits.float(), wanted[rows, columns])
        if torch.is_grad_enabled() and not len(batch.clip_of):
            loss = loss + self._nothing()
        return loss, len(rows)

    def _nothing(self) -> Tensor:
        """Zero, from all that is trained: so a batch without audio has gradients, and they are zero where they must."""
        return torch.stack([parameter.sum() * 0.0 for parameter in self.trained_parameters().values()]).sum()

    def logits(self, batch: Batch) -> Tensor:
        """All logits, (b, t, vocabulary), without gradients."""
        with torch.no_grad():
            found: Tensor = self.llm(**self.inputs(batch), use_cache=False).logits
        return found


@contextmanager
def only_at(llm: Any, rows: Tensor, columns: Tensor) -> Iterator[list[bool]]:
    """Within it the output layer is given the hidden states at (row, column) alone, as (1, places, width).

    Gives a list that is empty where the model has no output layer of its own: then all logits are computed.
    """
    head = llm.get_output_embeddings()
    gathered: list[bool] = []
    if head is None:
        yield gathered
        return

    def gather(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        gathered.append(True)
        return (inputs[0][rows, columns][None], *inputs[1:])

    handle = head.register_forward_pre_hook(gather, prepend=True)
    try:
        yield gathered
    finally:
        handle.remove()


def connector_for(part: ConnectorPart, encoder: Taps | Any, llm_width: int, seed: int) -> Connector:
    """The connector between an encoder and a backbone, with weights drawn by the seed (and nothing else by it)."""
    shape = shape_of(part, len(encoder.taps), encoder.width, encoder.heads, llm_width, encoder.where)
    with seeded(seed):
        return Connector(shape)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it torch draws by the seed; outside nothing of that is seen."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def with_lora(llm: Any, part: LoraPart, seed: int, where: str) -> Any:
    """The backbone with low-rank changes, in training by peft.

    Raises:
        AkbError: peft is not installed, or a target is the name of no layer.
    """
    try:
        import peft
    except ImportError:
        from akb.errors import missing_extra

        raise missing_extra("peft", "lalm", needed_for=f"{where} with LoRA") from None
    names = {name.rpartition(".")[2] for name, module in llm.named_modules() if isinstance(module, nn.Linear)}
    if missing := [target for target in part.targets if target not in names]:
        raise AkbError(f"lora.targets: the backbone has no layer called {', '.join(missing)}", where=where,
                       fix=f"It has {', '.join(sorted(names))}.")  # fmt: skip
    config = peft.LoraConfig(
        r=part.r, lora_alpha=part.alpha, lora_dropout=part.dropout, target_modules=list(part.targets),
        task_type="CAUSAL_LM",
    )  # fmt: skip
    with seeded(seed):
        return peft.get_peft_model(llm, config)


def llm_width(llm: Any) -> int:
    """Of the backbone's token embeddings."""
    return int(llm.get_input_embeddings().weight.shape[1])
