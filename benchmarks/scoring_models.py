"""What scoring.py measures with: models with random weights, a trained tokenizer, questions, and the work they need.

Words are made of syllables and drawn by Zipf's law, and the tokenizer is trained on such text, so that a word has about
as many tokens as an English one has in a tokenizer of that size. What is missing of the vocabulary is filled up with
tokens that no text is made of: the output layer is as wide as a real one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import yaml

WORDS, LEARNT = 6000, 8000  # different words; tokens that are learnt from them
SPREAD = 3.0  # nats; the standard deviation of a model's logits


@dataclass(frozen=True)
class Shape:
    """A model's architecture.

    Attributes:
        bos: whether the tokenizer puts BOS in front, as Llama's does.
    """

    family: str
    vocabulary: int
    sizes: dict[str, Any]
    bos: bool


SHAPES = {
    "48m": Shape("llama", 32000, {
        "hidden_size": 384, "num_hidden_layers": 13, "num_attention_heads": 6, "num_key_value_heads": 6,
        "intermediate_size": 1024, "tie_word_embeddings": False,
    }, bos=True),
    "300m": Shape("qwen2", 151936, {
        "hidden_size": 768, "num_hidden_layers": 22, "num_attention_heads": 12, "num_key_value_heads": 2,
        "intermediate_size": 3072, "tie_word_embeddings": True,
    }, bos=False),
    "500m": Shape("qwen2", 151936, {
        "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2,
        "intermediate_size": 4864, "tie_word_embeddings": True,
    }, bos=False),
}  # fmt: skip


# -- text ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Words:
    """Words in order of their frequency, and how often each is drawn."""

    known: list[str]
    weights: list[float]

    @classmethod
    def made(cls) -> Words:
        random, found = Random(0), dict[str, None]()
        while len(found) < WORDS:
            syllables = 1 + len(found).bit_length() // 5
            found["".join(_syllable(random) for _ in range(syllables))] = None
        return cls(list(found), list(accumulate(1 / (rank + 3) for rank in range(WORDS))))

    def some(self, random: Random, count: int) -> str:
        return " ".join(random.choices(self.known, cum_weights=self.weights, k=count))


def _syllable(random: Random) -> str:
    begin = random.choice(("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "sh", ""))
    return begin + random.choice("aaeeeiou") + random.choice(("", "", "n", "r", "s", "l", "t", "ck"))


def questions(words: Words, count: int, mark: str) -> Iterator[dict[str, Any]]:
    """Questions of about 25 words with four options of 1 to 8."""
    random = Random(mark)
    for number in range(count):
        yield {
            "id": f"{mark}-{number:06d}",
            "question": words.some(random, random.randint(20, 30)).capitalize() + "?",
            "options": [words.some(random, random.randint(1, 8)) for _ in "ABCD"],
            "answer": number % 4,
        }


def write_task(folder: Path, count: int) -> None:
    """A task folder `bench`, with five worked examples."""
    words = Words.made()
    folder.mkdir(parents=True)
    about = {"name": "bench", "version": "1", "questions": ["questions.jsonl"], "fewshot": "examples.jsonl"}
    (folder / "task.yaml").write_text(yaml.safe_dump(about), "utf-8")
    for name, rows in (("questions", questions(words, count, "q")), ("examples", questions(words, 5, "x"))):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")


# -- models ----------------------------------------------------------------------------------------------------


def tokenizer(shape: Shape) -> Any:
    """A byte-level BPE trained on text of these words, with a vocabulary as large as the model's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    words, random = Words.made(), Random(1)
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    marks = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=LEARNT, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
    )
    lines = (f"{words.some(random, 20)}?\nA. B. C. D.\nAnswer: {random.choice('ABCD')}" for _ in range(10000))
    core.train_from_iterator(lines, trainer)
    told = json.loads(core.to_str())
    known: dict[str, int] = told["model"]["vocab"]
    known |= {f"filler{number}": number for number in range(len(known), shape.vocabulary)}
    core = Tokenizer.from_str(json.dumps(told))
    if shape.bos:
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>" if shape.bos else None, eos_token="</s>", pad_token="</s>"
    )


def write_model(folder: Path, name: str) -> dict[str, Any]:
    """A model of this shape with random weights; what is known of its size also goes into `sizes.json`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = SHAPES[name]
    config = AutoConfig.for_model(
        shape.family, **shape.sizes, vocab_size=shape.vocabulary, max_position_embeddings=4096,
        bos_token_id=0 if shape.bos else None, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    head = model.get_output_embeddings().weight
    with torch.no_grad():
        head.mul_(SPREAD / (head.std() * config.hidden_size**0.5))
    model.to(torch.bfloat16).save_pretrained(folder)  # as most models are kept; in fp32 they are the very same weights
    tokenizer(shape).save_pretrained(folder)
    apart = {id(head), id(model.get_input_embeddings().weight)}
    found = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "body": sum(p.numel() for p in model.parameters() if id(p) not in apart),
        "head": head.numel(),
        "attended": config.num_hidden_layers * config.hidden_size,
    }
    (folder / "sizes.json").write_text(json.dumps(found), "utf-8")
    return found


# -- the least work --------------------------------------------------------------------------------------------


Ids = Sequence[int]


def least_flops(sizes: dict[str, int], asked: Iterable[tuple[Ids, Iterable[Ids]]]) -> dict[str, float]:
    """What an ideal pass computes: each different beginning once, and logits where a token is scored.

    Args:
        asked: prompts with their continuations, in tokens.

    Returns:
        `tokens`, `scored` (positions), and `flops`: two for each weight of a token's pass and of the output layer at
        scored positions, four for each pair of tokens that attention brings together, layer by layer.
    """
    children: dict[tuple[int, int], int] = {}
    scored, pairs = set[int](), 0
    for prompt, continuations in asked:
        for continuation in continuations:
            at = -1
            for depth, token in enumerate((*prompt, *continuation[:-1]), 1):
                if (at, token) not in children:
                    children[at, token] = len(children)
                    pairs += depth
                at = children[at, token]
                if depth >= len(prompt):
                    scored.add(at)
    tokens = len(children)
    flops = 2 * sizes["body"] * tokens + 2 * sizes["head"] * len(scored) + 4 * sizes["attended"] * pairs
    return {"tokens": tokens, "scored": len(scored), "flops": float(flops)}
