"""Calls to an API, side by side: how many at once, when one is made again, and when to stop.

The vendors' SDKs have their own retries, switched off here: two that retry would multiply, and only the engine sees
all calls of a run. An adapter says what an error means (`Fault`); here it is decided what to do about it.

How many calls may be under way adapts to the server (additive increase, multiplicative decrease; Chiu and Jain 1989):
it grows with every success, doubling each round until the first rate limit and by one a round after it, and is halved
by a rate limit, once for all the calls that were already under way.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
import anyio.from_thread

from akb.errors import AkbError, ClipError
from akb.types import MODEL, Fault, Finish, Priced, RemoteAdapter, Request, Response

FIRST_LIMIT = 8  # calls at once, to begin with
_TOLD = 160  # characters of a fault that the record keeps


@dataclass(frozen=True)
class Retry:
    """How often and how patiently a request is asked again after an error that may pass.

    Attributes:
        tries: how often a request is asked at most; rate limits do not count, for they say nothing about it.
        cold: the same as long as nothing was ever answered: the server may not be there at all.
        first, most: the first pause and the longest one of our own choosing, in seconds; pauses double, with jitter.
        patience: seconds after a request's first call in which another may begin. So a request is given up after at
            most this and the adapter's timeout.
        hopeless: this many requests given up before any success end the run.
        outage: this many given up one after the other, for reasons that are not their own, end it later on.
    """

    tries: int = 10
    cold: int = 5
    first: float = 0.5
    most: float = 60.0
    patience: float = 900.0
    hopeless: int = 3
    outage: int = 10

    def pause(self, attempt: int, told: float | None) -> float:
        """Seconds to wait after a failed attempt (from 0). What the server told is kept to, with a little on top, so
        that those who were told the same do not all come back at the same moment."""
        if told is not None:
            return told + random.uniform(0.0, min(1.0, 0.1 * told))
        return float(min(self.most, self.first * 2 ** min(attempt, 64)) * random.uniform(0.5, 1.0))


@dataclass
class Budget:
    """What may be spent, over any number of runs.

    Attributes:
        most: US dollars.
        spent: on answers that have arrived.
        promised: the most that the calls under way can cost.
        calls: how many are under way.
    """

    most: float
    spent: float = 0.0
    promised: float = 0.0
    calls: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.most, int | float) or not self.most >= 0:
            raise AkbError(f"a number of US dollars is wanted (found {self.most!r})", where="max_cost")
        self._change = anyio.Event()

    async def reserve(self, cost: float) -> bool:
        """Set the cost of a call aside, after waiting for those under way to cost less than promised if need be;
        False if there is not enough left."""
        while self.spent + self.promised + cost > self.most:
            if self.calls == 0:
                return False
            await self._change.wait()
        self.promised += cost
        self.calls += 1
        return True

    def settle(self, cost: float, paid: float) -> None:
        """A call has ended: what was set aside for it is free again, less what it cost."""
        self.calls -= 1
        self.promised = self.promised - cost if self.calls else 0.0  # sums of floats leave a little over
        self.spent += paid
        self._change.set()
        self._change = anyio.Event()

    def over(self) -> AkbError:
        """The error that ends a run."""
        return AkbError(
            f"the cost limit is reached: ${self.spent:.4f} of ${self.most:.4f} are spent, and the next request might "
            "cost more than what is left",
            where="--max-cost",
            fix="What was answered is kept. Give the same command with a higher limit to go on.",
        )


@dataclass
class Pace:
    """How many calls a server bears at once, learned from how it answers.

    Attributes:
        most: as many as the user allows.
        limit: as many as may be under way now; its whole part counts.
        hold: nothing is asked before this time (of `time.monotonic`), because the server said so.
    """

    most: int
    limit: float = FIRST_LIMIT
    hold: float = 0.0
    _ramp: bool = True
    _cut: float = 0.0

    def __post_init__(self) -> None:
        self.limit = min(self.limit, float(self.most))

    def succeeded(self, under_way: int) -> None:
        """An answer has arrived, while so many calls were under way. The limit grows only while it is used."""
        if under_way >= int(self.limit):
            self.limit = min(float(self.most), self.limit + (1.0 if self._ramp else 1.0 / self.limit))

    def limited(self, asked: float, after: float | None) -> None:
        """A call begun at a time met a rate limit. Those under way at the last cut do not cut again."""
        now = time.monotonic()
        if asked >= self._cut:
            self.limit, self._ramp, self._cut = max(1.0, self.limit / 2), False, now
        if after is not None:
            self.hold = max(self.hold, now + after)


class _Room:
    """Room for as many calls as the pace allows. Requests that are asked again go before those that never were, so
    that they need not wait for all of them.

    Attributes:
        under_way: calls that have a place.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace, self.under_way = pace, 0
        self._again, self._new = deque[anyio.Event](), deque[anyio.Event]()

    @asynccontextmanager
    async def taken(self, *, again: bool) -> AsyncIterator[None]:
        """A call's place, once there is one."""
        turn = anyio.Event()
        (self._again if again else self._new).append(turn)
        self._admit()
        await turn.wait()
        try:
            yield
        finally:
            self.under_way -= 1
            self._admit()

    def _admit(self) -> None:
        while self.under_way < int(self.pace.limit) and (line := self._again or self._new):
            self.under_way += 1
            line.popleft().set()


