"""What akb-tiny knows of held-out words and numbers, beside what guessing would get.

    python -m akb.lab.score --model adapters/akb-tiny --split valid
    python -m akb.lab.score --model adapters/akb-tiny --split test

A check from inside the laboratory, with nothing of akb's engine in it: the question in the chat template, "Answer:",
and the log-probability of each option's text. `akb eval` under the cloze protocol must agree with it.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from akb.lab.corpus import documents
from akb.lab.heldout import WORD
from akb.lab.questions import PLAN, Item, build
from akb.stats.proportion import wilson

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Scores = Sequence[float]


def log_probabilities(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, question: str, options: Sequence[str]
) -> list[float]:
    """The log-probability (nats) of each option's text, with a space before it, after "Answer:"."""
    import torch

    chat = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    start = tokenizer(f"{prompt}Answer:", add_special_tokens=False)["input_ids"]
    ends = [tokenizer(f" {option}", add_special_tokens=False)["input_ids"] for option in options]
    longest = max(map(len, ends))
    rows = [start + end + [tokenizer.pad_token_id] * (longest - len(end)) for end in ends]
    with torch.inference_mode():
        logits = model(torch.tensor(rows)).logits.float().log_softmax(-1)
    first = len(start) - 1
    return [sum(logits[i, first + j, token].item() for j, token in enumerate(end)) for i, end in enumerate(ends)]


def hit(scores: Scores, answer: int) -> float:
    """1 if the key alone has the highest score, a share of 1 if it is among several, else 0."""
    best = [index for index, score in enumerate(scores) if score == max(scores)]
    return (answer in best) / len(best)


def shared_ending(one: str, other: str) -> int:
    """How many last letters two words have in common: what a reader without ears would rhyme by."""
    return next(
        (i for i, (a, b) in enumerate(zip(one[::-1], other[::-1], strict=False)) if a != b),
        min(len(one), len(other)),
    )


def answer_prior(count: int) -> Callable[[Item], Scores]:
    """Scores by how often an option was an answer in training; where none ever was, by how often it was met at all."""
    words: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for document in documents(count):
        words.update(WORD.findall(document.text.lower()))
        if document.kind in ("ask", "statement"):
            answers.update(text.strip().removesuffix("<|end|>") for text, _ in document.pieces)

    def scores(item: Item) -> Scores:
        counted = [float(answers[option]) for option in item.options]
        return counted if any(counted) else [float(words[option.removesuffix(" Hz")]) for option in item.options]

    return scores


def report(results: dict[str, list[tuple[Item, dict[str, float]]]]) -> None:
    """A line a subcategory: items, the model's accuracy with its 95 % interval, the other ways of answering."""
    for name, rows in results.items():
        ways = list(rows[0][1])
        right = sum(row["model"] for _, row in rows)
        low, high = wilson(right, len(rows))
        others = "  ".join(
            f"{way} {sum(row[way] for _, row in rows) / len(rows):.3f}" for way in ways if way != "model"
        )
        print(f"{name:22} n={len(rows):3}  model {right / len(rows):.3f} [{low:.3f}, {high:.3f}]  {others}")


def evaluate(
    items: Sequence[Item],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prior: Callable[[Item], Scores],
) -> dict[str, list[tuple[Item, dict[str, float]]]]:
    """Every item answered in every way, grouped by subcategory; rhyme also by how alike the pair looks."""
    groups: dict[str, list[tuple[Item, dict[str, float]]]] = defaultdict(list)
    for item in items:
        with_question = log_probabilities(model, tokenizer, item.question, item.options)
        without = log_probabilities(model, tokenizer, "", item.options)
        ways = {
            "model": hit(with_question, item.answer),
            "by-character": hit([s / len(o) for s, o in zip(with_question, item.options, strict=True)], item.answer),
            "minus-unconditional": hit([a - b for a, b in zip(with_question, without, strict=True)], item.answer),
            "no-question": hit(without, item.answer),
            "frequency": hit(prior(item), item.answer),
            "same-ending": hit([float(shared_ending(item.entity, option)) for option in item.options], item.answer),
        }
        names = ["/".join(PLAN[item.skill][:2]), "all"]
        if item.skill == "rhyme":
            names.insert(1, "  rhyme, looks alike" if item.looks_alike else "  rhyme, looks unlike")
        for name in names:
            groups[name].append((item, ways))
    return dict(groups)


def main() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parser = argparse.ArgumentParser(description="Score akb-tiny on held-out words and numbers.")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    parser.add_argument(
        "--prior-documents", type=int, default=40_000, help="how much of the corpus the frequencies are from"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    report(evaluate(build(arguments.split), model, tokenizer, answer_prior(arguments.prior_documents)))


if __name__ == "__main__":
    main()
