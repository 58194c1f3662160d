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
import json
import logging
import math
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import anyio
from anyio.lowlevel import RunVar
from pydantic import Field, ValidationError

from akb.adapters import pricing
from akb.adapters.cards import Card
from akb.errors import AkbError, missing_extra
from akb.strict import Strict, parse
from akb.types import Capabilities, Choose, Clip, Decoding, Estimate, Fault, Finish, Request, Response, Score

Effort = str | int

LONGEST_LABEL = 3  # characters; a label of no more is nearly always one token
_UNLIKELY = -9000.0  # an API that does not say how unlikely a token is writes -9999
_LEAST_REST = 1e-5  # shown probabilities are rounded: what they leave for the others is known no better

_TRANSPORTS = {"httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "anyio"}
_LOGGERS = (  # those that tell a reply's headers, errors or addresses
    *(f"httpcore{n}.{part}" for n in ("", "2") for part in ("connection", "http11", "http2", "proxy", "socks")),
    *("httpx", "httpx2", "openai._base_client", "anthropic._base_client", "google_genai._api_client"),
)
_KEY_LIKE = re.compile(r"\b(?:sk-|AIza)[\w*.-]{4,}")
_TOO_LONG = re.compile(
    r"context.?(length|window)|maximum.{0,30}tokens|(prompt|input|request).{0,20}too (long|large)", re.I
)
_SPENT = {"insufficient_quota", "billing_hard_limit_reached"}
_NO_CREDIT = re.compile(r"credit balance is too low", re.I)
_STATUSES = {  # what the words of an error mean that a server sends as a success
    "rate_limit_exceeded": 429, "rate_limit_error": 429, "too_many_requests": 429, "resource_exhausted": 429,
    "insufficient_quota": 429, "overloaded_error": 529, "server_error": 500, "api_error": 500, "internal": 500,
    "unavailable": 503, "timeout_error": 504, "invalid_api_key": 401, "authentication_error": 401,
    "billing_error": 402, "permission_error": 403, "not_found_error": 404, "model_not_found": 404,
    "request_too_large": 413, "context_length_exceeded": 400, "invalid_request_error": 400, "content_filter": 400,
    "invalid_argument": 400,
}  # fmt: skip


class UnreadableError(Exception):
    """The server's reply is not of the form that its API has."""


class ToldError(Exception):
    """An error that a server sends as a success: a reply with status 200 that holds an error's words.

    Attributes:
        status_code: as the words have it; None where they say none.
        code: the server's word or number for it.
    """

    def __init__(self, told: Any) -> None:
        self.body: dict[str, Any] = told if isinstance(told, dict) else {"message": str(told)}
        named = [self.body.get(name) for name in ("code", "type", "status")]
        words = [str(name) for name in named if isinstance(name, str | int) and not isinstance(name, bool)]
        numbers = [int(word) for word in words if re.fullmatch(r"[45]\d\d", word)]
        known = [_STATUSES[word.lower()] for word in words if word.lower() in _STATUSES]
        self.status_code = next(iter(numbers + known), None)
        self.code = next(iter(words), None)
        super().__init__(str(self.body.get("message") or self.code or "an error without a message"))


class CallError(Exception):
    """A call that failed. Nothing else is known of it: what the SDK raised may hold the key."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class OwnPrices(Strict):
    """US dollars per million tokens, as the user knows them. Fields as in `cards.Prices`."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    audio_input: float | None = Field(default=None, ge=0)
    as_of: str = ""
    source: str = ""


class Args(Strict):
    """Settings of a model behind an API: `--set model.KEY=VALUE`, or `args` of a card.

    Attributes:
        base_url: where the API is, if not at its vendor's; as the vendor's SDK takes it.
        concurrency: the most requests under way at once.
        timeout: seconds that one request may take.
        key_env: name of the environment variable that holds the key; null for the vendor's usual one.
        key_file: a file that holds the key and nothing else; goes before key_env.
        reasoning: overrules the card: whether the model reasons "never", by "switch" or "always".
        effort: how hard the model reasons when it does: a word ("low") or a number of tokens, as the API has it.
        least_effort: the effort nearest to none, for models that reason even where the protocol says "off".
        room: tokens granted for reasoning on top of the answer's, where the protocol sets no budget.
        sampling: send temperature, top_p and seed; null: unless the API refuses them of a model that reasons.
        prices: US dollars per million tokens, instead of the card's: {input: 1, output: 2}.
        top_logprobs: how many of the most probable first tokens are asked for where log-probabilities are; 0 for none.
        prefill: the server takes the beginning of a reply and goes on from it (vLLM and SGLang do, vendors do not).
        audio: the model takes audio; null for what the adapter knows of its API.
    """

    base_url: str | None = None
    concurrency: int = Field(default=8, ge=1, le=1024)
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


def read_args(card: Card, args: Mapping[str, Any]) -> Args:
    """The settings for a card.

    Raises:
        AkbError: one is unknown or wrong, or holds a secret, which the run's record would keep.
    """
    where = f"model {card.name}"
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
                       fix="If it does, say so: --set model.reasoning=always (or switch)")  # fmt: skip
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
        room: tokens granted for it on top of those of the answer.
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
        self.where = f"model {card.name}"
        self.reasons = args.reasoning or card.reasoning.can
        self.prices = args.prices or card.prices
        if args.prefill and not self.PREFILLS:
            raise AkbError("prefill: this API has no way to begin a reply", where=self.where)
        if args.audio and not self.SOUNDS:
            raise AkbError("audio: this API takes none", where=self.where)
        self.base_url = args.base_url or os.environ.get(self.URL) or None
        if self.base_url is not None:
            _address(self.base_url, f"{self.where}, base_url or {self.URL}")
        self._secret = ""
        self._hush = _Hush(self)
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
        for logger in _LOGGERS:
            logging.getLogger(logger).removeFilter(self._hush)
        self._secret = ""

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
        return _retry_after(getattr(getattr(error, "response", None), "headers", None) or {})

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
            got = self._failed(_stumbled(error), request)
        if isinstance(got, Exception):  # raised here, it has no context: what the SDK raised may hold the key
            raise got
        return self._without_key(replace(got, seconds=time.perf_counter() - started))

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
        if _ends_the_run(error):  # no question will fare better, and an error would count as a wrong answer
            return AkbError(fault.message, where=self.where,
                            fix="Nothing was lost; mend the cause and run the same again.")  # fmt: skip
        return CallError(fault)

    def sound(self, clip: Clip) -> tuple[str, bytes]:
        """A clip's bytes, and the API's word for their kind.

        Raises:
            AkbError: it cannot be read, is another than the task meant, or is not of a kind that the API takes.
        """
        if clip.decoding:
            raise AkbError(f"the clip is to be decoded ({clip.decoding}), and an API gets its bytes as they are",
                           where=clip.path)  # fmt: skip
        try:
            data = Path(clip.path).read_bytes()
        except OSError as error:
            raise AkbError(f"the clip cannot be read: {error.strerror}", where=clip.path) from None
        if clip.sha256 and hashlib.sha256(data).hexdigest() != clip.sha256:
            raise AkbError("the clip has changed since the task was loaded", where=clip.path, fix="Run the same again.")
        kind = audio_kind(data)
        if kind not in self.SOUNDS:
            raise AkbError(f"this API takes {', '.join(self.SOUNDS)}, and the clip is {kind or 'of an unknown kind'}",
                           where=clip.path, fix="Convert it to wav.")  # fmt: skip
        return self.SOUNDS[kind], data

    def thinking(self, decoding: Decoding) -> Thinking:
        """What the decoding settings mean for this model's reasoning."""
        off = decoding.thinking in ("off", 0)
        if self.reasons == "never" or (off and self.reasons == "switch"):
            return Thinking(on=False)
        if off:
            effort = self.args.least_effort if self.args.effort is None else self.args.effort
            return Thinking(True, effort, self.args.room)
        if isinstance(decoding.thinking, int):
            effort = decoding.thinking if self.args.effort is None else self.args.effort
            return Thinking(True, effort, decoding.thinking)
        return Thinking(True, self.args.effort, self.args.room)

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

    async def _client(self) -> Any:
        """The client of the running event loop. Each window of the engine runs a loop of its own, and connections
        do not outlive theirs; an asynchronous generator is what a loop finishes before it ends, so one closes them."""
        held = self._held.get(None)
        if held is None:
            client = self.connect(self._sdk(), self._key())
            for logger in _LOGGERS:
                logging.getLogger(logger).addFilter(self._hush)
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

    def _key(self) -> str:
        names = (self.args.key_env,) if self.args.key_env else self.KEYS
        if self.args.key_file is not None:
            try:
                key, source = self.args.key_file.expanduser().read_text("utf-8").strip(), "the file of key_file"
            except (OSError, UnicodeDecodeError) as error:
                told = getattr(error, "strerror", None) or "it is not text"
                raise AkbError(f"the file of key_file cannot be read: {told}", where=self.where) from None
        else:
            source = next((name for name in names if os.environ.get(name, "").strip()), names[0])
            key = os.environ.get(source, "").strip()
        if not key:
            raise AkbError(f"there is no key: {source} is not set or empty", where=self.where,
                           fix="Set it, or name another by key_env or key_file: --set model.key_env=NAME")  # fmt: skip
        if not re.fullmatch(r"[!-~]+", key):  # as a header it would be refused, in an error that shows it
            raise AkbError(f"what {source} holds is no key: it has spaces or letters beyond ASCII", where=self.where)
        self._secret = key
        return key

    # -- the key --

    def redacted(self, text: str) -> str:
        """A text without the key, in whatever spelling a server sends it back."""
        key = self._secret
        if len(key) >= 8:  # a shorter one is the "none" of a local server
            for spelled in {key, repr(key)[1:-1], json.dumps(key)[1:-1], quote(key), quote(key, safe="")}:
                text = text.replace(spelled, "[key]")
        return text

    def _without_key(self, got: Response) -> Response:
        def clean(value: Any) -> Any:
            if isinstance(value, str):
                return self.redacted(value)
            return {self.redacted(k): clean(v) for k, v in value.items()} if isinstance(value, dict) else value

        names = ("text", "reasoning", "served_model", "error", "notes")
        return replace(got, **{name: clean(getattr(got, name)) for name in names})

    # -- errors --

    def classify(self, error: Exception) -> Fault:
        if isinstance(error, CallError):
            return error.fault
        if isinstance(error, TimeoutError):
            return Fault.transient(f"no answer within {self.args.timeout:g} s")
        status, after = _status(error), self.retry_after(error)
        said = _short(_KEY_LIKE.sub("[key]", self.redacted(_said(error))))
        told = f"({status}): {said}"
        if status == 429 and not _ends_the_run(error):
            return Fault.rate_limit(f"too many requests {told}", after)
        if status in (408, 409, 425) or (status or 0) >= 500:
            return Fault("transient", f"the server failed {told}", after)
        if status is None or status < 400:
            return Fault.transient(said) if _passing(error) else Fault.fatal(f"{type(error).__name__}: {said}")
        if status == 401 or _wrong_key(error):  # what a server says about a wrong key may hold parts of it
            return Fault.fatal(f"the server does not accept the key ({status})")
        told = f"{self.card.model} {told}"
        if status == 413 or (status == 400 and _TOO_LONG.search(said)):
            return Fault.fatal(f"the request is too long for {told}")
        kinds = {402: "there is no credit for", 403: "the key does not give access to",
                 404: "the server does not know", 429: "there is no credit for"}  # fmt: skip
        return Fault.fatal(f"{kinds.get(status, 'the server refuses the request to')} {told}")