@dataclass(frozen=True)
class _ClipFault(Fault):
    """A clip cannot be sent; `unhearable` says of what kind that is (`ClipError.kind`)."""

    unhearable: str = ""


@dataclass
class Calls:
    """The calls of one run to one adapter. What was learned of the server outlasts a wave of requests.

    Attributes:
        check: raises if a response is not of the form that its request asks for.
        faulted: told of every fault; for whoever watches.
        answered: whether the adapter ever answered.
        vain: requests given up since its last answer.
    """

    adapter: RemoteAdapter
    check: Callable[[Request, Response], None]
    retry: Retry = field(default_factory=Retry)
    budget: Budget | None = None
    faulted: Callable[[Fault, int], None] = lambda fault, limit: None
    answered: bool = False
    vain: int = 0
    pace: Pace = field(init=False)
    _stop: AkbError | None = None

    def __post_init__(self) -> None:
        self.pace = Pace(max(1, self.adapter.concurrency))

    def run(self, requests: Sequence[Request], deliver: Callable[[int, Response], None]) -> None:
        """Ask requests; hands over (place of the request, response) as they arrive, in the order of arrival.

        Raises:
            AkbError: the budget is used up, or the server cannot be asked. Calls under way are waited for in the
                first case, because they are paid for.
        """
        try:
            if _in_event_loop():  # a notebook runs one already: ours gets a thread, which an interrupt ends too
                with anyio.from_thread.start_blocking_portal() as portal:
                    portal.call(self._all, requests, deliver)
            else:
                anyio.run(self._all, requests, deliver)
        except BaseExceptionGroup as group:
            raise _first_leaf(group) from None
        if self._stop is not None:
            raise self._stop

    async def _all(self, requests: Sequence[Request], deliver: Callable[[int, Response], None]) -> None:
        queue, room = iter(enumerate(requests)), _Room(self.pace)
        async with anyio.create_task_group() as group:
            for _ in range(min(self.pace.most, len(requests))):
                group.start_soon(self._work, queue, room, deliver)

    async def _work(
        self,
        queue: Iterator[tuple[int, Request]],
        room: _Room,
        deliver: Callable[[int, Response], None],
    ) -> None:
        for place, request in queue:
            try:
                response = await self._paid_for(request, room)
            except AkbError as error:  # the run ends; what others have under way is waited for, for it is paid
                self._stop = self._stop or error
                response = None
            if response is None:
                return
            deliver(place, response)

    async def _paid_for(self, request: Request, room: _Room) -> Response | None:
        """A request's response within the budget; None once the run is to end."""
        if self._stop is not None or self.budget is None:
            return None if self._stop else await self._one(request, room)
        cost, paid = self._most(request), 0.0
        if not await self.budget.reserve(cost):
            raise self.budget.over()
        try:
            response = None if self._stop else await self._one(request, room)
            if response is not None:
                response, paid = _charged(response, cost)
        finally:
            self.budget.settle(cost, paid)
        return response

    def _most(self, request: Request) -> float:
        """The most that a request can cost."""
        cost = self.adapter.estimate(request).cost if isinstance(self.adapter, Priced) else None
        if cost is None:
            model = self.adapter.fingerprint().get("model", "the model")
            raise AkbError(
                f"the cost of {model} cannot be limited: its price is not known",
                where="--max-cost",
                fix=f"Give it, in dollars per million tokens: --set {self._role}.prices='{{input: 1, output: 2}}'",
            )
        return cost

    @property
    def _role(self) -> str:
        """With what the settings of whom it calls begin."""
        return str(getattr(getattr(self.adapter, "card", None), "role", MODEL))

    async def _one(self, request: Request, room: _Room) -> Response | None:
        """A request's response, after as many calls as it takes; an error response once it is given up, None if the
        run ends before."""
        began, faults = math.inf, list[Fault]()
        while self._stop is None:
            await self._until_allowed()
            async with room.taken(again=bool(faults)):
                asked = time.monotonic()
                if asked < self.pace.hold or room.under_way > int(self.pace.limit):
                    continue  # the server said so while this one stood in line
                began = min(began, asked)
                if asked - began > self.retry.patience:
                    return self._given_up(faults, asked - began)
                found = await self._call(request, asked)
                if isinstance(found, Response):
                    self.pace.succeeded(room.under_way)
            if isinstance(found, Response):
                self.answered, self.vain = True, 0
                seconds = found.seconds or time.monotonic() - asked
                return replace(found, seconds=seconds, notes=_with_faults(found, faults))
            faults.append(found)
            pause = self._pause(faults, time.monotonic() - began)
            if pause is None:
                return self._given_up(faults, time.monotonic() - began)
            await anyio.sleep(pause)
        return None

    async def _call(self, request: Request, asked: float) -> Response | Fault:
        try:
            response = await self.adapter.ask_one(request)
            self.check(request, response)
            return response
        except ClipError as error:
            return _ClipFault("fatal", str(error), unhearable=error.kind)
        except AkbError:
            raise
        except Exception as error:
            fault = self.adapter.classify(error)
            if fault.kind == "rate_limit":
                told = fault.retry_after
                self.pace.limited(asked, told if told is None or told <= self.retry.patience else None)
            self.faulted(fault, int(self.pace.limit))
            return fault

    async def _until_allowed(self) -> None:
        while (wait := self.pace.hold - time.monotonic()) > 0:
            await anyio.sleep(self.retry.pause(0, wait))

    def _pause(self, faults: Sequence[Fault], elapsed: float) -> float | None:
        """Seconds until a request is asked again; None if it is given up."""
        last = faults[-1]
        same = sum(fault.kind == last.kind for fault in faults)
        tries = self.retry.tries if self.answered else min(self.retry.tries, self.retry.cold)
        if last.kind == "fatal" or (last.kind == "transient" and same >= tries):
            return None
        pause = self.retry.pause(same - 1, last.retry_after)
        return pause if elapsed + pause <= self.retry.patience else None

    def _given_up(self, faults: Sequence[Fault], elapsed: float) -> Response:
        """The error that a request ends as. Too many of them end the run: the server is down, not the request bad."""
        last = faults[-1]
        if not self.answered or last.kind != "fatal":
            self.vain += 1
        if self.vain >= (self.retry.outage if self.answered else self.retry.hopeless):
            raise self._in_vain(last)
        notes = {"unhearable": last.unhearable} if isinstance(last, _ClipFault) else {}
        response = Response(finish=Finish.ERROR, error=last.message, seconds=elapsed, notes=notes)
        return replace(response, notes=_with_faults(response, faults[:-1]))

    def _in_vain(self, last: Fault) -> AkbError:
        """The error that ends a run whose requests are given up one after the other."""
        told = self.adapter.fingerprint()
        whom, url = f"{self._role} {told.get('model', '')}".strip(), told.get("base_url")
        where = getattr(self.adapter, "where", whom) + (f" at {url}" if url else "")
        what = "the model does not answer any more" if self.answered else "the model cannot be asked"
        check = "Is the server up, and is this its address? " if url and not self.answered else ""
        fix = f"{check}Nothing was lost; mend the cause and run the same again."
        return AkbError(f"{what}: {last.message}", where=where, fix=fix)


def _charged(response: Response, most: float) -> tuple[Response, float]:
    """A response and what it cost; the most that it can have, and a note of it, where the server did not count its
    tokens."""
    if response.cost is None and response.finish not in (Finish.ERROR, Finish.REFUSAL):
        return replace(response, notes={**response.notes, "charged": most}), most
    return response, response.cost or 0.0


def _with_faults(response: Response, faults: Sequence[Fault]) -> dict[str, object]:
    """A response's notes, with the failed calls that came before it."""
    told = [f"{fault.kind}: {fault.message}"[:_TOLD] for fault in faults]
    return {**response.notes, "faults": told} if told else dict(response.notes)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
