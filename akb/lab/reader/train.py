"""Train akb-reader, from nothing, on one thread of an ordinary computer.

    python -m akb.lab.reader.train --out adapters/akb-reader

Scenes are rendered and described by the acoustic captioner (kept in a folder, so that a broken run goes on), and the
model reads the descriptions: first with questions of every kind, then with those of lab-audio's kind, on other clips.
The same settings give the same weights on the same kind of processor with the same torch.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from akb.lab.corpus import Document, digest
from akb.lab.reader import corpus
from akb.lab.reader.describing import describe_all
from akb.lab.reader.items import drawn as items_of
from akb.lab.reader.items import side_of
from akb.lab.reader.scenes import scenes
from akb.lab.reader.score import watcher
from akb.lab.reader.tokenizer import CONTEXT, TOKENS, build
from akb.lab.train import Settings as Shape
from akb.lab.train import loss_of, new_model, optimizers, prepare, rate, save
from akb.settings import cache_folder

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

    from akb.lab.sound import Scene

STEP = 16  # rows are padded to whole multiples of so many tokens: each new shape costs torch time and memory
LOOK = 130  # steps between two looks
POOL = 512  # documents among which those of like length are put together


@dataclass(frozen=True)
class Reading:
    """A stage of answering: the first `items` questions, read `passes` times, at a learning rate of `peak` after its
    warm-up; from there it falls to zero. `seed` decides which are asked without their description."""

    items: int
    passes: int
    peak: float
    seed: int


@dataclass(frozen=True)
class Settings:
    """Every choice of the run.

    Attributes:
        practice: how many scenes to practise on, and their seed; `kept`: of these, the first that are only looked at.
        peak: the learning rate of practice.
        readings: the stages after it, on questions of lab-audio's kind from seed `seed` on.
        shape: the model's size, tokens a step and weight decay.
    """

    practice: tuple[int, int] = (12_000, 11)
    kept: int = 200
    peak: float = 4e-3
    readings: tuple[Reading, ...] = (Reading(6_000, 1, 3e-3, 21), Reading(6_000, 1, 2e-3, 22))
    seed: int = 12
    tokens: int = TOKENS
    shape: Shape = field(default_factory=lambda: Shape(stages=(), width=192, layers=5, heads=3, inner=512,
                                                       batch_tokens=4096))  # fmt: skip


Look = Callable[["LlamaForCausalLM", "PreTrainedTokenizerBase"], None]
Tokens = list[tuple[list[int], list[float]]]


def encode(documents: Sequence[Document], tokenizer: PreTrainedTokenizerBase) -> Tokens:
    """Each document's token ids, and each token's weight in the loss."""
    texts = [text for document in documents for text, _ in document.pieces]
    ids = iter(tokenizer(texts, add_special_tokens=False)["input_ids"])
    found: Tokens = []
    for document in documents:
        tokens: list[int] = []
        weights: list[float] = []
        for _, weight in document.pieces:
            piece = next(ids)
            tokens += piece
            weights += [weight] * len(piece)
        found.append((tokens, weights))
    return found


def batches(rows: Tokens, size: int, pad: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Whole documents of like length side by side, at most `size` tokens with the padding, in a seeded order."""
    import torch

    rng = Random(seed)
    order = rng.sample(range(len(rows)), len(rows))
    groups: list[list[int]] = []
    for start in range(0, len(order), POOL):
        group: list[int] = []
        for number in sorted(order[start : start + POOL], key=lambda n: len(rows[n][0])):
            if group and (len(group) + 1) * -(-len(rows[number][0]) // STEP) * STEP > size:
                groups.append(group)
                group = []
            group.append(number)
        groups.append(group)
    for group in rng.sample(groups, len(groups)):
        longest = -(-max(len(rows[n][0]) for n in group) // STEP) * STEP
        ids = torch.full((len(group), longest), pad)
        weights = torch.zeros(len(group), longest)
        for place, number in enumerate(group):
            tokens, weight = rows[number]
            ids[place, : len(tokens)], weights[place, : len(tokens)] = torch.tensor(tokens), torch.tensor(weight)
        yield ids, weights


def run_stage(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    passes: Sequence[Sequence[Document]],
    peak: float,
    shape: Shape,
    look: Look | None = None,
) -> dict[str, Any]:
    """Train `model`, in place, on one pass of documents after another. Returns what lab.json says of it."""
    import torch

    seed, pad = shape.seed, model.config.pad_token_id
    steps = [batch for number, part in enumerate(passes)
             for batch in batches(encode(part, tokenizer), shape.batch_tokens, pad, seed + number)]  # fmt: skip
    optims = optimizers(model, shape)
    start, average = time.monotonic(), 0.0
    for step, (ids, weights) in enumerate(steps):
        for optim in optims:
            for group in optim.param_groups:
                group["lr"] = rate((step + 1) / (len(steps) + 1), peak, shape.warm_up)
        loss = loss_of(model, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optim in optims:
            optim.step()
            optim.zero_grad()
        average = loss.item() if step == 0 else 0.98 * average + 0.02 * loss.item()
        if step % 50 == 0 or step + 1 == len(steps):
            print(f"step {step}/{len(steps)} loss {average:.4f} {time.monotonic() - start:.0f} s", flush=True)
        if look is not None and step % LOOK == LOOK - 1:
            look(model, tokenizer)
    with torch.no_grad():  # as if saved and loaded, so that a stage can be run again from a saved model
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16))
    return {"tokens": sum(ids.numel() for ids, _ in steps), "final_loss": round(average, 4),
            "seconds": round(time.monotonic() - start)}  # fmt: skip


def practised(wanted: int, seed: int) -> list[Scene]:
    """So many scenes of practice; none is of the side that lab-audio keeps for itself."""
    return list(islice((scene for scene in scenes(3 * wanted, seed) if side_of(scene) != "benchmark"), wanted))


def practising(settings: Settings, folder: Path, workers: int) -> list[Document]:
    """The documents of practice; captions that `folder` lacks are made."""
    drawn = practised(*settings.practice)
    captions = describe_all(drawn, folder / "practice.jsonl", workers)
    return corpus.practice(drawn, captions, settings.practice[1])


def answering(settings: Settings, reading: Reading, folder: Path, workers: int) -> list[list[Document]]:
    """The documents of each pass of a reading; captions that `folder` lacks are made."""
    items = items_of("train", reading.items, settings.seed)
    captions = describe_all([item.scene for item in items], folder / "items.jsonl", workers)
    return [corpus.answers(items, captions, reading.seed + number) for number in range(reading.passes)]


def train(
    settings: Settings, folder: Path, workers: int = 1, look: Look | None = None
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerBase, dict[str, object]]:
    """The trained model, its tokenizer, and what lab.json says of the run; `look` is called now and then."""
    practice = practising(settings, folder, workers)
    readings = [answering(settings, reading, folder, workers) for reading in settings.readings]
    tokenizer = build((document.text for document in practice), settings.tokens)
    prepare(settings.shape)
    model = new_model(settings.shape, tokenizer)
    model.config.max_position_embeddings = CONTEXT
    stages = [run_stage(model, tokenizer, [practice[settings.kept :]], settings.peak, settings.shape)]
    for reading, passes in zip(settings.readings, readings, strict=True):
        stages.append(run_stage(model, tokenizer, passes, reading.peak, settings.shape, look))
    every = [practice, *(documents for passes in readings for documents in passes)]
    return model.eval(), tokenizer, describe(settings, every, stages, model)


def describe(
    settings: Settings, every: Sequence[list[Document]], stages: list[dict[str, Any]], model: LlamaForCausalLM
) -> dict[str, object]:
    """What lab.json says of a run; `every` is the documents of practice, and then of each pass."""
    import torch

    return {
        "about": "akb-reader: made and trained by akb.lab.reader for tests; it says nothing about models people use",
        "settings": asdict(settings),
        "corpus_sha256": digest(document for documents in every for document in documents),
        "documents": [len(documents) for documents in every],
        "stages": stages,
        "parameters": sum(p.numel() for p in model.parameters()),
        "weights_sha256": weights_digest(model.state_dict()),
        "torch": torch.__version__,
        "canary": "akb lab canary 5d2f8f0b-8c64-4a0d-b1a4-3c7e19f0a6d4: made for tests, of no use as training text",
    }


def weights_digest(weights: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of the weights as they are saved: names in order, values as bfloat16."""
    import torch

    summary = hashlib.sha256()
    for name in sorted(weights):
        if name != "lm_head.weight":  # tied to the embeddings, and not in the file
            values = weights[name].detach().to(torch.bfloat16).contiguous().view(torch.int16)
            summary.update(name.encode() + values.numpy().tobytes())
    return summary.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train akb-reader from nothing.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--captions", type=Path, default=cache_folder() / "lab-reader", help="where captions are kept")
    parser.add_argument("--workers", type=int, default=1, help="processes that render and describe")
    parser.add_argument("--look", action="store_true", help="score questions of validation now and then")
    arguments = parser.parse_args()
    look = watcher(arguments.captions) if arguments.look else None
    save(arguments.out, *train(Settings(), arguments.captions, arguments.workers, look))


if __name__ == "__main__":
    main()