class _Hush(logging.Filter):
    """Keeps the key out of the logs of the SDKs and of what is below them: at DEBUG these tell a reply's headers."""

    def __init__(self, model: Remote) -> None:
        super().__init__()
        self.model = model

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        record.msg, record.args = self.model.redacted(f"{record.getMessage()} {kind}".rstrip()), ()
        record.exc_info = record.exc_text = None
        return True


def _stumbled(error: Exception) -> Exception:
    """The error, or for a mistake within the SDK what it means: a reply that the SDK did not expect."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    ours = place is None or str(place.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == "akb"
    mistake = isinstance(error, AttributeError | LookupError | TypeError | ValueError)
    if ours or not mistake or _passing(error):
        return error
    return UnreadableError(f"the server's reply is not of the form that this API has ({type(error).__name__})")


def _ends_the_run(error: Exception) -> bool:
    """No question will fare better; were it recorded, it would count as a wrong answer of the model."""
    if _status(error) in (401, 402) or getattr(error, "code", None) in _SPENT or _wrong_key(error):
        return True
    return _status(error) in (400, 403) and _NO_CREDIT.search(_said(error)) is not None


def _wrong_key(error: Exception) -> bool:
    """Google says so with status 400."""
    return "API_KEY_INVALID" in str(getattr(error, "details", ""))


def _passing(error: Exception) -> bool:
    """An error without a status: of the network, or a reply cut short or of a wrong form."""
    kinds = type(error).__mro__
    sdk = any(kind.__name__ in ("APIConnectionError", "APIResponseValidationError") for kind in kinds)
    wrong = (OSError, UnreadableError, ToldError, json.JSONDecodeError, UnicodeDecodeError, ValidationError)
    return sdk or _of_transport(error) or isinstance(error, (*wrong, RecursionError))


def _of_transport(error: Exception) -> bool:
    return any(kind.__module__.partition(".")[0] in _TRANSPORTS for kind in type(error).__mro__)


def _status(error: Exception) -> int | None:
    if _of_transport(error):  # aiohttp's say 400 of what is no HTTP at all
        return None
    for name in ("status_code", "code"):
        if isinstance(found := getattr(error, name, None), int):
            return found
    return None


def _said(error: Exception) -> str:
    """What the server said, in one line; else what the error says, and what lay below it."""
    if isinstance(error, ValidationError):  # its own words quote the reply, cut in the middle
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in found)
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else getattr(error, "message", None)
    told = [str(said or error or ""), str(error.__cause__ or "")]
    return _sound(" ".join(" - ".join(part for part in told if part).split())) or type(error).__name__


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:297] + "..."


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header, which holds them or a date; None for none, or one that is past."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            seconds = float(milliseconds) / 1000
        else:
            seconds = float(headers.get("retry-after", "0"))
    except ValueError:
        try:
            date = parsedate_to_datetime(headers.get("retry-after", ""))
        except ValueError:
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - datetime.now(UTC)).total_seconds()
    return seconds if 0 < seconds < float("inf") else None


def response(
    reason: object, *, text: str, reasoning: str, thought: bool, kinds: Mapping[str, Finish], **usage: Any
) -> Response:
    """A response, once an API's answer is taken apart.

    Args:
        reason: why the reply ended, in the API's word; what is neither in `kinds` nor refused counts as a stop, and
            any but a plain stop is noted.
        thought: the model reasoned, so that a reply cut before any text was cut in its reasoning.
        kinds: what the API's words mean.
    """
    word = "none given" if reason is None else str(getattr(reason, "value", reason))
    finish = kinds.get(word, Finish.STOP)
    if finish == Finish.LENGTH and thought and not text.strip():
        finish = Finish.THINKING
    notes = {} if kinds.get(word) == Finish.STOP else {"finish_reason": _sound(word)}
    return Response(text=_sound(text), reasoning=_sound(reasoning) or None, finish=finish, notes=notes, **usage)


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
    return _sound(found or "")


# -- log-probabilities of first tokens --------------------------------------------------------------------------


def first_token_scores(
    continuations: Sequence[Sequence[str]], shown: Sequence[tuple[str, float]]
) -> tuple[tuple[Score, ...], ...]:
    """The scores of labels, from the most probable first tokens of a reply.

    A token counts for the spelling that it is, letter by letter, or else for the first spelling that it is but for
    space around it; for one spelling of an option and no more. The probabilities of several tokens that count for one
    spelling are added. A spelling without a token gets an upper bound: it begins either with a token that was not
    shown, which has at most what the least probable one shown has and at most what all shown leave over, or with one
    that was shown and is a part of it, such as a bracket.

    Args:
        continuations: for each option the spellings of its label.
        shown: the most probable tokens with their log-probabilities.
    """
    seen = [(token, min(value, 0.0)) for token, value in shown if _UNLIKELY < value < math.inf]
    left = 1.0 - sum(math.exp(value) for _, value in seen)
    rest = min([math.log(max(left, _LEAST_REST)), *(value for _, value in seen)]) if seen else 0.0
    return tuple(_group(spellings, seen, rest) for spellings in continuations)


def _group(spellings: Sequence[str], seen: Sequence[tuple[str, float]], rest: float) -> tuple[Score, ...]:
    found: list[list[float]] = [[] for _ in spellings]
    for token, value in seen:
        exact = [place for place, text in enumerate(spellings) if text == token]
        spaced = [place for place, text in enumerate(spellings) if text.strip() == _bare(token)]
        for place in (exact or spaced)[:1]:
            found[place].append(value)
    return tuple(
        Score(min(_added(values), 0.0), 1, len(text.strip()))
        if values
        else Score(max([rest, *(value for token, value in seen if _begins(token, text))]), 1, len(text.strip()), True)
        for text, values in zip(spellings, found, strict=True)
    )


def _added(values: Sequence[float]) -> float:
    """Probabilities added, as logarithms."""
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def _bare(token: str) -> str:
    """A token without space around it, nor the marks for a space that some servers leave in."""
    return token.strip().strip("\u0120\u2581")


def _begins(token: str, text: str) -> bool:
    """Whether a text may be spelled by several tokens, of which this is the first."""
    part = bool(token) and (text.startswith(token) or text.strip().startswith(_bare(token) or token))
    return part and _bare(token) != text.strip()


# -- audio -------------------------------------------------------------------------------------------------------

_MAGIC = ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3", "mp3"), (b"\x1aE\xdf\xa3", "webm"))


def audio_kind(data: bytes) -> str:
    """The kind of an audio file, by its first bytes; empty if it is not known."""
    if data[:4] in (b"RIFF", b"FORM"):
        return {b"WAVE": "wav", b"AIFF": "aiff", b"AIFC": "aiff"}.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return "m4a"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:  # MPEG: its layer is 0 in AAC
        return "mp3" if data[1] & 0x06 else "aac" if data[1] & 0xF0 == 0xF0 else ""
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "")


# -- small things ------------------------------------------------------------------------------------------------


def _sound(text: str) -> str:
    """Text that can be written as UTF-8: a server may send half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _public(url: str) -> str:
    """An address without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
