"""How a multiple-choice question is put to a model: its option order, its messages, its few-shot examples."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from akb.errors import AkbError
from akb.tasks.drawing import item_random
from akb.tasks.listening import Described, heard
from akb.tasks.protocol import Prompt, Protocol, render
from akb.types import Choose, Decoding, Generate, Message, Option, Question, Request

LABELS = string.ascii_uppercase
Control = Literal["none", "choices-only"]
Told = Mapping[str, Any]  # how a question is heard
Shot = tuple[Question, Told]  # a worked example
NOTHING: Told = {}


@dataclass(frozen=True)
class Asking:
    """The settings of a run that a task needs in order to ask.

    Attributes:
        listen: how audio is heard (`akb.tasks.listening`).
        control: "choices-only" withholds the question and shows the options alone.
        data: a file of the user's that holds the questions (`--data`).
        options: further settings of the task, as `--set task.KEY=VALUE` gives them.
        captions: what the captioner of a cascade said of the clips; None before it was asked.
    """

    protocol: Protocol
    prompt: Prompt
    seed: int = 0
    listen: str = "audio"
    control: Control = "none"
    data: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    captions: Described | None = None


def orders(question: Question, how: str, seed: int, task: str) -> list[list[int]]:
    """The option orders in which a question is asked, each a list of indices into its options.

    Returns:
        One order, or for "cyclic" as many as there are options: every rotation of the seeded order, so that each
        option stands once in each place.
    """
    order = list(range(len(question.options)))
    if how == "given":
        return [order]
    item_random(seed, task, question.id).shuffle(order)
    if how == "seeded":
        return [order]
    return [order[turn:] + order[:turn] for turn in range(len(order))]


def shown(question: Question, order: Sequence[int]) -> tuple[Option, ...]:
    """The options with their labels in the order shown."""
    if len(order) > len(LABELS):
        raise AkbError(f"{len(order)} options; at most {len(LABELS)} can be labelled", where=question.id)
    return tuple(Option(LABELS[place], question.options[index]) for place, index in enumerate(order))


def messages(
    question: Question, order: Sequence[int], asking: Asking, examples: Sequence[Shot] = (), told: Told = NOTHING
) -> tuple[Message, ...]:
    """The conversation that puts the question: system message, worked examples, the question.

    Args:
        told: how the question is heard (`Hearing.told`).
    """
    turns = []
    if system := render(asking.prompt.system, question="", options=()).strip():
        turns.append(Message("system", (system,)))
    for example, hears in examples:
        options = shown(example, range(len(example.options)))
        key = options[example.answer]
        turns.append(_user(example, options, asking, hears))
        reply = render(asking.prompt.reply, question=example.text, options=options, key=key)
        turns.append(Message("assistant", (reply.strip(),)))
    turns.append(_user(question, shown(question, order), asking, told))
    return tuple(turns)


def _user(question: Question, options: tuple[Option, ...], asking: Asking, told: Told) -> Message:
    text = "" if asking.control == "choices-only" else question.text
    rendered = render(asking.prompt.user, question=text, options=options).strip()
    if captions := told.get("captions"):
        rendered = f"{render(asking.prompt.caption, captions=captions).strip()}\n\n{rendered}"
    return Message("user", (*heard(told, question, asking.listen), rendered))


def request(
    question: Question, order: Sequence[int], asking: Asking, examples: Sequence[Shot] = (), told: Told = NOTHING
) -> Request:
    """The request that asks a question in one order under a protocol; arguments as of `messages`."""
    protocol, options = asking.protocol, shown(question, order)
    conversation = messages(question, order, asking, examples, told)
    if protocol.ask == "generate":
        decoding = Decoding(
            max_tokens=protocol.max_tokens,
            temperature=protocol.temperature,
            top_p=protocol.top_p,
            thinking=protocol.thinking,
            seed=asking.seed,
        )
        return Generate(conversation, decoding, options)
    return Choose(conversation, continuations(options, protocol), asking.prompt.reply_start, options)


def unconditional(question: Question, order: Sequence[int], asking: Asking) -> Choose:
    """The same continuations after a prompt without a question (Brown et al. 2020, arXiv 2005.14165, section 2.4)."""
    options = shown(question, order)
    neutral = render(asking.prompt.unconditional, question="", options=())
    return Choose(
        (Message("user", (neutral,)),),
        continuations(options, asking.protocol),
        asking.prompt.reply_start,
        options,
    )


def continuations(options: Sequence[Option], protocol: Protocol) -> tuple[tuple[str, ...], ...]:
    """What is scored for each option: its label in every spelling that counts, or its text after a space."""
    if protocol.ask == "letters":
        return tuple(tuple(s.replace("{label}", o.label) for s in protocol.spellings) for o in options)
    return tuple((f" {option.text}",) for option in options)
