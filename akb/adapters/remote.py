"""What the adapters of APIs share: settings, the key, one client an event loop, and what an error means.

An adapter of an API says how a request is put to it and how its answer is read; all else is here. The vendor's own
SDK speaks to the server, with its retries switched off: how often and how patiently is the engine's to decide, and
two that retry would multiply. The key is read when the first request is made, so that listing models and dry runs
need none, and it is kept out of everything that is shown or written down.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

import anyio
from anyio.lowlevel import RunVar
from pydantic import Field, ValidationError

from akb.adapters.cards import Card
from akb.errors import AkbError, missing_extra
from akb.strict import Strict, parse
from akb.types import Capabilities, Decoding, Fault, Finish, Generate, Request, Response

Effort = str | int

_TRANSPORTS = {"httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "anyio"}
_KEY_LIKE = re.compile(r"\b(?:sk-|AIza)[\w*.-]{4,}")


class UnreadableError(Exception):
    """The server's reply is not of the form that its API has."""


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


class Remote(ABC):
    """A model behind an API, as an adapter.

    Attributes:
        NAME: the adapter's name, which is also that of the extra.
        VERSION: rises when a change here may move an answer.
        MODULE, PACKAGE: the SDK, as it is imported and as it is installed.
        KEYS, URL: environment variables that may hold the key (the first that does counts) and the address.
        DATED: matches names that mean one snapshot; any other name may come to mean another model.
        SAMPLES_WHILE_REASONING: the API takes a temperature also of a model that reasons.
    """

    NAME: ClassVar[str]
    VERSION: ClassVar[int] = 1
    MODULE: ClassVar[str]
    PACKAGE: ClassVar[str]
    KEYS: ClassVar[tuple[str, ...]]
    URL: ClassVar[str]
    DATED: ClassVar[re.Pattern[str]]
    SAMPLES_WHILE_REASONING: ClassVar[bool] = False

    capabilities = Capabilities(generate=True, concurrent=True)

    def __init__(self, card: Card, args: Args) -> None:
        self.card, self.args = card, args
        self.where = f"model {card.name}"
        self.reasons = args.reasoning or card.reasoning.can
        self.base_url = args.base_url or os.environ.get(self.URL) or None
        if self.base_url is not None:
            _address(self.base_url, f"{self.where}, base_url or {self.URL}")
        self._secret = ""
        self._held: RunVar[tuple[Any, AsyncGenerator[None, None]]] = RunVar(f"client of {self.where}")

    @property
    def concurrency(self) -> int:
        return self.args.concurrency

    def fingerprint(self) -> Mapping[str, Any]:
        told: dict[str, Any] = {"adapter": f"{self.NAME}/{self.VERSION}", "model": self.card.model}
        told["reasoning"] = self.reasons
        if self.reasons != "never":
            told |= {"effort": self.args.effort, "least_effort": self.args.least_effort, "room": self.args.room}
        if self.args.sampling is not None:
            told["sampling"] = self.args.sampling
        if self.base_url is not None:
            told["base_url"] = _public(self.base_url)
        if not self.DATED.search(self.card.model):
            told["alias"] = True
        return told

    def close(self) -> None:
        """Forget the key. Connections were closed with the event loops that made them."""
        self._secret = ""

    # -- what each API does in its own way --

    @abstractmethod
    def connect(self, sdk: Any, key: str) -> Any:
        """The SDK's asynchronous client, its own retries off."""

    @abstractmethod
    async def send(self, client: Any, request: Generate) -> Any:
        """Put a request to the API; the SDK's answer."""

    @abstractmethod
    def read(self, answer: Any, thinking: Thinking) -> Response:
        """The SDK's answer in the contract's terms."""

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
        if not isinstance(request, Generate):
            raise TypeError("the engine asks only what the capabilities promise")
        client, started = await self._client(), time.perf_counter()
        try:
            with anyio.fail_after(self.args.timeout):
                answer = await self.send(client, request)
        except Exception as error:
            if refusal := self.refused(error):
                return refusal
            if _ends_the_run(error):  # no question will fare better, and an error would count as a wrong answer
                raise AkbError(self.classify(error).message, where=self.where,
                               fix="Nothing was lost; mend the cause and run the same again.") from None  # fmt: skip
            raise
        seconds = time.perf_counter() - started
        try:
            return replace(self.read(answer, self.thinking(request.decoding)), seconds=seconds)
        except (AttributeError, LookupError, TypeError) as error:
            raise UnreadableError("the server's reply is not of the form that this API has") from error

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

    # -- errors --

    def classify(self, error: Exception) -> Fault:
        status, after = _status(error), self.retry_after(error)
        said = _said(error)
        if len(self._secret) >= 8:  # a shorter one is the "none" of a local server
            said = said.replace(self._secret, "[key]")
        said = _KEY_LIKE.sub("[key]", said)
        if isinstance(error, TimeoutError):
            return Fault.transient(f"no answer within {self.args.timeout:g} s")
        told = f"({status}): {said}"
        if status == 429 and not _ends_the_run(error):
            return Fault.rate_limit(f"too many requests {told}", after)
        if status in (408, 409, 425) or (status or 0) >= 500:
            return Fault("transient", f"the server failed {told}", after)
        if status is None or status < 400:
            return Fault.transient(said) if _passing(error) else Fault.fatal(f"{type(error).__name__}: {said}")
        if status == 401:  # what a server says about a wrong key may hold parts of it
            return Fault.fatal("the server does not accept the key (401)")
        told = f"{self.card.model} {told}"
        kinds = {402: "there is no credit for", 403: "the key does not give access to",
                 404: "the server does not know", 429: "there is no credit for"}  # fmt: skip
        return Fault.fatal(f"{kinds.get(status, 'the server refuses the request to')} {told}")


def _ends_the_run(error: Exception) -> bool:
    """No question will fare better; were it recorded, it would count as a wrong answer of the model."""
    return _status(error) in (401, 402) or getattr(error, "code", None) == "insufficient_quota"


def _passing(error: Exception) -> bool:
    """An error without a status: of the network, or a reply cut short or of a wrong form."""
    kinds = type(error).__mro__
    sdk = any(kind.__name__ in ("APIConnectionError", "APIResponseValidationError") for kind in kinds)
    net = any(kind.__module__.partition(".")[0] in _TRANSPORTS for kind in kinds)
    wrong = (OSError, UnreadableError, json.JSONDecodeError, UnicodeDecodeError, ValidationError)
    return sdk or net or isinstance(error, wrong)


def _status(error: Exception) -> int | None:
    for name in ("status_code", "code"):
        if isinstance(found := getattr(error, name, None), int):
            return found
    return None


def _said(error: Exception) -> str:
    """What the server said, in one line; else what the error says, and what lay below it."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else getattr(error, "message", None)
    told = [str(said or error or ""), str(error.__cause__ or "")]
    text = _sound(" ".join(" - ".join(part for part in told if part).split())) or type(error).__name__
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
    word = str(getattr(reason, "value", reason))
    finish = kinds.get(word, Finish.STOP)
    if finish == Finish.LENGTH and thought and not text.strip():
        finish = Finish.THINKING
    notes = {} if kinds.get(word) == Finish.STOP else {"finish_reason": word}
    return Response(text=_sound(text), reasoning=_sound(reasoning) or None, finish=finish, notes=notes, **usage)


def _sound(text: str) -> str:
    """Text that can be written as UTF-8: a server may send half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _public(url: str) -> str:
    """An address without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
