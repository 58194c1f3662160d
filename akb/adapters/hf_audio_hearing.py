"""What models of transformers that hear have in common: clips decoded ahead of the model, batches by seconds, memory.

While the model is at one batch, the next one is decoded, resampled and turned into features in a thread; soundfile,
soxr and torch leave Python's lock while they work.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field

from akb.adapters import batching, hf, snapshot
from akb.adapters.cards import Card
from akb.errors import AkbError
from akb.files import file_sha256
from akb.strict import Strict
from akb.types import Clip, Finish, Request, Response

if TYPE_CHECKING:
    from akb.audio import Policy, Sound

ORDINARY = ("rate", "channels", "seconds", "encoding")  # notes that every clip has
AHEAD = 2  # batches that are made ready before they are wanted
T = TypeVar("T")
R = TypeVar("R")


class Hearing(Strict):
    """Settings of a local model that hears: `--set model.KEY=VALUE` (captioner.KEY=VALUE), or `args` of a
    card.

    Attributes:
        device, dtype, revision, attention, threads: as of `hf`; one device.
        batch_seconds: the most seconds of audio that go through the model at once, as the model pads them; null for
            a size that suits the device.
        longest: seconds of a clip that are heard; null: all that the model takes.
        beyond: what becomes of a longer clip: its beginning is heard, or it is refused; without `longest` one is
            refused of which the model would leave something out.
    """

    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    revision: str | None = Field(default=None, coerce_numbers_to_str=True)
    attention: str | None = None
    threads: int | None = Field(default=None, ge=1)
    batch_seconds: float | None = Field(default=None, gt=0)
    longest: float | None = Field(default=None, gt=0)
    beyond: Literal["truncate", "refuse"] = "truncate"


@dataclass(frozen=True)
class Ready:
    """A request whose clips were decoded.

    Attributes:
        sounds: of its clips, in their order.
        features: what the model is given, where that is computed ahead.
        error: why it cannot be answered; empty if it can.
        unhearable: the kind (`Unhearable.kind`) of what is wrong with its clips; empty: nothing is.
    """

    request: Request
    sounds: tuple[Sound, ...] = ()
    features: Any = None
    error: str = ""
    unhearable: str = ""

    @property
    def notes(self) -> dict[str, Any]:
        """What was done to its clips, or seen in them, that is out of the ordinary."""
        told = [{name: seen for name, seen in s.notes.items() if name not in ORDINARY} for s in self.sounds]
        return {"audio": told[0] if len(told) == 1 else told} if any(told) else {}


class Listener(ABC):
    """A local adapter that hears. What it is asked is decoded ahead, and answered in batches by seconds.

    A clip that cannot be heard is the error of its own request alone.
    """

    SECONDS, SECONDS_ON_CPU = 960.0, 480.0

    def __init__(self, card: Card, args: Hearing, code: bool = False) -> None:
        self.card, self.args = card, args
        self.where = f"{card.role} {card.name}"
        told = {name: getattr(args, name) for name in ("device", "dtype", "revision", "attention", "threads")}
        self.base = hf.HF(card, hf.Args(trust_remote_code=code, **told))  # what a model is, it knows
        if "," in args.device:
            raise AkbError("a model that hears runs on one device", where=self.where, fix="E.g. device=cuda:0")

    # -- to be said by each kind --

    @property
    @abstractmethod
    def policy(self) -> Policy:
        """How clips are decoded."""

    @abstractmethod
    def get_ready(self, batch: Sequence[Ready]) -> list[Ready]:
        """Compute the features of decoded requests, in a thread; what cannot be answered gets an `error`."""

    @abstractmethod
    def respond(self, batch: Sequence[Ready]) -> list[Response]:
        """The responses to requests that can be heard, computed together."""

    @abstractmethod
    def need(self, request: Request, seconds: float) -> tuple[object, float]:
        """The kind of a request (kinds never share a batch), and the seconds that it takes of a batch."""

    # -- what it is --

    @property
    def snapshot(self) -> snapshot.Snapshot:
        return self.base.snapshot

    @property
    def device(self) -> str:
        return self.base.devices[0]

    def environment(self) -> dict[str, Any]:
        """On what the model ran; it moves rounding alone, and is no part of the fingerprint."""
        if "model" not in self.__dict__:
            return {}
        import torch

        name = torch.cuda.get_device_name(self.device) if self.device.startswith("cuda") else self.device
        return {"devices": [self.device], "names": [name]}

    def fingerprint(self) -> Mapping[str, Any]:
        return {**self.base.fingerprint(), "decoding": self.policy.told()}

    # -- planning and asking --

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        on_cpu = self.device.startswith("cpu")
        budget = self.args.batch_seconds or (self.SECONDS_ON_CPU if on_cpu else self.SECONDS)
        lengths: dict[str, float] = {}
        needs = []
        for request in requests:
            clips = clips_of(request)
            for clip in clips:
                if clip.path not in lengths:
                    lengths[clip.path] = min(length(clip), self.args.longest or float("inf"))
            kind, seconds = self.need(request, sum(lengths[clip.path] for clip in clips))
            needs.append(batching.Need(kind, max(round(1000 * seconds), 1), round(1000 * budget)))
        return batching.plan(needs)

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(ahead(batches, self._ready)):
            started = time.perf_counter()
            responses = self._answer(batch)
            each = (time.perf_counter() - started) / max(len(batch), 1)
            yield number, [replace(response, seconds=each) for response in responses]

    def _ready(self, batch: Sequence[Request]) -> list[Ready]:
        heard = [self._heard(request) for request in batch]
        fit = [ready for ready in heard if not ready.error]
        made = iter(self.get_ready(fit) if fit else ())
        return [ready if ready.error else next(made) for ready in heard]

    def _heard(self, request: Request) -> Ready:
        from akb.audio import Unhearable

        try:
            sounds = tuple(hear(clip, self.policy) for clip in clips_of(request))
        except Unhearable as error:
            return Ready(request, error=str(error), unhearable=error.kind)
        return Ready(request, sounds)

    def _answer(self, batch: Sequence[Ready]) -> list[Response]:
        fit = [ready for ready in batch if not ready.error]
        answers = iter(self._split_on_oom(fit))
        return [_failed(ready) if ready.error else _with_notes(next(answers), ready.notes) for ready in batch]

    def _split_on_oom(self, batch: Sequence[Ready]) -> list[Response]:
        """The responses to a batch; one that memory cannot hold is split."""
        if not batch:
            return []
        import torch

        from akb.adapters.loading import lacks_memory, quiet

        try:
            with torch.inference_mode(), quiet():
                return self.respond(batch)
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
            if len(batch) == 1:
                role = self.card.role
                raise AkbError(
                    "there is too little memory for a single clip",
                    where=f"{self.where} on {self.device}",
                    fix=f"Use a smaller dtype (--set {role}.dtype=bfloat16), or hear less of each clip: "
                    f"--set {role}.longest=30",
                ) from None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        middle = len(batch) // 2
        return self._split_on_oom(batch[:middle]) + self._split_on_oom(batch[middle:])

    @cached_property
    @abstractmethod
    def model(self) -> Any:
        """The model, loaded when it is first asked."""

    def close(self) -> None:
        """Drop the model and give its memory back."""
        if self.__dict__.pop("model", None) is None:
            return
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def clips_of(request: Request) -> list[Clip]:
    """The clips of a request, in the order in which they are heard."""
    return [part for message in request.messages for part in message.parts if isinstance(part, Clip)]


def contents(request: Request) -> list[int]:
    """Numbers of the contents of a request's clips, for seeds."""
    return [int.from_bytes(clip.sha256.encode()[:8], "big") for clip in clips_of(request)]


