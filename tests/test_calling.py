"""Calls to an API side by side, with a toy server: how many at once, when again, when no more, and for how much."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from toys import lines

import akb
from akb.calling import FIRST_LIMIT, Budget, Calls, Retry
from akb.engine import Engine
from akb.errors import AkbError
from akb.records import Recorded, read_responses
from akb.run import Run
from akb.tasks.asking import Asking
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.protocol import Prompt, Protocol
from akb.types import MODEL, Capabilities, Estimate, Fault, Finish, Generate, Message, Question, Request, Response
from akb.usage import Usage, count, strangers

QUICK = Retry(first=0.001, most=0.02)
PROTOCOL = Protocol(name="toy", ask="generate", prompt="toy", order="given")
PROMPT = Prompt(name="toy", user="{{ question }}", reply="{{ key.label }}")
SLOW = Fault.rate_limit("slow down")
BUSY = Fault.transient("try again")
BAD = Fault.fatal("no such thing")


class MetError(Exception):
    """What a call meets."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass
class Call:
    """A call as the server sees it.

    Attributes:
        number: how often this question was asked before.
        answered: how many calls had been answered when it came.
        under_way: how many calls were under way with it, and `limit`, how many might be.
    """

    name: str
    number: int
    at: float
    answered: int
    under_way: int
    limit: float


class Toy:
    """A model behind an API that meets its calls with what it is told to; a fault is raised, None is an answer."""

    capabilities = Capabilities(generate=True, concurrent=True)
    limit: Callable[[], float] = staticmethod(lambda: math.inf)

    def __init__(
        self, meet: Callable[[Call], Fault | None] = lambda call: None, concurrency: int = 8, pause: float = 0.002
    ) -> None:
        self.meet, self.concurrency, self.pause = meet, concurrency, pause
        self.calls: list[Call] = []
        self.under_way = self.answered = 0
        self.reply = Response(text="A", served_model="toy")

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "toy/1", "model": "toy"}

    async def ask_one(self, request: Request) -> Response:
        name = request.messages[-1].text.split()[0]
        before = sum(call.name == name for call in self.calls)
        self.under_way += 1
        call = Call(name, before, time.monotonic(), self.answered, self.under_way, self.limit())
        self.calls.append(call)
        try:
            await anyio.sleep(self.pause)
            if fault := self.meet(call):
                raise MetError(fault)
            self.answered += 1
            return self.reply
        finally:
            self.under_way -= 1

    def classify(self, error: Exception) -> Fault:
        assert isinstance(error, MetError)
        return error.fault

    def close(self) -> None: ...

    @property
    def asked(self) -> Counter[str]:
        """How often each question was asked."""
        return Counter(call.name for call in self.calls)


class PricedToy(Toy):
    """Its requests cost at most `most`, and its answers `cost`, which may go by the question."""

    most: float | None = 1 / 16
    cost: float | None = 1 / 64
    by_question: Callable[[str], tuple[float, float]] | None = None

    def prices(self, request: Request) -> tuple[float | None, float | None]:
        if self.by_question is None:
            return self.most, self.cost
        return self.by_question(request.messages[-1].text.split()[0])

    def estimate(self, request: Request) -> Estimate:
        return Estimate(10, 5, self.prices(request)[0])

    async def ask_one(self, request: Request) -> Response:
        await super().ask_one(request)
        cost = self.prices(request)[1]
        return Response(text="A", prompt_tokens=10, completion_tokens=5, served_model="toy", cost=cost)


def request(number: int) -> Request:
    return Generate((Message("user", (f"n{number} ?",)),))


@dataclass
class Asked:
    """What came of asking a toy.

    Attributes:
        got: responses by question, in the order of arrival.
        told: for every fault, how many calls might be under way after it.
        limits: after every response, the same.
    """

    calls: Calls
    got: dict[str, Response]
    told: list[int]
    limits: list[float]
    seconds: float


