"""What the adapters of APIs share: settings, the key, one client an event loop, and what an error means.

An adapter of an API says how a request is put to it and how its answer is read; all else is here. The vendor's own
SDK speaks to the server, with its retries switched off: how often and how patiently is the engine's to decide, and
two that retry would multiply. The key is read when the first request is made, so that listing models and dry runs
need none, and it is kept out of everything that is shown or written down.

Log-probabilities are had of the first token of a reply alone, and of the few most probable ones: enough for letters.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import math
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

import anyio
from anyio.lowlevel import RunVar
from pydantic import Field

from akb.adapters import pricing
from akb.adapters.cards import Card, OwnPrices
from akb.adapters.clips import read_clip
from akb.adapters.faults import CallError, UnreadableError, ends_the_run, fault, retry_after, sound_text, stumbled
from akb.adapters.first_tokens import first_token_scores
from akb.adapters.secrets import Secret
from akb.errors import AkbError, missing_extra
from akb.strict import Strict, parse
from akb.types import Capabilities, Choose, Clip, Decoding, Estimate, Fault, Finish, Request, Response

Effort = str | int

LONGEST_LABEL = 3  # characters; a label of no more is nearly always one token
_SHOWN = ("text", "reasoning", "served_model", "error", "notes")  # fields of a response that a server words


class Args(Strict):
    """Settings of a model behind an API: `--set model.KEY=VALUE`, or `args` of a card.

    Attributes:
        base_url: where the API is, if not at its vendor's; as the vendor's SDK takes it.
        concurrency: the most requests under way at once; how many there are is found from how the server answers.
        timeout: seconds that one request may take.
        key_env: name of the environment variable that holds the key; null for the vendor's usual one.
        key_file: a file that holds the key and nothing else; goes before key_env.
        reasoning: overrules the card: whether the model reasons "never", by "switch" or "always".
        effort: how hard the model reasons when it does: a word ("low") or a number of tokens, as the API has it.
        least_effort: the effort nearest to none, for models that reason even where the protocol says "off".
        room: tokens granted for reasoning on top of the answer's, where the protocol sets no budget; an effort in
            tokens that is larger takes its place.
        sampling: send temperature, top_p and seed; null: unless the API refuses them of a model that reasons.
        prices: US dollars per million tokens, instead of the card's: {input: 1, output: 2}.
        top_logprobs: how many of the most probable first tokens are asked for where log-probabilities are; 0 for none.
        prefill: the server takes the beginning of a reply and goes on from it (vLLM and SGLang do, vendors do not).
        audio: the model takes audio; null for what the adapter knows of its API.
    """

    base_url: str | None = None
    concurrency: int = Field(default=32, ge=1, le=1024)
    timeout: float = Field(default=600.0, gt=0)
    key_env: str | None = None
    key_file: Path | None = None
    reasoning: Literal["never", "switch", "always"] | None = None
    effort: Effort | None = None
    least_effort: Effort | None = None
    room: int = Field(default=8192, ge=0)
    sampling: bool | None = None
    prices: OwnPrices | None = None
    top_logprobs: int = Field(default=20, ge=0)
    prefill: bool = False
    audio: bool | None = None


def read_args(card: Card, args: Mapping[str, Any], least: int = 0) -> Args:
    """The settings for a card.

    Args:
        least: the least number that the API takes for an effort.

    Raises:
        AkbError: one is unknown or wrong, or holds a secret, which the run's record would keep.
    """
    where = f"{card.role} {card.name}"
    read = parse(Args, dict(args), where)
    if read.key_env is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", read.key_env):
        raise AkbError("key_env: the name of an environment variable is wanted, in capitals", where=where,
                       fix="The key itself is never given as a setting: settings are written down.")  # fmt: skip
    if read.base_url is not None:
        url = _address(read.base_url, where)
        if url.username or url.password or url.query:
            raise AkbError("base_url: it may hold no user, password or query", where=where,
                           fix="Give the key by key_env or key_file: settings are written down.")  # fmt: skip
    if (read.effort or read.least_effort) and (read.reasoning or card.reasoning.can) == "never":
        raise AkbError("effort: the model is said never to reason", where=where,
                       fix=f"If it does, say so: --set {card.role}.reasoning=always (or switch)")  # fmt: skip
    for field in ("effort", "least_effort"):
        if isinstance(effort := getattr(read, field), int) and effort < least:
            raise AkbError(f"{field}: a word, or a number of tokens from {least} on is wanted (found {effort})",
                           where=where)  # fmt: skip
    return read


def _address(url: str, where: str) -> SplitResult:
    """An address in its parts; an error that does not show it, for it may hold a password."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname:
            return parts
    raise AkbError("base_url: an address that begins with https:// or http:// is wanted", where=where)


