"""The adapters of APIs, by the vendors' real SDKs, against a server on loopback that keeps what it was sent."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from apis import APIS, KEY, TURNS, Api, Asked, Reply, Server, ask, failure, late, openai_reply

import akb
from akb import engine
from akb.adapters.cards import Card, Reasoning
from akb.adapters.faults import UnreadableError
from akb.adapters.remote import Remote
from akb.calling import Retry
from akb.engine import Engine
from akb.errors import AkbError
from akb.records import Manifest, Record, read_responses
from akb.registry import ADAPTERS, Registry
from akb.types import (
    Choose,
    Decoding,
    Finish,
    Generate,
    Message,
    Outcome,
    Question,
    RemoteAdapter,
    Request,
    Response,
    Status,
    Trial,
)

# -- what is sent ----------------------------------------------------------------------------------------------


def test_each_api_is_asked_at_its_path_with_the_key_in_its_header(server: Server, api: Api) -> None:
    server.answer = lambda asked: api.ok()
    adapter = api.adapter(server)
    assert isinstance(adapter, RemoteAdapter)
    ask(adapter)
    [asked] = server.asked
    assert asked.path == api.path
    assert asked.headers[api.header[0]] == api.header[1]
    assert KEY not in asked.path + json.dumps(asked.body)


def test_openai_is_sent_all_turns_and_the_decoding(server: Server, openai: Api) -> None:
    server.answer = lambda asked: openai.ok()
    ask(openai.adapter(server), Decoding(max_tokens=64, stop=("\n\n",)))
    assert server.asked[0].body == {
        "model": "m-1",
        "messages": [{"role": m.role, "content": m.text} for m in TURNS],
        "max_completion_tokens": 64,
        "temperature": 0.0,
        "stop": ["\n\n"],
    }


def test_anthropic_is_sent_the_system_message_apart(server: Server, anthropic: Api) -> None:
    server.answer = lambda asked: anthropic.ok()
    ask(anthropic.adapter(server), Decoding(max_tokens=64, stop=("\n\n",)))
    assert server.asked[0].body == {
        "model": "m-1",
        "system": "Be brief.",
        "messages": [{"role": m.role, "content": m.text} for m in TURNS[1:]],
        "max_tokens": 64,
        "temperature": 0.0,
        "stop_sequences": ["\n\n"],
    }


def test_google_is_sent_its_own_names_of_roles_and_settings(server: Server, google: Api) -> None:
    server.answer = lambda asked: google.ok()
    ask(google.adapter(server), Decoding(max_tokens=64, stop=("\n\n",)))
    body = server.asked[0].body
    assert [(c["role"], c["parts"]) for c in body["contents"]] == [
        ("user", [{"text": "One?"}]),
        ("model", [{"text": "(A)"}]),
        ("user", [{"text": "Two?"}]),
    ]
    assert body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert body["generationConfig"] == {"maxOutputTokens": 64, "temperature": 0.0, "stopSequences": ["\n\n"]}


def sent(server: Server, api: Api, can: str, thinking: Any, **args: Any) -> dict[str, Any]:
    server.answer = lambda asked: api.ok()
    ask(api.adapter(server, can, **args), Decoding(max_tokens=10, thinking=thinking))
    body: dict[str, Any] = server.asked[-1].body
    return body


def test_openai_models_that_always_reason_get_room_and_no_temperature(server: Server, openai: Api) -> None:
    body = sent(server, openai, "always", "off", least_effort="minimal", room=100)
    assert (body["max_completion_tokens"], body["reasoning_effort"]) == (110, "minimal")
    assert not {"temperature", "top_p", "seed", "max_tokens"} & set(body)
    assert "reasoning_effort" not in sent(server, openai, "always", "on", least_effort="minimal")
    assert sent(server, openai, "always", "on", effort="high")["reasoning_effort"] == "high"
    assert sent(server, openai, "always", 500)["max_completion_tokens"] == 510
    assert sent(server, openai, "switch", "off")["reasoning_effort"] == "none"


def test_anthropic_thinking_is_disabled_budgeted_or_adaptive(server: Server, anthropic: Api) -> None:
    body = sent(server, anthropic, "switch", "off")
    assert (body["thinking"], body["max_tokens"], body["temperature"]) == ({"type": "disabled"}, 10, 0.0)
    body = sent(server, anthropic, "switch", 2000)
    assert (body["thinking"], body["max_tokens"]) == ({"type": "enabled", "budget_tokens": 2000}, 2010)
    assert "temperature" not in body
    body = sent(server, anthropic, "switch", 5)
    assert (body["thinking"]["budget_tokens"], body["max_tokens"]) == (1024, 1034)
    body = sent(server, anthropic, "always", "off", least_effort="low")
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "low"})
    assert "thinking" not in sent(server, anthropic, "never", "on")


def test_google_thinking_is_switched_by_budget_or_level(server: Server, google: Api) -> None:
    def config(thinking: Any, can: str, **args: Any) -> dict[str, Any]:
        found: dict[str, Any] = sent(server, google, can, thinking, **args)["generationConfig"]
        spelled = {name.replace("_", "").casefold(): value for name, value in found.pop("thinkingConfig").items()}
        return found | {"thinking": spelled}  # the SDK leaves these names as Python spells them; the API takes both

    assert config("off", "switch")["thinking"] == {"thinkingbudget": 0}
    told = config("off", "always", least_effort=128, room=500)
    assert told == {"maxOutputTokens": 510, "temperature": 0.0, "thinking": {"thinkingbudget": 128}}
    told = config("on", "always", effort="low")["thinking"]
    assert (told["includethoughts"], told["thinkinglevel"].casefold()) == (True, "low")


def test_every_draw_has_a_seed_of_its_own(server: Server, openai: Api) -> None:
    server.answer = lambda asked: openai.ok()
    adapter = openai.adapter(server)
    for draw in (0, 1, 0):
        ask(adapter, Decoding(temperature=0.7, top_p=0.9, draw=draw))
    seeds = [asked.body["seed"] for asked in server.asked]
    assert seeds[0] == seeds[2] != seeds[1]
    assert (server.asked[0].body["temperature"], server.asked[0].body["top_p"]) == (0.7, 0.9)


# -- what comes back -------------------------------------------------------------------------------------------


def test_text_reasoning_usage_and_served_model_are_read(server: Server, api: Api) -> None:
    server.answer = lambda asked: api.ok("(B)", reasoning="Because.")
    got = ask(api.adapter(server, "always"))
    assert (got.text, got.reasoning, got.finish, got.served_model) == ("(B)", "Because.", Finish.STOP, "served-1")
    assert (got.prompt_tokens, got.completion_tokens, got.reasoning_tokens) == (11, 7, 5)
    assert got.seconds > 0
    assert got.notes == ({"cached_tokens": 2} if api is APIS["anthropic"] else {})


def test_every_way_of_ending_is_told_apart(server: Server, api: Api) -> None:
    def finish(text: str, reason: str, can: str = "never") -> Finish:
        server.answer = lambda asked: api.ok(text, reason)
        return ask(api.adapter(server, can)).finish

    assert finish("A", api.stop) == Finish.STOP
    assert finish("The ans", api.length) == Finish.LENGTH
    assert finish("The ans", api.length, "always") == Finish.LENGTH
    assert finish("", api.length, "always") == Finish.THINKING
    assert finish("", api.filtered) == Finish.REFUSAL


def test_a_word_that_is_not_known_for_the_end_is_a_stop_with_a_note(server: Server, openai: Api) -> None:
    server.answer = lambda asked: openai.ok("A", "tool_calls")
    got = ask(openai.adapter(server))
    assert (got.finish, got.notes) == (Finish.STOP, {"finish_reason": "tool_calls"})


def test_openai_refusals_are_refusals_also_as_errors(server: Server, openai: Api) -> None:
    said = openai_reply("", "stop", "")
    said["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "I cannot."}
    server.answer = lambda asked: (200, {}, said)
    got = ask(openai.adapter(server))
    assert (got.finish, got.text) == (Finish.REFUSAL, "I cannot.")
    server.answer = lambda asked: (400, {}, {"error": {"message": "flagged", "code": "invalid_prompt"}})
    assert ask(openai.adapter(server)).finish == Finish.REFUSAL


def test_a_prompt_that_gemini_blocks_is_a_refusal(server: Server, google: Api) -> None:
    server.answer = lambda asked: (200, {}, {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "served-1"})
    got = ask(google.adapter(server))
    assert (got.finish, got.notes) == (Finish.REFUSAL, {"finish_reason": "prompt: SAFETY"})


def test_half_a_surrogate_pair_does_not_stop_the_record(server: Server, openai: Api) -> None:
    server.answer = lambda asked: (200, {}, json.dumps(openai_reply("A \ud83d", "stop", "")))
    got = ask(openai.adapter(server))
    assert got.text is not None
    assert got.text.encode("utf-8").startswith(b"A ")


# -- errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503])
def test_errors_that_may_pass_are_transient(server: Server, api: Api, status: int) -> None:
    server.answer = lambda asked: (status, {}, {"error": {"message": "busy"}})
    adapter = api.adapter(server)
    fault = adapter.classify(failure(adapter))
    assert (fault.kind, "busy" in fault.message) == ("transient", True)
    assert len(server.asked) == 1, "the SDK asked again by itself"


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_errors_that_will_not_pass_are_fatal_and_say_what_the_server_said(
    server: Server, api: Api, status: int
) -> None:
    server.answer = lambda asked: (status, {}, {"error": {"message": f"no such thing for {KEY}"}})
    adapter = api.adapter(server)
    fault = adapter.classify(failure(adapter))
    assert fault.kind == "fatal"
    assert "no such thing for [key]" in fault.message
    assert (str(status) in fault.message, "m-1" in fault.message, KEY in fault.message) == (True, True, False)


def test_retry_after_is_read_as_seconds_and_as_a_date(server: Server, api: Api) -> None:
    def after(value: str) -> float | None:
        server.answer = lambda asked: (429, {"Retry-After": value}, {"error": {"message": "slow"}})
        adapter = api.adapter(server)
        fault = adapter.classify(failure(adapter))
        assert fault.kind == "rate_limit"
        return fault.retry_after

    assert after("7") == 7
    told = after(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    assert told is not None
    assert 25 < told <= 30
    assert after("Wed, 21 Oct 2015 07:28:00 GMT") is None
    assert after("soon") is None


def test_gemini_tells_the_delay_in_the_body(server: Server, google: Api) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}]
    server.answer = lambda asked: (429, {}, {"error": {"code": 429, "message": "quota", "details": details}})
    adapter = google.adapter(server)
    assert adapter.classify(failure(adapter)).retry_after == 37


@pytest.mark.parametrize("reply", ['{"id": "c1", "cho', "<html>sign in</html>", "[]", "{}", '"A"', "null", ""])
def test_a_reply_cut_short_or_of_a_wrong_form_is_transient(server: Server, api: Api, reply: str) -> None:
    server.answer = lambda asked: (200, {}, reply)
    adapter = api.adapter(server)
    fault = adapter.classify(failure(adapter))
    assert fault.kind == "transient", fault.message


def test_a_closed_port_and_a_slow_server_are_transient(server: Server, api: Api) -> None:
    adapter = api.adapter(server, base_url="http://127.0.0.1:9")
    assert adapter.classify(failure(adapter)).kind == "transient"
    server.answer = lambda asked: late(1, api)
    adapter = api.adapter(server, timeout=0.2)
    assert adapter.classify(failure(adapter)).kind == "transient"


def test_a_mistake_of_ours_is_not_taken_for_the_network(server: Server, openai: Api) -> None:
    adapter = openai.adapter(server)
    assert adapter.classify(KeyError("x")).kind == "fatal"
    assert adapter.classify(UnreadableError("x")).kind == "transient"


# -- keys and settings -----------------------------------------------------------------------------------------


def test_what_was_set_is_told_without_a_key_and_before_there_is_one(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AKB_TEST_KEY", raising=False)
    monkeypatch.setenv(
        {"google": "GOOGLE_GEMINI"}.get(api.name, api.name.upper()) + "_BASE_URL", f"http://u:{KEY}@h/v1?k=1"
    )
    module, _, build = ADAPTERS[api.name].partition(":")
    card = Card(name="m", adapter=api.name, model="m-latest", reasoning=Reasoning(can="always"))
    adapter: Remote = getattr(importlib.import_module(module), build)(
        card, {"effort": "low", "key_env": "AKB_TEST_KEY"}
    )
    told = adapter.fingerprint()
    assert told == {
        "adapter": f"{api.name}/1", "model": "m-latest", "reasoning": "always", "effort": "low",
        "least_effort": None, "room": 8192, "base_url": "http://h/v1", "alias": True,
    }  # fmt: skip
    with pytest.raises(AkbError, match="AKB_TEST_KEY"):
        ask(adapter)
    adapter.close()


def test_the_key_is_in_no_representation(server: Server, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server.answer = lambda asked: api.ok()
    adapter = api.adapter(server)
    ask(adapter)
    told = f"{adapter!r}{adapter.args!r}{adapter.fingerprint()!r}{caplog.text}"
    assert KEY not in told


def test_a_key_file_is_read_and_one_that_cannot_be_is_an_error(server: Server, api: Api, tmp_path: Path) -> None:
    server.answer = lambda asked: api.ok()
    file = tmp_path / "key"
    file.write_text("sk-of-the-file\n")
    ask(api.adapter(server, key_file=str(file)))
    assert server.asked[0].headers[api.header[0]].endswith("sk-of-the-file")
    with pytest.raises(AkbError, match="cannot be read"):
        ask(api.adapter(server, key_file=str(tmp_path / "none")))


def test_a_key_that_no_header_can_hold_is_not_shown(server: Server, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKB_TEST_KEY", f"{KEY}\nx")
    with pytest.raises(AkbError, match="is no key") as caught:
        ask(api.adapter(server))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ({"key_env": KEY}, "key_env"),
        ({"base_url": f"https://u:{KEY}@h"}, "base_url"),
        ({"base_url": f"https://h?key={KEY}"}, "base_url"),
        ({"base_url": "localhost:8000"}, "base_url"),
        ({"base_url": "http://[::1"}, "base_url"),
        ({"api_key": KEY}, "api_key"),
        ({"effort": "low"}, "reasoning"),
        ({"effort": 100, "reasoning": "always"}, "effort"),
    ],
)
def test_a_wrong_setting_is_an_error_that_shows_no_secret(args: dict[str, Any], wanted: str) -> None:
    with pytest.raises(AkbError, match=wanted) as caught:
        Registry().adapter(Card(name="m", adapter="openai", model="m"), args)
    assert KEY not in str(caught.value)


def test_every_card_of_a_vendor_resolves_without_a_key_or_an_sdk() -> None:
    registry = Registry()
    cards = [card for card in registry.cards.values() if card.adapter in APIS]
    assert {card.study for card in cards} >= {
        "GPT-5",
        "GPT-4o",
        "Claude-Sonnet-4.5",
        "Gemini-2.5-Pro",
        "Gemini-2.0-Flash",
    }
    for card in cards:
        adapter = registry.adapter(card)
        assert isinstance(adapter, RemoteAdapter)
        assert adapter.fingerprint()["model"] == card.model
        assert ("alias" in adapter.fingerprint()) == (card.model == "gemini-2.5-pro")


# -- the engine drives it --------------------------------------------------------------------------------------


class Letters:
    """A task of so many questions, asked in words; the reply is right if it is A."""

    name, version = "letters", "1"

    def __init__(self, count: int) -> None:
        self.count = count

    def questions(self) -> list[Question]:
        return [Question(f"q{n}", f"Question {n}?", ("x", "y"), 0) for n in range(self.count)]

    def trial(self, question: Question) -> Trial:
        return Trial(question.id, question)

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        return () if responses else (Generate((Message("user", (trial.question.text,)),)),)

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        right = responses[0].text == "A"
        return Outcome(Status.ERROR if responses[0].finish == Finish.ERROR else Status.OK, float(right))

    def describe(self) -> Mapping[str, Any]:
        return {}


def run(adapter: Remote, folder: Path, count: int = 6) -> dict[str, Response]:
    manifest = Manifest(schema=1, akb="", model="m", task="t", protocol="p", identity={}, config={}, started="now")
    record, task = Record.open(folder, manifest), Letters(count)
    try:
        driver = Engine(task, {"model": adapter}, record, retry=Retry(tries=2, first=0.01))
        list(driver.run(task.trial(question) for question in task.questions()))
    finally:
        record.close()
    return {line.trial: line.response for line in read_responses(folder)}


def test_a_rate_limit_is_waited_out(server: Server, api: Api, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        again = len(server.asked) > 1
        return api.ok() if again else (429, {"Retry-After": "0.3"}, {"error": {"message": "slow"}})

    server.answer = answer
    started = time.monotonic()
    got = run(api.adapter(server), tmp_path, count=1)
    assert got["q0"].text == "A"
    assert len(server.asked) == 2
    assert time.monotonic() - started >= 0.3


def test_a_server_error_is_recorded_after_the_tries_and_the_rest_goes_on(
    server: Server, api: Api, tmp_path: Path
) -> None:
    def answer(asked: Asked) -> Reply:
        return (500, {}, {"error": {"message": "broken"}}) if "Question 3?" in json.dumps(asked.body) else api.ok()

    server.answer = answer
    got = run(api.adapter(server), tmp_path)
    assert {name for name, response in got.items() if response.finish == Finish.ERROR} == {"q3"}
    assert "broken" in got["q3"].error
    assert len(server.asked) == 7


@pytest.mark.parametrize("count", [1, 6])
def test_a_key_that_is_not_accepted_ends_the_run(server: Server, api: Api, tmp_path: Path, count: int) -> None:
    said = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
    server.answer = lambda asked: (401, {}, said)
    with pytest.raises(AkbError, match="does not accept the key") as caught:
        run(api.adapter(server), tmp_path, count)
    assert KEY not in str(caught.value)
    assert "sk-" not in str(caught.value)
    assert KEY not in "".join(file.read_text() for file in tmp_path.glob("*.json*"))


def test_spent_credit_ends_the_run_and_is_not_waited_for(server: Server, openai: Api, tmp_path: Path) -> None:
    said = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    server.answer = lambda asked: (429, {}, said)
    with pytest.raises(AkbError, match="no credit"):
        run(openai.adapter(server), tmp_path, 1)
    assert len(server.asked) == 1


def test_requests_are_made_side_by_side_as_many_as_allowed(server: Server, api: Api, tmp_path: Path) -> None:
    server.answer = lambda asked: late(0.15, api)
    run(api.adapter(server, concurrency=3), tmp_path, 9)
    assert server.most == 3


def test_one_adapter_outlives_many_event_loops_and_leaves_no_connection(
    server: Server, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WINDOW", 4)
    server.answer = lambda asked: api.ok()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = run(api.adapter(server, concurrency=1), tmp_path, 12)
        gc.collect()
    assert [response.text for response in got.values()] == ["A"] * 12
    assert len({asked.peer for asked in server.asked}) == 3, "one connection for each window"
    assert [str(w.message) for w in caught if issubclass(w.category, ResourceWarning)] == []


def test_a_run_can_be_started_where_an_event_loop_already_runs(server: Server, api: Api, tmp_path: Path) -> None:
    server.answer = lambda asked: api.ok()

    async def notebook_cell() -> dict[str, Response]:
        return run(api.adapter(server), tmp_path)

    assert len(asyncio.run(notebook_cell())) == 6


def test_evaluate_runs_a_registered_card_under_the_headline_protocol(server: Server, api: Api, tmp_path: Path) -> None:
    name = {"openai": "gpt-5", "anthropic": "claude-sonnet-4.5", "google": "gemini-2.5-pro"}[api.name]
    server.answer = lambda asked: api.ok("(A)")
    run = akb.evaluate(
        name, "phonetic", protocol="akb-v1", out=tmp_path, cache=False, limit=5, model_args=api.args(server)
    )
    assert [outcome.status for _, outcome in run.judged()] == [Status.OK] * 5
    assert {response.served_model for _, _, response in run.responses()} == {"served-1"}
    assert len(server.asked) == 5
    assert KEY not in "".join(file.read_text() for file in tmp_path.glob("*.json*"))


def test_a_protocol_of_log_probabilities_is_refused_where_there_are_none(
    server: Server, api: Api, tmp_path: Path
) -> None:
    args = api.args(server) | {"top_logprobs": 0}
    with pytest.raises(AkbError, match="log-probabilities"):
        akb.evaluate(
            f"{api.name}:m-1", "phonetic", protocol="akb-v1-loglik", out=tmp_path, cache=False, limit=2,
            model_args=args,
        )  # fmt: skip
    assert server.asked == []
    with pytest.raises(TypeError):
        anyio.run(api.adapter(server, top_logprobs=0).ask_one, Choose(TURNS, (("A",),)))


@pytest.mark.parametrize("name", APIS)
def test_a_missing_sdk_is_an_error_that_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Registry().adapter(Card(name="m", adapter=name, model="m"))
    assert isinstance(adapter, Remote)
    monkeypatch.setitem(__import__("sys").modules, adapter.MODULE, None)
    with pytest.raises(AkbError, match=rf"akb\[{name}\]"):
        ask(adapter)
