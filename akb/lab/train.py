"""Train akb-tiny, from nothing, on one thread of an ordinary computer.

    python -m akb.lab.train --out adapters/akb-tiny

One pass over the corpus, packed from documents into rows: nearly all in rows of 256 bytes, then a second stage in
rows of 1,024 and 2,048, without which the model is lost beyond the length that it was trained on. The same settings
give the same weights on the same kind of processor with the same torch; elsewhere the last bits of the arithmetic
differ and so do the weights. The corpus and the tokenizer are the same everywhere (lab.json has the corpus's hash).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from akb.lab.corpus import BOS, END, PAD, READING_SHARE, SEED, Document, digest, documents
from akb.lab.tokenizer import CONTEXT, build

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Stage:
    """A part of the training, with documents, optimizers and a learning-rate schedule of its own.

    Attributes:
        documents: how many, from `seed`; the first `reading` of them (a share) practise reading.
        rows: (tokens a row, share of the steps), in the order in which they come.
        peak: the learning rate after the warm-up; from there it falls to zero.
    """

    documents: int
    seed: int
    reading: float
    rows: tuple[tuple[int, float], ...]
    peak: float

    def corpus(self) -> list[Document]:
        return list(documents(self.documents, self.seed, self.reading))


STAGES = (
    Stage(110_000, SEED, READING_SHARE, ((256, 0.96), (1024, 0.04)), 4e-3),
    Stage(20_000, SEED + 1, 0.0, ((1024, 0.75), (2048, 0.25)), 1.5e-3),
)


@dataclass(frozen=True)
class Settings:
    """Every choice of the run. A token is a byte."""

    stages: tuple[Stage, ...] = STAGES
    width: int = 192
    layers: int = 6
    heads: int = 3
    inner: int = 512
    batch_tokens: int = 4096
    warm_up: float = 0.02
    weight_decay: float = 0.05
    seed: int = SEED


def new_model(settings: Settings, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """A Llama in miniature. Heads 64 wide and eager attention are the fastest on a CPU at this size."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=settings.inner,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.convert_tokens_to_ids(BOS),
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        pad_token_id=tokenizer.convert_tokens_to_ids(PAD),
        attn_implementation="eager",
    )
    return LlamaForCausalLM(config)


def encode(stream: list[Document], tokenizer: PreTrainedTokenizerBase) -> tuple[torch.Tensor, torch.Tensor]:
    """All documents end to end: token ids and each token's weight in the loss."""
    import torch

    texts = [text for document in stream for text, _ in document.pieces]
    weights = [weight for document in stream for _, weight in document.pieces]
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([token for piece in encoded for token in piece], dtype=torch.int16)
    lengths = torch.tensor([len(piece) for piece in encoded])
    return ids, torch.repeat_interleave(torch.tensor(weights), lengths)


def batches(
    ids: torch.Tensor, weights: torch.Tensor, rows: tuple[tuple[int, float], ...], batch_tokens: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Slices of `batch_tokens` in the corpus's order, cut into rows; what is left over at the end is dropped."""
    steps = len(ids) // batch_tokens
    ends = [share * steps for share in accumulate(share for _, share in rows)]
    for step in range(steps):
        row = next((length for (length, _), end in zip(rows, ends, strict=True) if step < end), rows[-1][0])
        part = slice(step * batch_tokens, (step + 1) * batch_tokens)
        yield ids[part].long().view(-1, row), weights[part].view(-1, row)


def optimizers(model: LlamaForCausalLM, settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms; one learning rate serves both."""
    import torch

    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate(progress: float, peak: float, warm_up: float) -> float:
    """The learning rate at `progress` in 0..1: a short rise, then a straight line to zero."""
    return peak * min(progress / warm_up, (1 - progress) / (1 - warm_up))


def loss_of(model: LlamaForCausalLM, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy (nats a token) of the next token, weighted."""
    import torch
    from torch.nn.functional import cross_entropy

    with torch.autocast("cpu", torch.bfloat16):
        logits = model(ids, use_cache=False).logits
    losses = cross_entropy(logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    wanted = weights[:, 1:].flatten()
    return (losses * wanted).sum() / wanted.sum()


def run_stage(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, stage: Stage, settings: Settings
) -> dict[str, float]:
    """Train `model` on one stage, in place. Returns what lab.json says of it."""
    import torch

    ids, weights = encode(stage.corpus(), tokenizer)
    steps = len(ids) // settings.batch_tokens
    optims = optimizers(model, settings)
    start, average = time.monotonic(), 0.0
    for step, (row_ids, row_weights) in enumerate(batches(ids, weights, stage.rows, settings.batch_tokens)):
        for optim in optims:
            for group in optim.param_groups:
                group["lr"] = rate((step + 1) / (steps + 1), stage.peak, settings.warm_up)
        loss = loss_of(model, row_ids, row_weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optim in optims:
            optim.step()
            optim.zero_grad()
        average = loss.item() if step == 0 else 0.98 * average + 0.02 * loss.item()
        if step % 50 == 0 or step + 1 == steps:
            print(f"step {step}/{steps} loss {average:.4f} {time.monotonic() - start:.0f} s", flush=True)
    with torch.no_grad():  # as if saved and loaded, so that a stage can be run again from a saved model
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16))
    return {"tokens": len(ids), "final_loss": round(average, 4), "seconds": round(time.monotonic() - start)}


def prepare(settings: Settings) -> None:
    """One thread and a seed: a sum in another order is another number."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)


def describe(settings: Settings, stages: list[dict[str, float]], parameters: int) -> dict[str, object]:
    """What lab.json says of a run."""
    import torch

    return {
        "about": "akb-tiny: made and trained by akb.lab for tests; it says nothing about models that people use",
        "settings": asdict(settings),
        "corpus_sha256": digest(document for stage in settings.stages for document in stage.corpus()),
        "stages": stages,
        "parameters": parameters,
        "torch": torch.__version__,
        "canary": "akb lab canary 0c9a4d7e-52b1-4f0e-9a6d-6b1f3e8d2c75: made for tests, of no use as training text",
    }


def train(settings: Settings) -> tuple[LlamaForCausalLM, PreTrainedTokenizerBase, dict[str, object]]:
    """The trained model, its tokenizer, and what lab.json says of the run."""
    prepare(settings)
    tokenizer = build()
    model = new_model(settings, tokenizer)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters} parameters", flush=True)
    stages = [run_stage(model, tokenizer, stage, settings) for stage in settings.stages]
    return model.eval(), tokenizer, describe(settings, stages, parameters)


def save(out: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, about: dict[str, object]) -> None:
    """Write the folder beside `out` and move its files in one by one: a reader never meets half a file."""
    import torch

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        part = Path(folder)
        model.to(torch.bfloat16).save_pretrained(part)
        tokenizer.save_pretrained(part)
        (part / "lab.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        for file in sorted(part.iterdir()):
            file.chmod(0o644)
            file.replace(out / file.name)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train akb-tiny from nothing.")
    parser.add_argument("--out", type=Path, required=True)
    save(parser.parse_args().out, *train(Settings()))


if __name__ == "__main__":
    main()