@dataclass(frozen=True, slots=True)
class Thinking:
    """What one request asks of the model's reasoning.

    Attributes:
        on: it will reason, wanted or not.
        effort: how hard; None for the model's own choice.
        room: tokens granted for it on top of those of the answer; never less than an effort in tokens.
    """

    on: bool
    effort: Effort | None = None
    room: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """An API's answer in the contract's terms.

    Attributes:
        cached, audio: how many of the prompt's tokens the server had in its cache, and how many others were audio.
        shown: the most probable first tokens of the reply with their log-probabilities; None where none were given.
    """

    response: Response
    cached: int = 0
    audio: int = 0
    shown: Sequence[tuple[str, float]] | None = None


def decoding_of(request: Request) -> Decoding:
    """How the reply to a request is generated; for log-probabilities, its one token."""
    return Decoding(max_tokens=1) if isinstance(request, Choose) else request.decoding


class Remote(ABC):
    """A model behind an API, as an adapter.

    Attributes:
        NAME: the adapter's name, which is also that of the extra.
        VERSION: rises when a change here may move an answer.
        MODULE, PACKAGE: the SDK, as it is imported and as it is installed.
        KEYS, URL: environment variables that may hold the key (the first that does counts) and the address.
        DATED: matches names that mean one snapshot; any other name may come to mean another model.
        SAMPLES_WHILE_REASONING: the API takes a temperature also of a model that reasons.
        SHOWS: the API shows log-probabilities of the most probable tokens.
        PREFILLS: there are servers with this API that go on from the beginning of a reply.
        SOUNDS: kinds of audio files that the API takes, with its own words for them.
    """

    NAME: ClassVar[str]
    VERSION: ClassVar[int] = 1
    MODULE: ClassVar[str]
    PACKAGE: ClassVar[str]
    KEYS: ClassVar[tuple[str, ...]]
    URL: ClassVar[str]
    DATED: ClassVar[re.Pattern[str]]
    SAMPLES_WHILE_REASONING: ClassVar[bool] = False
    SHOWS: ClassVar[bool] = False
    PREFILLS: ClassVar[bool] = False
    SOUNDS: ClassVar[Mapping[str, str]] = {}

    def __init__(self, card: Card, args: Args) -> None:
        self.card, self.args = card, args
        self.where = f"{card.role} {card.name}"
        self.reasons = args.reasoning or card.reasoning.can
        self.prices = args.prices or card.prices
        if args.prefill and not self.PREFILLS:
            raise AkbError("prefill: this API has no way to begin a reply", where=self.where)
        if args.audio and not self.SOUNDS:
            raise AkbError("audio: this API takes none", where=self.where)
        self.base_url = args.base_url or os.environ.get(self.URL) or None
        if self.base_url is not None:
            _address(self.base_url, f"{self.where}, base_url or {self.URL}")
        names, needed = (args.key_env,) if args.key_env else self.KEYS, args.base_url is None or bool(args.key_env)
        self.secret = Secret(self.where, args.key_file, names, needed=needed, role=card.role)
        self._held: RunVar[tuple[Any, AsyncGenerator[None, None]]] = RunVar(f"client of {self.where}")

    @property
    def capabilities(self) -> Capabilities:
        choose = self.SHOWS and self.args.top_logprobs > 0 and self.reasons != "always"
        audio = self.takes_audio() if self.args.audio is None else self.args.audio
        return Capabilities(choose=choose, generate=True, audio=audio, concurrent=True)

    @property
    def concurrency(self) -> int:
        return self.args.concurrency

    def estimate(self, request: Request) -> Estimate:
        return pricing.estimate(request, self.prices, self.thinking(decoding_of(request)).room)

    def fingerprint(self) -> Mapping[str, Any]:
        told: dict[str, Any] = {"adapter": f"{self.NAME}/{self.VERSION}", "model": self.card.model}
        told["reasoning"] = self.reasons
        if self.reasons != "never":
            told |= {"effort": self.args.effort, "least_effort": self.args.least_effort, "room": self.args.room}
        if self.args.sampling is not None:
            told["sampling"] = self.args.sampling
        if self.capabilities.choose:
            told["choose"] = f"first token, of {self.args.top_logprobs} shown"
        if self.args.prefill:
            told["prefill"] = True
        if self.base_url is not None:
            told["base_url"] = _public(self.base_url)
        if not self.DATED.search(self.card.model):
            told["alias"] = True
        return told

    def close(self) -> None:
        """Forget the key. Connections were closed with the event loops that made them."""
        self.secret.forget()

    # -- what each API does in its own way --

    @abstractmethod
    def connect(self, sdk: Any, key: str) -> Any:
        """The SDK's asynchronous client, its own retries off."""

    @abstractmethod
    async def send(self, client: Any, request: Request) -> Any:
        """Put a request to the API; the SDK's answer."""

    @abstractmethod
    def read(self, answer: Any, thinking: Thinking) -> Reading:
        """The SDK's answer taken apart."""

    def takes_audio(self) -> bool:
        """Whether the model takes audio, as far as can be told without a setting."""
        return bool(self.SOUNDS)

    async def disconnect(self, client: Any) -> None:
        """Close a client."""
        await client.close()

    def refused(self, error: Exception) -> Response | None:
        """The refusal that an error really is; None if it is an error."""
        return None

    def retry_after(self, error: Exception) -> float | None:
        """Seconds after which the server wants to be asked again; None where it did not say."""
        return retry_after(getattr(getattr(error, "response", None), "headers", None) or {})

    # -- asking --

    async def ask_one(self, request: Request) -> Response:
        self._check(request)
        client, started = await self._client(), time.perf_counter()
        got: Response | Exception
        try:
            with anyio.fail_after(self.args.timeout):
                answer = await self.send(client, request)
            got = self._read(answer, request)
        except AkbError:
            raise
        except Exception as error:
            got = self._failed(stumbled(error), request)
        if isinstance(got, Exception):  # raised here, it has no context: what the SDK raised may hold the key
            raise got
        shown = {name: self.secret.clean(getattr(got, name)) for name in _SHOWN}
        return replace(got, **shown, seconds=time.perf_counter() - started)

    def _check(self, request: Request) -> None:
        """Raises if the request cannot be put to this API."""
        can = self.capabilities
        if isinstance(request, Choose) and not can.choose:
            raise TypeError("the engine asks only what the capabilities promise")
        if not can.audio and any(isinstance(part, Clip) for message in request.messages for part in message.parts):
            raise AkbError("the model does not take audio", where=self.where)
        if isinstance(request, Choose):
            long = [text for group in request.continuations for text in group if len(text.strip()) > LONGEST_LABEL]
            if long:
                raise AkbError(
                    f"the log-probability of {long[0]!r} cannot be had: this API shows those of one token",
                    where=self.where,
                    fix="Score letters (--protocol akb-v1-loglik), or let the model reply in words (akb-v1).",
                )

    def _read(self, answer: Any, request: Request) -> Response:
        thinking = self.thinking(decoding_of(request))
        try:
            found = self.read(answer, thinking)
            return self._completed(found, request)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise UnreadableError("the server's reply is not of the form that this API has") from None

    def _completed(self, found: Reading, request: Request) -> Response:
        """The response with its cost, and with its scores if it answers a Choose."""
        got, special = found.response, {"cached_tokens": found.cached, "audio_tokens": found.audio}
        notes = {**got.notes, **{name: tokens for name, tokens in special.items() if tokens}}
        counted = got.prompt_tokens or got.completion_tokens
        paid = pricing.cost(self.prices, got, cached=found.cached, audio=found.audio) if counted else None
        got = replace(got, cost=paid, notes=notes)
        return self._scored(got, request, found.shown) if isinstance(request, Choose) else got

    def _scored(self, got: Response, request: Choose, shown: Sequence[tuple[str, float]] | None) -> Response:
        refused = got.finish == Finish.REFUSAL
        if shown is None and not refused:
            raise AkbError("the server gives no log-probabilities", where=self.where,
                           fix="Let the model reply in words: --protocol akb-v1")  # fmt: skip
        scores, notes = first_token_scores(request.continuations, shown or ()), dict(got.notes)
        if not refused:
            notes.pop("finish_reason", None)  # cut after the one token asked for
        if request.reply_start and not self.args.prefill:
            notes["reply_start"] = "not given"
        known = [math.exp(score.logprob) for group in scores for score in group if not score.upper_bound]
        notes["label_mass"] = round(sum(known), 6)
        finish = Finish.REFUSAL if refused else Finish.STOP
        return replace(got, scores=scores, text=None, reasoning=None, finish=finish, notes=notes)

    def _failed(self, error: Exception, request: Request) -> Response | Exception:
        """What an error comes to: a refusal, the end of the run, or a fault."""
        if refusal := self.refused(error):
            return self._scored(refusal, request, None) if isinstance(request, Choose) else refusal
        fault = self.classify(error)
        if ends_the_run(error):  # no question will fare better, and an error would count as a wrong answer
            return AkbError(fault.message, where=self.where,
                            fix="Nothing was lost; mend the cause and run the same again.")  # fmt: skip
        return CallError(fault)

    def thinking(self, decoding: Decoding) -> Thinking:
        """What the decoding settings mean for this model's reasoning."""
        off = decoding.thinking in ("off", 0)
        if self.reasons == "never" or (off and self.reasons == "switch"):
            return Thinking(on=False)
        budget = decoding.thinking if isinstance(decoding.thinking, int) and not off else None
        effort, room = self.args.effort, self.args.room if budget is None else budget
        if effort is None:
            effort = self.args.least_effort if off else budget
        return Thinking(True, effort, max(room, effort) if isinstance(effort, int) else room)

    def sampling(self, decoding: Decoding, thinking: Thinking) -> dict[str, Any]:
        """Temperature, top_p and seed as far as they are to be sent. Each draw has a seed of its own."""
        sent = self.args.sampling
        if sent is None:
            sent = not thinking.on or self.SAMPLES_WHILE_REASONING
        if not sent:
            return {}
        told: dict[str, Any] = {"temperature": decoding.temperature}
        if decoding.top_p != 1.0:
            told["top_p"] = decoding.top_p
        if decoding.temperature > 0:
            digest = hashlib.sha256(f"{decoding.seed}/{decoding.draw}".encode()).digest()
            told["seed"] = int.from_bytes(digest[:4], "big") >> 1
        return told

    def sound(self, clip: Clip) -> tuple[str, bytes]:
        """A clip's bytes, and the API's word for their kind."""
        return read_clip(clip, self.SOUNDS)

    async def _client(self) -> Any:
        """The client of the running event loop. Each window of the engine runs a loop of its own, and connections
        do not outlive theirs; an asynchronous generator is what a loop finishes before it ends, so one closes them."""
        held = self._held.get(None)
        if held is None:
            client = self.connect(self._sdk(), self.secret.read())
            held = (client, self._until_the_loop_ends(client))
            self._held.set(held)
            await anext(held[1])
        return held[0]

    async def _until_the_loop_ends(self, client: Any) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self.disconnect(client)

    def _sdk(self) -> Any:
        try:
            return importlib.import_module(self.MODULE)
        except ImportError:
            raise missing_extra(self.PACKAGE, self.NAME, needed_for=self.where) from None

    def classify(self, error: Exception) -> Fault:
        if isinstance(error, CallError):
            return error.fault
        return fault(error, self.card.model, self.args.timeout, self.retry_after(error), self.secret.redacted)


