"""Tiny models of several architectures with random weights and a trained tokenizer, for tests of adapters.

The weights are drawn wide, so that log-probabilities differ by whole nats and a wrong position, mask or padding shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from akb.adapters import hf
from akb.adapters.cards import Card, Reasoning
from akb.types import Choose, Decoding, Generate, LocalAdapter, Message, Request, Response

TEXT = """Which of these sounds has the highest pitch? Which of these instruments has reeds? Answer: the piccolo.
A low hum, a low hum that rises, a low rumble and thunder far away. A. a bell B. a drum C. a horn D. a siren
The decibel is a logarithmic unit. Twice the amplitude adds about six decibels. A violin has four strings.
Rain on a tin roof, an engine that idles, footsteps on gravel, glass that breaks, a kettle that whistles.
Question: what is heard before the applause? You are asked about sounds. Reply with the letter of the option."""

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML
TEMPLATES = {"none": None, "chat": CHATML, "chat-bos": "{{ bos_token }}" + CHATML, "no-system": NO_SYSTEM}
MARKS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
FAMILIES = ("llama", "qwen2", "mistral", "gemma2", "gemma3_text", "mamba", "lfm2", "qwen3_next")


@lru_cache
def _core() -> str:
    """A byte-level BPE trained on the text above, as JSON."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=MARKS, initial_alphabet=alphabet, show_progress=False)
    core.train_from_iterator(TEXT.splitlines(), trainer)
    return str(core.to_str())


def tokenizer(bos: str = "adds", template: str = "none", also: Sequence[str] = ()) -> Any:
    """A tokenizer that "adds" BOS itself, has one but is "silent" about it, or has "none"."""
    core = Tokenizer.from_str(_core())
    core.add_special_tokens(list(also))
    if bos == "adds":
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    made = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=None if bos == "none" else "<s>", eos_token="</s>", pad_token="</s>"
    )
    made.chat_template = TEMPLATES[template]
    return made


SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 424, "initializer_range": 0.35}
HEADS: dict[str, Any] = {
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 512,
}
OWN: dict[str, dict[str, Any]] = {
    "llama": HEADS,
    "qwen2": HEADS,
    "mistral": {**HEADS, "sliding_window": 8},
    "gemma2": {**HEADS, "sliding_window": 8, "head_dim": 8, "query_pre_attn_scalar": 8},
    "gemma3_text": {**HEADS, "sliding_window": 8, "head_dim": 8, "sliding_window_pattern": 2},
    "mamba": {"state_size": 8},
    "lfm2": {**HEADS, "layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False},
    "qwen3_next": {
        **HEADS,
        "head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
        "num_experts": 0,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
    },
}


def weights(family: str, seed: int = 0) -> Any:
    """A model of this family with random weights in fp32."""
    from transformers import AutoConfig

    config = AutoConfig.for_model(
        family, **SIZES, **OWN[family], bos_token_id=0, eos_token_id=1, pad_token_id=1, tie_word_embeddings=False
    )
    torch.manual_seed(seed)
    made = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    made.generation_config.eos_token_id = 1
    return made.eval()


@dataclass
class Zoo:
    """Folders with models, each made when first asked for."""

    root: Path
    known: dict[tuple[str, str, str], Path] = field(default_factory=dict)

    def folder(self, family: str, bos: str = "adds", template: str = "none") -> Path:
        """The folder of a model with a tokenizer."""
        key = (family, bos, template)
        if key not in self.known:
            folder = self.root / "-".join(key)
            weights(family).save_pretrained(folder)
            tokenizer(bos, template).save_pretrained(folder)
            self.known[key] = folder
        return self.known[key]


def adapter(folder: Path, reasoning: Reasoning | None = None, **args: Any) -> hf.HF:
    """The hf adapter for a folder: fp32 on the CPU unless told otherwise."""
    card = Card(name="tiny", adapter="hf", model=str(folder), reasoning=reasoning or Reasoning())
    return hf.build(card, {"device": "cpu", "dtype": "float32", **args})


def answers(asked: LocalAdapter, requests: Sequence[Request]) -> list[Response]:
    """The responses to requests, asked in the adapter's own batches."""
    batches = asked.plan(requests)
    found: dict[int, Response] = {}
    for number, responses in asked.ask([[requests[i] for i in batch] for batch in batches]):
        found.update(zip(batches[number], responses, strict=True))
    return [found[number] for number in range(len(requests))]


def logprobs(responses: Iterable[Response]) -> list[float]:
    """All log-probabilities, in order."""
    return [score.logprob for response in responses for group in response.scores for score in group]


def say(text: str, role: Any = "user") -> Message:
    """A turn of text."""
    return Message(role, (text,))


def battery() -> list[Choose]:
    """Questions with short and long prompts, answers of one and several tokens, and answers that begin alike."""
    letters = tuple((f" {label}",) for label in "ABCD")
    alike = ((" a low hum",), (" a low hum that rises",), (" a low",), (" thunder far away",))
    spelled = tuple((f" {label}", f"\n{label}", f" ({label})") for label in "ABC")
    system = say("You are asked about sounds.", "system")
    short, long = say("Which has reeds?"), say(" ".join(TEXT.split()[:70]))
    turns = (system, say("What is it?"), say("Answer: A", "assistant"), short)
    return [
        Choose(messages, continuations, start)
        for messages in ((short,), (long,), turns)
        for continuations, start in ((letters, "Answer:"), (alike, "Answer:"), (spelled, "The answer is"))
    ]


PROMPTS = [
    Generate((say(text),), Decoding(max_tokens=12))
    for text in ("A", "Which has reeds?", " ".join(TEXT.split()[:60]), "A. a bell B. a drum", "Rain on a tin roof,")
]
