"""What akb-reader makes of descriptions, beside the question alone, on questions of validation.

    python -m akb.lab.reader.score --model adapters/akb-reader

With nothing of akb's engine in it; `akb eval -p akb-v1-cloze` on the same questions must agree.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from akb.cascades.leaks import tells_apart
from akb.lab.reader.corpus import turn
from akb.lab.reader.describing import describe_all
from akb.lab.reader.items import drawn
from akb.lab.score import hit, log_probabilities
from akb.settings import cache_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from akb.lab.audio import AudioItem

VALID, VALID_SEED = 400, 9_000


def by_characters(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, item: AudioItem, caption: str) -> float:
    """1 if the key's text has the highest log-probability a character, as akb-v1-cloze judges; "" for no caption."""
    scores = log_probabilities(model, tokenizer, turn(item.question, caption), item.options)
    return hit([score / len(f" {option}") for score, option in zip(scores, item.options, strict=True)], item.answer)


def evaluate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, items: Sequence[AudioItem], captions: Sequence[str]
) -> dict[str, list[tuple[float, float]]]:
    """For each template, `needs` and all: (with the caption, without it) of every item."""
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for item, caption in zip(items, captions, strict=True):
        both = by_characters(model, tokenizer, item, caption), by_characters(model, tokenizer, item, "")
        told = "options told apart by words" if tells_apart([caption], item.options) else "not told apart by words"
        for name in (item.template_id, item.category, item.needs, told, "all"):
            rows[name].append(both)
    return dict(rows)


def report(rows: dict[str, list[tuple[float, float]]]) -> None:
    """A line for each: items, accuracy with the caption and with the question alone."""
    for name, both in sorted(rows.items()):
        said, alone = (sum(column) / len(both) for column in zip(*both, strict=True))
        print(f"{name:34} n={len(both):4}  caption {said:.3f}  question only {alone:.3f}", flush=True)


def validation(folder: Path, count: int = VALID) -> tuple[list[AudioItem], list[str]]:
    """Questions of validation, all templates alike, and their captions, kept in `folder`."""
    items = drawn("valid", VALID, VALID_SEED)[:: VALID // count]
    return items, describe_all([item.scene for item in items], folder / "valid.jsonl")


def watcher(folder: Path) -> Callable[[PreTrainedModel, PreTrainedTokenizerBase], None]:
    """Reports on a part of validation, for a look at a model that is being trained."""
    items, captions = validation(folder, 100)

    def look(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        model.eval()
        rows = evaluate(model, tokenizer, items, captions)
        report({name: both for name, both in rows.items() if "/" not in name})
        model.train()

    return look


def main() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parser = argparse.ArgumentParser(description="Score akb-reader on questions that are not lab-audio's.")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--captions", type=Path, default=cache_folder() / "lab-reader", help="where captions are kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    report(evaluate(model, tokenizer, *validation(arguments.captions)))


if __name__ == "__main__":
    main()