def response(
    reason: object, *, text: str, reasoning: str, thought: bool, kinds: Mapping[str, Finish], **usage: Any
) -> Response:
    """A response, once an API's answer is taken apart.

    Args:
        reason: why the reply ended, in the API's word; after a text one that is not in `kinds`, or none, counts as a
            stop, and any but a plain stop is noted.
        thought: the model reasoned, so that a reply cut before any text was cut in its reasoning.
        kinds: what the API's words mean; `Finish.ERROR` for a failure of the server.

    Raises:
        UnreadableError: the server failed, or there is neither a text nor a known reason why. As an answer it would
            count against the model.
    """
    word = "none given" if reason is None else str(getattr(reason, "value", reason))
    finish = kinds.get(word, Finish.STOP if text.strip() else Finish.ERROR)
    if finish == Finish.ERROR:
        raise UnreadableError(f"the server's reply broke off (finish_reason: {word})")
    if finish == Finish.LENGTH and thought and not text.strip():
        finish = Finish.THINKING
    notes = {} if kinds.get(word) == Finish.STOP else {"finish_reason": sound_text(word)}
    return Response(text=sound_text(text), reasoning=sound_text(reasoning) or None, finish=finish, notes=notes, **usage)


def count(found: Any) -> int:
    """A number of tokens that a server tells; 0 where it tells none.

    Raises:
        TypeError: it is no number.
    """
    if found is None:
        return 0
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1e12:
        raise TypeError("a number of tokens is wanted")
    return int(found)


def name(found: Any) -> str:
    """The served model's name; empty where the server tells none.

    Raises:
        TypeError: it is no text.
    """
    if not isinstance(found, str | None):
        raise TypeError("a model's name is wanted")
    return sound_text(found or "")


def _public(url: str) -> str:
    """An address without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
