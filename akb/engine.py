"""The engine: carries requests from a task to adapters and responses back, and writes each down as it arrives.

One engine, two ways to drive it: a local model is asked in batches, synchronously; an API is asked many single
requests side by side (akb.calling). The engine looks into neither the task nor the model: it knows the contract
alone.

Trials go through in windows of fixed size, so that memory does not grow with the task; within a window they are
asked in waves (all first requests, then all that follow from their responses, ...), so that a captioner has done its
work before the reader starts. Batches are planned over a whole wave, answered or not: a resumed run computes the
same batches as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from akb.calling import Budget, Calls, Retry
from akb.errors import AkbError
from akb.jsonable import dumps, response_to
from akb.records import Record, Recorded
from akb.store import Cache
from akb.types import (
    Adapter,
    Choose,
    Clip,
    Fault,
    Finish,
    LocalAdapter,
    Outcome,
    RemoteAdapter,
    Request,
    Response,
    Status,
    Task,
    Trial,
    request_key,
)

WINDOW = 4096


class Progress(Protocol):
    """Whoever watches a run."""

    def total(self, trials: int) -> None:
        """The run has so many trials."""

    def expect(self, requests: int, trials: int) -> None:
        """So many more requests are to be answered, of so many trials that were not heard of before."""

    def asked(self, answered: int, *, from_record: bool) -> None:
        """So many more requests are answered."""

    def judged(self, trial: Trial, outcome: Outcome) -> None:
        """A trial is done."""

    def faulted(self, fault: Fault, limit: int) -> None:
        """A call to an API failed; so many may now be under way at once."""


class Silent:
    """Watches nothing."""

    def total(self, trials: int) -> None: ...

    def expect(self, requests: int, trials: int) -> None: ...

    def asked(self, answered: int, *, from_record: bool) -> None: ...

    def judged(self, trial: Trial, outcome: Outcome) -> None: ...

    def faulted(self, fault: Fault, limit: int) -> None: ...


@dataclass
class _Ask:
    """One request of one trial.

    Attributes:
        trial: place of its trial in the window.
        number: its own place among the trial's requests.
        cached: no model was asked for it: its response came from the cache or from its twin, in this run or before it
            was interrupted.
        twins: asks of the same key in the same wave, which get this one's response.
    """

    trial: int
    number: int
    request: Request
    key: str
    answered: bool = False
    cached: bool = False
    twins: list[_Ask] = field(default_factory=list)


@dataclass
class Engine:
    """Runs a task against its parties.

    Attributes:
        parties: who is asked, by the name in `Request.to`; "model" is the one under test.
        record: where every response is written down.
        cache: responses of earlier runs; None for none.
        retry, budget: of calls to APIs; a budget of None is without limit.
        errors, answers: how many requests had no response to be had, and how many had one.
    """

    task: Task
    parties: Mapping[str, Adapter]
    record: Record
    cache: Cache | None = None
    progress: Progress = field(default_factory=Silent)
    retry: Retry = field(default_factory=Retry)
    budget: Budget | None = None
    errors: int = 0
    answers: int = 0
    _fingerprints: dict[str, Mapping[str, object]] = field(default_factory=dict)
    _calls: dict[str, Calls] = field(default_factory=dict)

    def run(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Outcome]]:
        """Ask and judge every trial; yields them in the order given.

        Raises:
            AkbError: a party cannot do what is asked of it, or an adapter failed for good. All that was answered
                until then is recorded.
        """
        source = iter(trials)
        while window := list(islice(source, WINDOW)):
            outcomes = _Window(self, window).run()
            yield from zip(window, outcomes, strict=True)

    def fingerprint(self, party: str) -> Mapping[str, object]:
        """The fingerprint of a party, asked for once."""
        if party not in self._fingerprints:
            self._fingerprints[party] = self.adapter(party).fingerprint()
        return self._fingerprints[party]

    def calls(self, party: str, adapter: RemoteAdapter) -> Calls:
        """The calls to a party behind an API."""
        if party not in self._calls:

            def check(request: Request, response: Response) -> None:
                _check_responses(adapter, [request], [response])

            faulted = self.progress.faulted
            self._calls[party] = Calls(adapter, check, self.retry, self.budget, faulted, answered=self.answers > 0)
        return self._calls[party]

    def adapter(self, party: str) -> Adapter:
        """The adapter that plays a party."""
        if party not in self.parties:
            raise AkbError(f"task {self.task.name} asks {party!r}, and nobody plays that part in this run",
                           fix=f"It has: {', '.join(self.parties)}.")  # fmt: skip
        return self.parties[party]


def next_step(task: Task, trial: Trial, responses: Sequence[Response]) -> Sequence[Request] | Outcome:
    """What a trial wants asked next, or its outcome. What would follow from a response that was not to be had (a
    caption that failed) is not asked: the trial is an error, and is taken up again when the run goes on."""
    requests = task.requests(trial, responses)
    if not requests:
        return task.judge(trial, responses)
    failed = next((r for r in responses if r.finish == Finish.ERROR), None)
    if failed is not None:
        return Outcome(Status.ERROR, 0.0, reason=failed.error)
    return requests


class _Window:
    """The trials of one window and what is known of them."""

    def __init__(self, engine: Engine, trials: Sequence[Trial]) -> None:
        self.engine, self.trials = engine, trials
        self.responses: list[list[Response | None]] = [[] for _ in trials]
        self.open = [0] * len(trials)
        self.outcomes: list[Outcome | None] = [None] * len(trials)
        self.next: list[_Ask] = []

    def run(self) -> list[Outcome]:
        for trial in range(len(self.trials)):
            self._advance(trial)
        new = len(self.trials)
        while self.next:
            wave, self.next = self.next, []
            self.engine.progress.expect(len(wave), new)
            new = 0
            for party in dict.fromkeys(ask.request.to for ask in wave):
                self._ask(party, [ask for ask in wave if ask.request.to == party])
        return [outcome for outcome in self.outcomes if outcome is not None]

    def _advance(self, index: int) -> None:
        """All that a trial asked for is answered: ask what comes next, or judge it."""
        trial, task = self.trials[index], self.engine.task
        known = [response for response in self.responses[index] if response is not None]
        requests = next_step(task, trial, known)
        if isinstance(requests, Outcome):
            self.outcomes[index] = requests
            self.engine.progress.judged(trial, requests)
            return
        self.open[index] = len(requests)
        for number, request in enumerate(requests, start=len(known)):
            key = request_key(request, self.engine.fingerprint(request.to))
            self.responses[index].append(None)
            self.next.append(_Ask(index, number, request, key))

    def _ask(self, party: str, asks: Sequence[_Ask]) -> None:
        adapter = self.engine.adapter(party)
        check_capabilities(party, adapter, [ask.request for ask in asks])
        self._recall(asks)
        self._look_up([ask for ask in asks if not ask.answered])
        self._pair(asks)
        missing = [ask for ask in asks if not ask.answered and not ask.cached]
        if not missing:
            return
        if isinstance(adapter, LocalAdapter):
            self._ask_local(adapter, asks)
        elif isinstance(adapter, RemoteAdapter):
            calls = self.engine.calls(party, adapter)
            calls.run([ask.request for ask in missing], lambda place, found: self._deliver([(missing[place], found)]))
        else:
            raise AkbError(f"{type(adapter).__name__} is neither a LocalAdapter nor a RemoteAdapter")

    def _recall(self, asks: Sequence[_Ask]) -> None:
        """Take what the record knows. Recorded errors are asked again."""
        recalled = []
        for ask in asks:
            trial = self.trials[ask.trial].id
            line = self.engine.record.recall(trial, ask.number)
            if line is None or line.response.finish == Finish.ERROR:
                continue
            if line.key != ask.key:
                raise AkbError(
                    f"question {trial} was asked in another way when this run was started",
                    where=str(self.engine.record.folder),
                    fix="The task or a plugin changed since. Start a new run with --out.",
                )
            ask.cached = line.cached
            recalled.append((ask, line.response))
        self.engine.progress.asked(len(recalled), from_record=True)
        for ask, response in recalled:
            self._settle(ask, response)

    def _look_up(self, asks: Sequence[_Ask]) -> None:
        """Take what the cache knows, and write it down as that."""
        if self.engine.cache is None or not asks:
            return
        known = self.engine.cache.get([ask.key for ask in asks])
        hits = [(ask, known[ask.key]) for ask in asks if ask.key in known]
        for ask, _ in hits:
            ask.cached = True
        if hits:
            self._deliver(hits)

    def _pair(self, asks: Sequence[_Ask]) -> None:
        """The same request twice in a wave (one clip, many questions) is asked once; its twins get its response."""
        known = {ask.key: self.responses[ask.trial][ask.number] for ask in asks if ask.answered}
        first: dict[str, _Ask] = {}
        late: list[tuple[_Ask, Response]] = []
        for ask in (ask for ask in asks if not ask.answered):
            if (response := known.get(ask.key)) is not None:  # a run was killed between the two
                late.append((ask, response))
            elif (one := first.setdefault(ask.key, ask)) is not ask:
                one.twins.append(ask)
            else:
                continue
            ask.cached = True
        if late:
            self._deliver(late)

    def _ask_local(self, adapter: LocalAdapter, asks: Sequence[_Ask]) -> None:
        """Ask in the batches of an uninterrupted run: planned over all asks, less those that the cache answered.

        A batch of which a part is recorded is computed again whole, so that its numbers are rounded as before; only
        what was missing is written down.
        """
        batches = adapter.plan([ask.request for ask in asks])
        if sorted(i for batch in batches for i in batch) != list(range(len(asks))):
            raise _broken(adapter, f"its plan does not hold each of {len(asks)} requests once")
        uncached = ([asks[i] for i in batch if not asks[i].cached] for batch in batches)
        todo = [batch for batch in uncached if not all(ask.answered for ask in batch)]
        waiting = dict(enumerate(todo))
        for number, responses in adapter.ask([[ask.request for ask in batch] for batch in todo]):
            if number not in waiting:
                raise _broken(adapter, f"it answered batch {number}, and {sorted(waiting)} are still to be answered")
            batch = waiting.pop(number)
            _check_responses(adapter, [ask.request for ask in batch], responses)
            pairs = zip(batch, responses, strict=True)
            self._deliver([(ask, response) for ask, response in pairs if not ask.answered])
        if waiting:
            raise _broken(adapter, f"{sum(map(len, waiting.values()))} requests have no response")

    def _deliver(self, pairs: Sequence[tuple[_Ask, Response]]) -> None:
        """Responses have arrived: write them down, and let their trials go on."""
        pairs = [(ask, response) for first, response in pairs for ask in (first, *first.twins)]
        self.engine.record.add(
            Recorded(self.trials[ask.trial].id, ask.number, ask.key, response, ask.cached, ask.request.to)
            for ask, response in pairs
        )
        new = {ask.key: response for ask, response in pairs if not ask.cached}
        if new and self.engine.cache is not None:
            self.engine.cache.put(new)
        for cached in (False, True):
            count = sum(ask.cached is cached for ask, _ in pairs)
            self.engine.progress.asked(count, from_record=cached)
        for ask, response in pairs:
            self._settle(ask, response)

    def _settle(self, ask: _Ask, response: Response) -> None:
        ask.answered = True
        if response.finish == Finish.ERROR:
            self.engine.errors += 1
        else:
            self.engine.answers += 1
        self.responses[ask.trial][ask.number] = response
        self.open[ask.trial] -= 1
        if self.open[ask.trial] == 0:
            self._advance(ask.trial)


def check_capabilities(party: str, adapter: Adapter, requests: Iterable[Request]) -> None:
    """See to it that a party can do what is asked of it.

    Raises:
        AkbError: it cannot.
    """
    can = adapter.capabilities
    for request in requests:
        if isinstance(request, Choose) and not can.choose:
            raise AkbError(f"the {party} gives no log-probabilities, and this protocol asks for them",
                           fix="Use a protocol that lets it reply in words: --protocol akb-v1")  # fmt: skip
        if not isinstance(request, Choose) and not can.generate:
            raise AkbError(f"the {party} cannot generate, and this protocol lets it reply in words",
                           fix="Use a protocol of log-probabilities: --protocol akb-v1-loglik")  # fmt: skip
        if not can.audio and any(isinstance(p, Clip) for m in request.messages for p in m.parts):
            raise AkbError(f"the {party} does not take audio, and the question has some",
                           fix="Ask without it: --listen none")  # fmt: skip


def _check_responses(adapter: Adapter, requests: Sequence[Request], responses: Sequence[Response]) -> None:
    """Each request has one response of its shape; what is judged rests on it."""
    if not isinstance(responses, Sequence) or len(responses) != len(requests):
        told = f"{len(responses)} responses" if isinstance(responses, Sequence) else type(responses).__name__
        raise _broken(adapter, f"it gave {told} to {len(requests)} requests")
    for request, response in zip(requests, responses, strict=True):
        if not isinstance(response, Response):
            raise _broken(adapter, f"it gave a {type(response).__name__}; a Response is wanted")
        try:
            dumps(response_to(response))
        except (TypeError, ValueError, AttributeError) as error:
            raise _broken(adapter, f"its response cannot be written down: {error}") from None
        if isinstance(request, Choose) and response.finish not in (Finish.ERROR, Finish.REFUSAL):
            shapes = [[len(group) for group in groups] for groups in (request.continuations, response.scores)]
            if shapes[0] != shapes[1]:
                raise _broken(adapter, f"it scored {shapes[1]} continuations where {shapes[0]} were asked")


def _broken(adapter: Adapter, what: str) -> AkbError:
    name = adapter.fingerprint().get("adapter", type(adapter).__name__)
    return AkbError(f"the adapter does not do as it must: {what}", where=f"adapter {name}",
                    fix="What was answered is kept. Mend the adapter and run the same again.")  # fmt: skip
