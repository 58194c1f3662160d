"""Requests as the inputs of an audio-text model, by its processor: whichever it is, it is asked in one way.

transformers' processors differ in how they mark, count and pad audio; `apply_chat_template` is what they share.
What follows the prompt (the start of a reply, a continuation that is scored) is written by the template itself, at its
end, so that it is tokenised with the prompt as one text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akb.adapters.cards import Reasoning
from akb.adapters.rendering import dated
from akb.errors import AkbError
from akb.types import Choose, Clip, Request

AFTER = "akb_after_the_prompt"  # the template's variable
_LAST_LINE_END = re.compile(r"(?:\r\n|\r|\n)\Z")


@dataclass(frozen=True)
class Asked:
    """A request and the samples of its clips, in their order: (frames,), at the processor's rate."""

    request: Request
    samples: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Inputs:
    """Makes inputs with one processor.

    Attributes:
        processor: a transformers processor with a tokenizer and a feature extractor.
        reasoning: how the model's reasoning is switched.
        where: names the model in errors.
    """

    processor: Any
    reasoning: Reasoning
    where: str
    lock: Any = field(default_factory=Lock, repr=False, compare=False)  # tokenizers are for one thread at a time

    @cached_property
    def template(self) -> str:
        """The chat template, with the date held fast, without the line end that Jinja drops at a template's end: what
        is written behind it would bring that back.

        Raises:
            AkbError: the model has none.
        """
        own = getattr(self.processor, "chat_template", None) or getattr(self.processor.tokenizer, "chat_template", None)
        if isinstance(own, dict):
            own = own.get("default")
        if not isinstance(own, str):
            if _writes_by_itself(self.processor):
                raise self._by_itself()
            raise AkbError("the model's processor has no chat template", where=self.where,
                           fix="A model that was tuned to follow instructions is wanted.")  # fmt: skip
        return dated(_LAST_LINE_END.sub("", own), self.where)

    def check(self, asked: Asked) -> bool:
        """Whether it is known that what is asked for stands at the prompt's end; not where the request cannot be taken.

        Raises:
            AkbError: it does not, for the processor writes prompts by itself.
        """
        try:
            plain, more = (self._told([asked], after)["input_ids"] for after in ("", "akb"))
        except AkbError:
            return False
        if plain.tolist() == more.tolist():
            raise self._by_itself()
        return True

    def _by_itself(self) -> AkbError:
        return AkbError("the model's processor writes prompts by itself, so nothing can be written at their end, where "
                        "a reply begins", where=self.where,
                        fix="Let a server run the model (vLLM does, for one), and ask it: --model openai:NAME "
                        "--set model.base_url=http://127.0.0.1:8000/v1")  # fmt: skip

    def of(self, batch: Sequence[Asked], after: str = "") -> Mapping[str, Any]:
        """The model's inputs for requests of one kind, padded on the left.

        Args:
            after: what the reply begins with, behind the `reply_start` of a Choose; of a single request.

        Raises:
            AkbError: the template or the processor cannot take it (the error quotes them), or it leaves the audio out.
        """
        told = self._told(batch, after)
        if any(asked.samples for asked in batch) and not self._holds_audio(told):
            raise self.left_out()
        return told

    def _told(self, batch: Sequence[Asked], after: str) -> dict[str, Any]:
        conversations = [_conversation(asked) for asked in batch]
        request = batch[0].request
        start = request.reply_start if isinstance(request, Choose) else ""
        thinking = "off" if isinstance(request, Choose) else request.decoding.thinking
        switch = self.reasoning.off if thinking == "off" else self.reasoning.on
        try:
            with self.lock:
                told = self.processor.apply_chat_template(
                    conversations,
                    chat_template=self.template + "{{ " + AFTER + " }}",
                    add_generation_prompt=True,
                    tokenize=True,
                    return_dict=True,
                    return_tensors="pt",
                    processor_kwargs={"text_kwargs": {"padding": True}},  # audio is padded as the processor knows
                    **switch,
                    **{AFTER: start + after},
                )
        except AkbError:
            raise
        except Exception as error:  # processors raise kinds of their own
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise AkbError(f"the model's processor does not take the request: {lines[0][:300]}",
                           where=self.where) from None  # fmt: skip
        return dict(told)

    def left_out(self) -> AkbError:
        """What is said where nothing of a clip comes to the model."""
        return AkbError("the model's processor leaves the audio out", where=self.where)

    def _holds_audio(self, told: Mapping[str, Any]) -> bool:
        """Whether there is more than text: numbers that are not whole, or something of audio by its name."""
        import torch

        more = {name: value for name, value in told.items() if name not in self._per_token and torch.is_tensor(value)}
        return any(value.numel() and (value.is_floating_point() or "audio" in name) for name, value in more.items())

    @property
    def _per_token(self) -> set[str]:
        return {"input_ids", "attention_mask", *self.processor.tokenizer.model_input_names}

    def on(self, told: Mapping[str, Any], model: Any) -> dict[str, Any]:
        """Inputs on the model's device, in its type."""
        import torch

        made = {}
        for name, value in told.items():
            if not torch.is_tensor(value):
                made[name] = value
            elif value.is_floating_point():
                made[name] = value.to(model.device, model.dtype)
            else:
                made[name] = value.to(model.device)
        return made

    def cut(self, told: Mapping[str, Any], length: int) -> dict[str, Any]:
        """The inputs of one request up to so many tokens; whatever is told of each token is cut with them."""
        return {
            name: value[:, :length] if name in self._per_token or name.endswith("token_type_ids") else value
            for name, value in told.items()
        }


def _writes_by_itself(processor: Any) -> bool:
    from transformers import ProcessorMixin

    return type(processor).apply_chat_template is not ProcessorMixin.apply_chat_template


def _conversation(asked: Asked) -> list[dict[str, Any]]:
    samples = iter(asked.samples)
    return [
        {
            "role": message.role,
            "content": [
                {"type": "audio", "audio": next(samples)} if isinstance(part, Clip) else {"type": "text", "text": part}
                for part in message.parts
            ],
        }
        for message in asked.request.messages
    ]