def ask(toy: Toy, wanted: int = 40, retry: Retry = QUICK, budget: Budget | None = None) -> Asked:
    """Ask a toy so many questions, without the engine. It may not take 20 s."""
    told: list[int] = []
    calls = Calls(toy, lambda asked, found: None, retry, budget, lambda fault, limit: told.append(limit))
    toy.limit = lambda: calls.pace.limit
    got: dict[str, Response] = {}
    limits: list[float] = []

    def deliver(place: int, response: Response) -> None:
        assert f"n{place}" not in got
        got[f"n{place}"] = response
        limits.append(calls.pace.limit)

    started = time.monotonic()
    in_time(lambda: calls.run([request(n) for n in range(wanted)], deliver))
    return Asked(calls, got, told, limits, time.monotonic() - started)


def in_time(work: Callable[[], Any], seconds: float = 20) -> None:
    """Do something that must not hang; raises what it raises."""
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    if failed:
        raise failed[0]


class Numbered(MultipleChoice):
    name, version = "numbered", "1"

    def __init__(self, count: int = 40) -> None:
        super().__init__(Asking(PROTOCOL, PROMPT))
        self.count = count

    def questions(self) -> Iterable[Question]:
        return [Question(f"n{number}", f"n{number} ?", ("x", "y"), 0) for number in range(self.count)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[[Retry], None]:
    """Sets how patient the runs of `evaluate` are; at first as quick as can be."""

    def be(retry: Retry) -> None:
        monkeypatch.setattr("akb.evaluation.Engine", partial(Engine, retry=retry))

    be(QUICK)
    return be


def evaluate(toy: Toy, folder: Path, count: int = 40, *, cache: bool = False, max_cost: float | None = None) -> Run:
    return akb.evaluate(toy, Numbered(count), out=folder, cache=cache, max_cost=max_cost)


# -- how many at once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 3, 8, 50])
def test_it_begins_with_eight_calls_at_once_or_as_many_as_are_allowed(most: int) -> None:
    toy = Toy(concurrency=most, pause=0.02)
    ask(toy)
    assert sum(call.answered == 0 for call in toy.calls) == min(FIRST_LIMIT, most)


@pytest.mark.parametrize("most", [8, 40, 64])
def test_the_limit_doubles_each_round_while_nothing_is_refused(most: int) -> None:
    toy = Toy(concurrency=most, pause=0.02)
    asked = ask(toy, 400)
    full = len(toy.calls) - most  # later there are too few questions left to use it
    assert asked.limits[:full] == [min(most, FIRST_LIMIT + n) for n in range(1, full + 1)]
    begun = Counter(call.answered for call in toy.calls)
    if most >= 16:
        assert begun[0] == FIRST_LIMIT
        assert sum(begun[n] for n in range(1, FIRST_LIMIT + 1)) == 2 * FIRST_LIMIT, "each answer makes room for two"


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    assert set(ask(Toy(concurrency=50), 7).limits) == {FIRST_LIMIT}


def test_a_burst_of_refusals_halves_the_limit_once() -> None:
    toy = Toy(lambda call: SLOW if call in toy.calls[:FIRST_LIMIT] else None, 50, pause=0.01)
    asked = ask(toy)
    assert asked.told == [FIRST_LIMIT // 2] * FIRST_LIMIT
    assert len(asked.got) == 40


def test_a_later_burst_halves_it_once_too() -> None:
    """All calls under way after the 40th answer are refused, whenever they began."""
    refused: list[Call] = []

    def meet(call: Call) -> Fault | None:
        if call.answered < 40 <= toy.answered:
            refused.append(call)
            return SLOW
        return None

    toy = Toy(meet, 200)
    asked = ask(toy, 300)
    assert len(refused) > 12
    assert len(set(asked.told)) == 1
    assert (FIRST_LIMIT + 40) // 2 - 1 <= asked.told[0] <= (FIRST_LIMIT + 41) // 2


def test_refusals_over_and_over_halve_it_down_to_one_and_never_below() -> None:
    asked = ask(Toy(lambda call: SLOW if call.number < 6 else None, 8), 8)
    assert sorted(set(asked.told), reverse=True)[:3] == [4, 2, 1]
    assert min(asked.limits) >= 1
    assert len(asked.got) == 8


def test_after_a_refusal_it_grows_by_about_one_a_round() -> None:
    """By 1/limit an answer: the square of the limit grows by two an answer."""
    toy = Toy(lambda call: SLOW if len(toy.calls) <= FIRST_LIMIT else None, 1000)
    asked = ask(toy, 600)
    assert asked.told == [4] * FIRST_LIMIT
    for answers, limit in enumerate(asked.limits[:-50], start=1):
        assert abs(limit - math.sqrt(16 + 2 * answers)) < 1.5, answers


@pytest.mark.parametrize("most", [1, 4, 30])
def test_no_call_begins_beyond_the_limit_nor_beyond_what_is_allowed(most: int) -> None:
    luck = random.Random(most)
    toy = Toy(lambda call: luck.choice([SLOW, BUSY, *[None] * 30]), most)
    asked = ask(toy, 500)
    assert len(asked.got) == 500
    assert all(call.under_way <= min(int(call.limit), most) for call in toy.calls)
    assert max(call.under_way for call in toy.calls) == min(most, int(max(call.limit for call in toy.calls)))


@pytest.mark.parametrize("bears", [1, 3, 20])
def test_the_limit_settles_near_what_the_server_bears(bears: int) -> None:
    toy = Toy(lambda call: SLOW if call.under_way > bears else None, 64)
    asked = ask(toy, 60 + 30 * bears)
    assert len(asked.got) == 60 + 30 * bears
    late = [int(call.limit) for call in toy.calls[40:]]
    assert bears / 2 <= sum(late) / len(late) <= bears + 1
    assert len(asked.told) < len(toy.calls) / 2


# -- a server that says how long to wait -----------------------------------------------------------------------


def test_nothing_at_all_is_asked_until_the_time_that_the_server_told() -> None:
    told: list[float] = []

    def meet(call: Call) -> Fault | None:
        if (call.name, call.number) != ("n20", 0):
            return None
        told.append(time.monotonic())
        return Fault.rate_limit("slow down", 0.3)

    toy = Toy(meet, 64, pause=0.01)
    asked = ask(toy, 200)
    assert len(asked.got) == 200
    early = [call.name for call in toy.calls if told[0] < call.at < told[0] + 0.3]
    assert early == []
    assert asked.seconds < 10


def test_after_the_wait_no_more_calls_begin_than_the_new_limit_allows() -> None:
    toy = Toy(lambda call: Fault.rate_limit("slow", 0.2) if len(toy.calls) <= FIRST_LIMIT else None, 64, pause=0.01)
    asked = ask(toy, 60)
    assert len(asked.got) == 60
    assert sum(call.answered == 0 for call in toy.calls) == FIRST_LIMIT + FIRST_LIMIT // 2


def test_those_who_were_told_the_same_do_not_all_come_back_at_the_same_moment() -> None:
    toy = Toy(lambda call: Fault.rate_limit("slow", 0.4) if call.number == 0 else None, 8, pause=0.01)
    ask(toy, 8)
    again = sorted(call.at for call in toy.calls if call.number == 1)
    assert again[0] - toy.calls[0].at >= 0.4
    assert again[-1] - again[0] > 0.004


def test_a_wait_that_is_longer_than_our_patience_is_not_begun_and_holds_nobody_up() -> None:
    toy = Toy(lambda call: Fault.rate_limit("come back tomorrow", 80_000.0) if call.name == "n5" else None)
    asked = ask(toy)
    assert (toy.asked["n5"], asked.got["n5"].finish) == (1, Finish.ERROR)
    assert asked.got["n5"].error == "come back tomorrow"
    assert sum(response.finish == Finish.STOP for response in asked.got.values()) == 39
    assert asked.seconds < 1


def test_a_fault_that_may_pass_is_waited_out_as_told_and_holds_only_its_own_request_up() -> None:
    fault = Fault("transient", "overloaded", 0.25)
    toy = Toy(lambda call: fault if (call.name, call.number) == ("n5", 0) else None)
    asked = ask(toy)
    first, second = (call.at for call in toy.calls if call.name == "n5")
    assert second - first >= 0.25
    assert list(asked.got)[-1] == "n5"


# -- again, and no more ----------------------------------------------------------------------------------------


def test_rate_limits_do_not_use_up_the_tries_of_a_request() -> None:
    toy = Toy(lambda call: SLOW if call.number < 12 else None)
    asked = ask(toy, 3, Retry(tries=3, first=0.001, most=0.004))
    assert {response.text for response in asked.got.values()} == {"A"}
    assert set(toy.asked.values()) == {13}


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_a_request_is_asked_as_often_as_it_has_tries(tries: int) -> None:
    toy = Toy(lambda call: BUSY if call.name == "n7" else None)
    asked = ask(toy, retry=Retry(tries=tries, first=0.001))
    assert toy.asked == {f"n{n}": tries if n == 7 else 1 for n in range(40)}
    assert (asked.got["n7"].finish, asked.got["n7"].error) == (Finish.ERROR, "try again")
    assert asked.got["n7"].notes.get("faults", []) == ["transient: try again"] * (tries - 1)


def test_an_answer_keeps_the_faults_that_came_before_it_in_their_order() -> None:
    met = [SLOW, BUSY, Fault.transient("x" * 500), SLOW, None]
    toy = Toy(lambda call: met[call.number] if call.name == "n7" else None)
    asked = ask(toy)
    faults = asked.got["n7"].notes["faults"]
    assert [told.partition(":")[0] for told in faults] == ["rate_limit", "transient", "transient", "rate_limit"]
    assert max(map(len, faults)) < 200
    assert {tuple(got.notes) for name, got in asked.got.items() if name != "n7"} == {()}


def test_what_will_not_pass_is_not_asked_again() -> None:
    toy = Toy(lambda call: {0: BUSY, 1: BAD}.get(call.number) if call.name == "n7" else None)
    asked = ask(toy)
    assert (toy.asked["n7"], asked.got["n7"].error) == (2, "no such thing")
    assert asked.got["n7"].notes["faults"] == ["transient: try again"]


@pytest.mark.parametrize("after", [None, 0.1])
def test_a_request_is_given_up_when_our_patience_is_over(after: float | None) -> None:
    toy = Toy(lambda call: Fault.rate_limit("slow down", after) if call.name != "n0" else None, 16)
    asked = ask(toy, 16, Retry(first=0.01, most=0.05, patience=0.4, hopeless=99, outage=99))
    assert {got.error for name, got in asked.got.items() if name != "n0"} == {"slow down"}
    for name in toy.asked:
        first, *again = (call.at for call in toy.calls if call.name == name)
        assert all(at - first <= 0.45 for at in again)
    assert asked.seconds < 10


def test_the_wait_for_the_first_call_is_not_taken_for_patience() -> None:
    """A server that bears one call at a time: the last request waits for all others, and is still tried again."""
    toy = Toy(lambda call: SLOW if call.under_way > 1 else BUSY if call.number < 1 else None, 30, pause=0.02)
    asked = ask(toy, 30, Retry(first=0.001, most=0.01, patience=0.6))
    assert asked.seconds > 0.6
    assert {got.finish for got in asked.got.values()} == {Finish.STOP}


def test_who_is_asked_again_does_not_wait_for_all_who_were_never_asked() -> None:
    toy = Toy(lambda call: SLOW if len(toy.calls) <= FIRST_LIMIT and call.name != "n0" else None, 64, pause=0.01)
    asked = ask(toy, 64)
    place = {name: place for place, name in enumerate(asked.got)}
    assert max(place[f"n{n}"] for n in range(1, FIRST_LIMIT)) < 24


def test_a_pause_is_finite_after_any_number_of_faults() -> None:
    assert Retry().pause(5000, None) <= Retry().most


def test_no_outcome_depends_on_how_long_anything_took(tmp_path: Path, impatient: Callable[[Retry], None]) -> None:
    def meet(call: Call) -> Fault | None:
        return {"n3": BUSY, "n4": BAD, "n5": SLOW}.get(call.name)

    impatient(Retry(tries=3, first=0.001, patience=0.1))
    evaluate(Toy(meet), tmp_path / "a")
    evaluate(Toy(meet, pause=0.007), tmp_path / "b")
    told = (tmp_path / "a/outcomes.jsonl").read_bytes()
    assert told == (tmp_path / "b/outcomes.jsonl").read_bytes()
    assert all(text in told for text in (b"try again", b"no such thing", b"slow down"))


# -- a server that is down -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [BUSY, SLOW], ids=["transient", "rate limit"])
def test_a_server_that_dies_ends_the_run_which_goes_on_when_it_is_back(
    tmp_path: Path, impatient: Callable[[Retry], None], fault: Fault
) -> None:
    impatient(Retry(tries=2, first=0.001, most=0.01, patience=0.1, outage=4))
    toy = Toy(lambda call: fault if toy.answered >= 15 else None, 4)
    with pytest.raises(AkbError, match=f"does not answer any more: {fault.message}") as caught:
        in_time(lambda: evaluate(toy, tmp_path / "run"))
    assert "run the same again" in caught.value.fix
    record = lines(tmp_path / "run/responses.jsonl")
    ended = Counter(line["response"].get("finish", "stop") for line in record)
    assert ended == {"stop": 15, "error": 3}, "the fourth that is given up ends the run"

    back = Toy(concurrency=4)
    run = evaluate(back, tmp_path / "run")
    assert (run.manifest.status, run.accuracy) == ("finished", 1.0)
    answered = {line["trial"] for line in record if line["response"].get("finish", "stop") == "stop"}
    assert back.asked == {f"n{n}": 1 for n in range(40) if f"n{n}" not in answered}


def test_a_server_that_never_answers_ends_the_run_sooner(tmp_path: Path, impatient: Callable[[Retry], None]) -> None:
    impatient(Retry(tries=3, first=0.001, hopeless=2))
    toy = Toy(lambda call: BUSY, 1)
    with pytest.raises(AkbError, match="the model cannot be asked: try again"):
        in_time(lambda: evaluate(toy, tmp_path / "run"))
    assert toy.asked == {"n0": 3, "n1": 3}


def test_requests_that_are_bad_themselves_do_not_end_a_run_that_has_answers(tmp_path: Path) -> None:
    toy = Toy(lambda call: BAD if int(call.name[1:]) >= 15 else None, 4)
    run = evaluate(toy, tmp_path / "run")
    assert (run.manifest.status, run.accuracy) == ("incomplete", 15 / 40)
    assert set(toy.asked.values()) == {1}


def test_an_answer_in_between_shows_that_the_server_is_there(
    tmp_path: Path, impatient: Callable[[Retry], None]
) -> None:
    impatient(Retry(tries=2, first=0.001, outage=3))
    toy = Toy(lambda call: BUSY if int(call.name[1:]) % 3 else None, 1)
    assert evaluate(toy, tmp_path / "run").manifest.status == "incomplete"
    assert sum(toy.asked.values()) == 14 + 2 * 26


# -- what may be spent -----------------------------------------------------------------------------------------


def affordable(most: float, dear: float = 1 / 16, cost: float = 1 / 64) -> int:
    """How many answers there will be: one more is asked for as long as the dearest one could be paid."""
    return max(0, math.floor((most - dear) / cost) + 1)


@pytest.mark.parametrize("concurrency", [1, 8, 30])
@pytest.mark.parametrize("most", [0.0, 0.05, 0.0625, 0.25, 0.5])
def test_as_many_are_asked_as_can_be_paid_and_no_more(concurrency: int, most: float) -> None:
    toy, budget = PricedToy(concurrency=concurrency), Budget(most)
    with pytest.raises(AkbError, match="the cost limit is reached") as caught:
        ask(toy, 100, budget=budget)
    assert caught.value.where == "--max-cost"
    assert toy.answered == len(toy.calls) == affordable(most)
    assert (budget.spent, budget.promised) == (toy.answered / 64, 0.0)
    assert budget.spent <= most


def test_what_calls_under_way_may_cost_is_set_aside() -> None:
    toy, budget = PricedToy(concurrency=30, pause=0.02), Budget(0.25)
    with pytest.raises(AkbError):
        ask(toy, 100, budget=budget)
    assert max(call.under_way for call in toy.calls) == 4, "four dear answers could be paid, more could not"


@pytest.mark.parametrize("seed", range(8))
def test_prices_that_differ_and_round_neither_stop_it_for_ever_nor_let_more_be_spent(seed: int) -> None:
    luck = random.Random(seed)
    price = {f"n{n}": (dear := luck.uniform(0.001, 0.1), dear * luck.random()) for n in range(300)}
    toy, budget = PricedToy(concurrency=20, pause=0.0), Budget(2.0)
    toy.by_question = price.__getitem__
    with pytest.raises(AkbError, match="the cost limit is reached"):
        ask(toy, 300, budget=budget)
    assert 2.0 - 0.1 <= budget.spent <= 2.0 + 1e-9
    assert budget.spent == pytest.approx(sum(price[name][1] for name in toy.asked))


def test_nothing_is_set_aside_once_nothing_is_under_way() -> None:
    async def spend() -> bool:
        budget = Budget(1.0)
        for cost in (0.1, 0.2, 0.3):  # the sum of these is not what is left when they are taken off one by one
            assert await budget.reserve(cost)
        for cost in (0.1, 0.2, 0.3):
            budget.settle(cost, cost)
        with anyio.fail_after(5):
            return await budget.reserve(0.9)

    assert anyio.run(spend) is False


def test_a_call_that_failed_costs_nothing_and_frees_what_was_set_aside() -> None:
    toy, budget = PricedToy(lambda call: BAD if int(call.name[1:]) % 2 else None, 4), Budget(1 / 8)
    toy.cost = 0.0
    asked = ask(toy, 40, budget=budget)
    assert len(asked.got) == 40
    assert (budget.spent, budget.promised) == (0.0, 0.0)


def test_an_answer_without_a_count_of_its_tokens_is_taken_for_as_dear_as_can_be() -> None:
    toy, budget = PricedToy(), Budget(0.5)
    toy.cost = None
    with pytest.raises(AkbError, match="the cost limit is reached"):
        ask(toy, 100, budget=budget)
    assert toy.answered == 8


def test_calls_under_way_are_waited_for_and_recorded_when_no_more_can_be_paid(tmp_path: Path) -> None:
    toy = PricedToy(concurrency=8, pause=0.02)
    with pytest.raises(AkbError, match=r"\$0\.2031 of \$0\.2500 are spent") as caught:
        evaluate(toy, tmp_path / "run", max_cost=0.25)
    assert "higher limit" in caught.value.fix
    record = lines(tmp_path / "run/responses.jsonl")
    assert {line["trial"] for line in record} == set(toy.asked)
    assert len(record) == affordable(0.25)


def test_a_run_that_is_taken_up_counts_what_it_has_cost_before(tmp_path: Path) -> None:
    toy = PricedToy()
    for most in (0.25, 0.25, 0.5):
        with pytest.raises(AkbError, match="the cost limit is reached"):
            evaluate(toy, tmp_path / "run", max_cost=most)
        assert toy.answered == affordable(most)
    run = evaluate(toy, tmp_path / "run", max_cost=5)
    assert run.manifest.status == "finished"
    assert set(toy.asked.values()) == {1}
    assert run.manifest.usage[MODEL].cost == 40 / 64


def test_what_was_charged_for_answers_without_a_count_is_remembered(tmp_path: Path) -> None:
    """Else the same command, given again and again, would spend without end."""
    for _ in range(4):
        toy = PricedToy()
        toy.cost = None
        with pytest.raises(AkbError, match="the cost limit is reached"):
            evaluate(toy, tmp_path / "run", max_cost=4.5 / 16)
        asked = sum(toy.asked.values())
        assert asked in (0, 4)
    assert asked == 0
    assert len(list(read_responses(tmp_path / "run"))) == 4


@pytest.mark.parametrize("most", [math.nan, -1.0, "x", None])
def test_a_limit_that_is_no_amount_of_money_is_refused(most: Any) -> None:
    with pytest.raises(AkbError, match="a number of US dollars is wanted"):
        Budget(most)


def test_an_error_that_ends_the_run_does_not_throw_away_what_is_under_way(tmp_path: Path) -> None:
    class Clipped(Toy):
        async def ask_one(self, request: Request) -> Response:
            if request.messages[-1].text.startswith("n3 "):
                await anyio.sleep(0.005)
                raise AkbError("the clip has changed")
            return await super().ask_one(request)

    toy = Clipped(pause=0.05)
    with pytest.raises(AkbError, match="the clip has changed"):
        evaluate(toy, tmp_path / "run")
    assert len(list(read_responses(tmp_path / "run"))) == sum(toy.asked.values()) == 7


def test_several_runs_share_what_may_be_spent() -> None:
    budget, first, second = Budget(0.5), PricedToy(), PricedToy()
    ask(first, 20, budget=budget)
    with pytest.raises(AkbError, match="the cost limit is reached"):
        ask(second, 100, budget=budget)
    assert first.answered + second.answered == affordable(0.5)


@pytest.mark.parametrize("kind", [Toy, PricedToy])
def test_what_has_no_price_cannot_be_limited_and_is_not_asked(kind: type[Toy], tmp_path: Path) -> None:
    toy = kind()
    if isinstance(toy, PricedToy):
        toy.most = None
    with pytest.raises(AkbError, match="the cost of toy cannot be limited: its price is not known") as caught:
        evaluate(toy, tmp_path / "run", max_cost=100.0)
    assert "model.prices" in caught.value.fix
    assert toy.calls == []
    assert not (tmp_path / "run/run.json").exists()


@pytest.mark.parametrize("kind", [Toy, PricedToy])
def test_what_is_known_already_costs_nothing(kind: type[Toy], tmp_path: Path) -> None:
    evaluate(kind(), tmp_path / "first", cache=True)
    again = kind()
    run = evaluate(again, tmp_path / "again", cache=True, max_cost=0.0)
    assert again.calls == []
    told = run.manifest.usage[MODEL]
    assert (told.cached, told.answered, told.cost) == (40, 0, None)


def test_what_costs_nothing_is_asked_without_any_money(tmp_path: Path) -> None:
    toy = PricedToy()
    toy.most = toy.cost = 0.0
    assert evaluate(toy, tmp_path / "run", max_cost=0.0).manifest.status == "finished"


# -- what a run took -------------------------------------------------------------------------------------------


def recorded(response: Response, **told: Any) -> Recorded:
    return Recorded("n0", 0, "key", response, **told)


def test_usage_is_counted_by_party_and_what_was_known_costs_nothing() -> None:
    paid = Response(
        text="A", prompt_tokens=10, completion_tokens=5, reasoning_tokens=2, cost=0.25, served_model="m-1",
        notes={"faults": ["rate_limit: slow: down", "transient: x"]},
    )  # fmt: skip
    failed = Response(finish=Finish.ERROR, error="no", notes={"faults": ["transient: x"]})
    told = count(
        [
            recorded(paid), recorded(paid), recorded(failed), recorded(paid, cached=True),
            recorded(Response(text="c", prompt_tokens=3), to="captioner"),
        ]
    )  # fmt: skip
    assert told[MODEL] == Usage(
        answered=2, cached=1, failed=1, prompt_tokens=20, completion_tokens=10, reasoning_tokens=4, cost=0.5,
        faults={"rate_limit": 2, "transient": 3}, served={"m-1": 3},
    )  # fmt: skip
    assert told["captioner"] == Usage(answered=1, prompt_tokens=3)
    assert count([]) == {}


def met_thrice(call: Call) -> Fault | None:
    """Two rate limits and a fault that passes for a question of four; n9 is bad."""
    if call.name == "n9":
        return BAD
    return None if int(call.name[1:]) % 4 else {0: SLOW, 1: BUSY, 2: SLOW}.get(call.number)


def test_a_run_shows_what_it_took(tmp_path: Path, impatient: Callable[[Retry], None]) -> None:
    run = evaluate(PricedToy(met_thrice), tmp_path / "run")
    told = run.to_dict()["usage"][MODEL]
    assert told == {
        "answered": 39, "cached": 0, "failed": 1, "prompt_tokens": 390, "completion_tokens": 195,
        "reasoning_tokens": 0, "cost": 39 / 64, "faults": {"rate_limit": 20, "transient": 10}, "served": {"toy": 39},
    }  # fmt: skip
    shown = run.table()
    assert "cost: $0.6094 (390 tokens read and 195 written)" in shown
    assert "failed calls, asked again: 20 rate_limit, 10 transient" in shown
    assert "note:" not in shown


def test_the_usage_of_a_run_that_was_taken_up_is_that_of_all_its_sessions(
    tmp_path: Path, impatient: Callable[[Retry], None]
) -> None:
    with pytest.raises(AkbError):
        evaluate(PricedToy(met_thrice), tmp_path / "run", max_cost=0.25)
    evaluate(PricedToy(met_thrice), tmp_path / "run")
    run = evaluate(PricedToy(), tmp_path / "run")
    told = run.manifest.usage[MODEL]
    assert (told.answered, told.failed, told.cost) == (40, told.failed, 40 / 64)
    assert 1 <= told.failed <= 2
    assert told.faults == {"rate_limit": 20, "transient": 10}
    assert len(lines(tmp_path / "run/responses.jsonl")) == 40 + told.failed


SERVED: dict[str, tuple[str, Sequence[str], bool]] = {
    "the same": ("gpt-5", ["gpt-5"], False),
    "a dated version": ("gpt-4o", ["gpt-4o-2024-08-06"], False),
    "a numbered version": ("gemini-1.5-pro", ["models/gemini-1.5-pro-002"], False),
    "another capital": ("Qwen/Qwen3-8B", ["qwen3-8b"], False),
    "a path": ("qwen3-8b", ["/models/qwen3-8b"], False),
    "the newest": ("claude-3-5-sonnet-latest", ["claude-3-5-sonnet-20241022"], False),
    "Vertex writes an at sign": ("claude-sonnet-4", ["claude-sonnet-4@20250514"], False),
    "no name": ("gpt-5", [], False),
    "another": ("gpt-5", ["gpt-5-mini"], True),
    "another family": ("gpt-5", ["llama-3"], True),
    "another size": ("llama-3", ["llama-3-8b"], True),
    "another window": ("gpt-4", ["gpt-4-32k"], True),
    "another dated one": ("gpt-4o-2024-08-06", ["gpt-4o-2024-11-20"], True),
    "an alias for a dated one": ("gpt-4o-2024-08-06", ["gpt-4o"], True),
    "two versions": ("gpt-4o", ["gpt-4o-2024-08-06", "gpt-4o-2024-11-20"], True),
    "two models": ("gpt-5", ["gpt-5", "gpt-5-mini"], True),
}


@pytest.mark.parametrize("case", SERVED.values(), ids=SERVED)
def test_answers_by_another_model_than_the_one_asked_are_noted(case: tuple[str, Sequence[str], bool]) -> None:
    asked, served, strange = case
    usage = {MODEL: Usage(served={name: 1 + place for place, name in enumerate(served)})}
    notes = list(strangers(usage, {MODEL: {"model": asked}}))
    assert len(notes) == strange
    for note in notes:
        assert note.startswith(f"asked of {asked}, and answered by {served[-1]} ({len(served)})")


def test_a_run_answered_by_two_models_says_so_in_its_table(tmp_path: Path) -> None:
    class Turning(Toy):
        async def ask_one(self, request: Request) -> Response:
            got = await super().ask_one(request)
            name = "toy-mini" if int(request.messages[-1].text.split()[0][1:]) < 10 else "toy"
            return Response(text=got.text, served_model=name)

    run = evaluate(Turning(), tmp_path / "run")
    note = "asked of toy, and answered by toy (30), toy-mini (10)"
    assert f"note: {note}" in run.table()
    assert note in run.to_dict()["notes"]
