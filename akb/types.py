"""The contract: what a question is, how it is asked, what comes back, and who answers.

Read this page first; everything else in akb is written in its terms. Data flows one way:

    Task.questions() -> Question -> Task.trial() -> Trial -> Task.requests() -> Request
        -> Adapter -> Response -> Task.judge() -> Outcome

A `Task` knows what to ask and how to judge; an `Adapter` knows whom to ask. Neither knows the other. The engine
carries requests to adapters, writes each response down the moment it arrives, and never looks inside either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

AUDIO_NAMES = "audio_names"  # in a question's `meta`: what the task's record calls its clips
MODEL = "model"  # the party under test; a cascade also asks others, e.g. "captioner"


# -- what is asked ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of audio. It is known by the hash of its encoded bytes and by how it is to be decoded.

    Attributes:
        sha256: hex digest of the encoded file's bytes; with `decoding` it is the clip's identity.
        path: where the bytes lie now; never part of a key.
        decoding: the declared decoding policy with the decoder's version, e.g. "soundfile 0.14/16 kHz mono";
            empty where the bytes go to the model as they are.
    """

    sha256: str
    path: str
    decoding: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: a role and its parts, text and audio clips in the order in which they are read."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | Clip, ...]

    @property
    def text(self) -> str:
        return "".join(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Question:
    """A question with two or more options, one of them right, and any number of audio clips.

    Attributes:
        id: unique within its task.
        answer: index of the key in `options`, counted from 0.
        template_id: questions made from one pattern share it; they are not independent of one another.
        meta: anything else worth keeping (kind, sources, difficulty ...), JSON values only.
    """

    id: str
    text: str
    options: tuple[str, ...]
    answer: int
    category: str = ""
    subcategory: str = ""
    audio: tuple[Clip, ...] = ()
    template_id: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """A question as it will be asked: in which option order, with which prompt, heard in which way.

    Attributes:
        id: unique within the run.
        ask: what the task needs to make the requests and to judge them; JSON values only, because a run's record
            holds it and `akb score` judges from the record alone.
    """

    id: str
    question: Question
    ask: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Option:
    """An option as shown in a request: its label ("A"; empty if none is shown) and its text."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Choose:
    """Score continuations of a conversation by their log-probability.

    Attributes:
        messages: the conversation; the reply to it is scored.
        continuations: one group for each option; a group holds every spelling that counts for that option.
        reply_start: text with which the reply begins and that is given, not scored, e.g. "Answer:".
        options: the options in the order shown, for adapters that do not read prompts (the baselines).
        to: which party is asked.
    """

    messages: tuple[Message, ...]
    continuations: tuple[tuple[str, ...], ...]
    reply_start: str = ""
    options: tuple[Option, ...] = ()
    to: str = MODEL


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a reply is generated.

    Attributes:
        max_tokens: the most tokens of the answer; reasoning does not count.
        temperature: 0 is greedy.
        thinking: "off", "on", or the most tokens that reasoning may take.
        draw: number of the repeated draw, from 0; with it the same prompt is asked more than once.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    thinking: Literal["off", "on"] | int = "off"
    seed: int = 0
    draw: int = 0


@dataclass(frozen=True, slots=True)
class Generate:
    """Let the party reply in its own words. Attributes as in `Choose`."""

    messages: tuple[Message, ...]
    decoding: Decoding = Decoding()
    options: tuple[Option, ...] = ()
    to: str = MODEL


Request = Choose | Generate


def request_key(request: Request, fingerprint: Mapping[str, Any]) -> str:
    """The identity of a request to a given model: a sha256 over all that can move the answer, and nothing else.

    Audio enters by the hash of its bytes and its decoding policy, never by its file's name.
    """
    record = fields_of(request)
    del record["to"]  # whom it goes to is said by the fingerprint
    record["kind"] = type(request).__name__
    text = json.dumps([record, fingerprint], sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_keyed)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _keyed(part: Any) -> dict[str, Any]:
    """What counts of a part of a request. (`asdict` would say the same, and copy every text on the way.)"""
    record = fields_of(part)
    if isinstance(part, Clip):
        del record["path"]
    return record


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of one of the contract's values, with what they hold as it is."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


# -- what comes back -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Score:
    """The log-probability (natural logarithm, at most 0) of one continuation, summed over its tokens.

    Attributes:
        tokens: how many tokens were scored; 0 where the server does not say.
        characters: length of the continuation's text.
        upper_bound: the true value is at most `logprob` (an API that shows only its top few).
    """

    logprob: float
    tokens: int
    characters: int
    upper_bound: bool = False


class Finish(StrEnum):
    """Why a reply ended."""

    STOP = "stop"
    LENGTH = "length"  # the token budget ran out in the answer
    THINKING = "thinking"  # the budget ran out before the reasoning ended
    REFUSAL = "refusal"  # the model or a filter refused
    ERROR = "error"  # no reply was to be had


@dataclass(frozen=True, slots=True)
class Response:
    """What a party answered: `scores` to a Choose (shaped as its continuations), `text` to a Generate.

    Attributes:
        reasoning: the reasoning, kept apart from the answer; None where there was none.
        seconds: time that this answer took (its share, where several were computed together).
        served_model: the model's name as the server gave it; empty for local models.
        cost: US dollars at the prices known when it was asked; None where no price is known.
        error: for `Finish.ERROR` what happened.
        notes: anything worth keeping about this answer, e.g. "prompt cut", JSON values only.
    """

    scores: tuple[tuple[Score, ...], ...] = ()
    text: str | None = None
    reasoning: str | None = None
    finish: Finish = Finish.STOP
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    served_model: str = ""
    cost: float | None = None
    error: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)


class Status(StrEnum):
    """What became of a trial. Everything but OK counts as wrong in the headline (strict) accuracy."""

    OK = "ok"
    WRONG_FORMAT = "wrong_format"
    REFUSED = "refused"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Answer:
    """One reading of a trial: a trial asked in several option orders has one for each.

    Attributes:
        chosen: index into `Question.options`; None unless the status is OK.
        position: where the chosen option stood as shown, from 0.
        correct: whether the chosen option is the key, or says the same as the key.
        reason: why it could not be read, in words; empty when it could.
    """

    status: Status
    chosen: int | None = None
    position: int | None = None
    correct: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The judgement of a trial.

    Attributes:
        status: OK, or the first thing that went wrong in any of its answers.
        score: from 0 to 1, strict: the share of its answers that were read and right.
        answers: one for each order in which the question was asked; may be empty for other kinds of task.
        others: strict scores by other rules that need no further asking, e.g. by length normalisation.
    """

    status: Status
    score: float
    answers: tuple[Answer, ...] = ()
    reason: str = ""
    others: Mapping[str, float] = field(default_factory=dict)


# -- who asks, who answers -------------------------------------------------------------------------------------


@runtime_checkable
class Task(Protocol):
    """What to ask and how to judge it. A factory for one is registered by name (`akb.tasks`).

    `requests` and `judge` are pure: the same trial and responses always give the same result. That is what makes a
    run resumable and `akb score` possible.
    """

    name: str
    version: str

    def questions(self) -> Iterable[Question]:
        """All questions, in a fixed order."""

    def trial(self, question: Question) -> Trial:
        """The question as it will be asked; its randomness comes from the run's seed and the question's id."""

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        """What to ask next, given all responses so far (in the order asked); empty when there is no more to ask."""

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        """The judgement of a trial all of whose requests were answered."""

    def describe(self) -> Mapping[str, Any]:
        """What a record must hold about the task: version, content hash, licence, whatever moves the score."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an adapter can do, so that the engine can say no before anything is asked.

    Attributes:
        concurrent: requests are single calls to be made side by side (an API), not batches (a local engine).
    """

    choose: bool = False
    generate: bool = False
    audio: bool = False
    concurrent: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """How an adapter classifies an error of its own; the engine decides what to do about it."""

    kind: Literal["fatal", "rate_limit", "transient"]
    message: str
    retry_after: float | None = None  # seconds, where the server said so

    @classmethod
    def fatal(cls, message: str) -> Fault:
        return cls("fatal", message)

    @classmethod
    def transient(cls, message: str) -> Fault:
        return cls("transient", message)

    @classmethod
    def rate_limit(cls, message: str, retry_after: float | None = None) -> Fault:
        return cls("rate_limit", message, retry_after)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a model would really read: the rendered prompt and, for local models, the exact token ids.

    Attributes:
        continuations: for each continuation of a Choose the ids that are scored.
        bos_count: how many BOS tokens the ids begin with.
    """

    text: str
    ids: tuple[int, ...] = ()
    bos_count: int = 0
    continuations: tuple[tuple[tuple[int, ...], ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request will take, before it is asked.

    Attributes:
        prompt_tokens: about so many, from the text's length.
        reply_tokens: the most that the reply may take, reasoning included.
        cost: the most that it can cost, in US dollars; None where no price is known.
    """

    prompt_tokens: int
    reply_tokens: int
    cost: float | None = None


class Adapter(Protocol):
    """Whom to ask. `LocalAdapter` and `RemoteAdapter` add the way in which the engine drives it."""

    @property
    def capabilities(self) -> Capabilities: ...

    def fingerprint(self) -> Mapping[str, Any]:
        """All that can move an answer besides the request: model, revision, dtype, template, adapter version."""

    def close(self) -> None:
        """Give back memory and connections."""


@runtime_checkable
class LocalAdapter(Adapter, Protocol):
    """A model in this process, or at its hand: asked in batches, synchronously."""

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        """Split the requests into batches (of indices). A pure function of the requests, so that a resumed run has
        the same batches as an uninterrupted one, and so the same rounding."""

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        """Answer batches; yields (number of the batch, its responses) in the order in which they are done."""


@runtime_checkable
class RemoteAdapter(Adapter, Protocol):
    """A model behind an API: requests are asked singly and side by side."""

    @property
    def concurrency(self) -> int:
        """How many requests may be under way at once."""

    async def ask_one(self, request: Request) -> Response:
        """Answer one request, or raise whatever the API raises."""

    def classify(self, error: Exception) -> Fault:
        """What kind of error it was that `ask_one` raised."""


@runtime_checkable
class Priced(Protocol):
    """An adapter whose answers cost money."""

    def estimate(self, request: Request) -> Estimate:
        """What a request will take and cost, at most."""


@runtime_checkable
class Previews(Protocol):
    """An adapter that can show what its model would read."""

    def preview(self, request: Request) -> Preview: ...