def hear(clip: Clip, policy: Policy) -> Sound:
    """A clip, decoded.

    Raises:
        Unhearable: it cannot be read, or is another than the task meant.
    """
    from akb.audio import read

    sound = read(clip.path, policy)
    check_same(clip)
    return sound


def check_same(clip: Clip) -> None:
    """See to it that a clip is still the one that the task meant; asked after it was read.

    Raises:
        Unhearable: it is another.
    """
    from akb.audio import Unhearable

    if clip.sha256 and file_sha256(Path(clip.path)) != clip.sha256:
        raise Unhearable("the clip has changed since the task was loaded", kind="unreadable",
                         where=clip.path, fix="Run the same again.")  # fmt: skip


def length(clip: Clip) -> float:
    """About how many seconds a clip lasts, by its header; 0 where that cannot be read."""
    try:
        import soundfile

        return float(soundfile.info(clip.path).duration)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError):
        return 0.0  # decoding says what is wrong


def ahead(items: Iterable[T], work: Callable[[T], R], many: int = AHEAD) -> Iterator[R]:
    """`work` done on items in a thread, in their order, at most so many before they are wanted."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="akb-ahead") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > many:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _failed(ready: Ready) -> Response:
    notes = {"unhearable": ready.unhearable} if ready.unhearable else {}
    return Response(finish=Finish.ERROR, error=ready.error, notes=notes)


def _with_notes(response: Response, notes: Mapping[str, Any]) -> Response:
    return replace(response, notes={**notes, **response.notes}) if notes else response
