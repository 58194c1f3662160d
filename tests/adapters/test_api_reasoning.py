"""Reasoning kept apart from the answer, however a server sends it; and refusals in every form that they take."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from apis import Api, Server, ask, failure, openai_reply

from akb.adapters.cards import Card
from akb.adapters.remote import Remote
from akb.registry import ADAPTERS
from akb.types import Decoding, Finish, Response


def model(server: Server, api: Api, reasoning: dict[str, Any]) -> Remote:
    card = Card.model_validate({"name": "m", "adapter": api.name, "model": "m-1", "reasoning": reasoning})
    module, _, build = ADAPTERS[api.name].partition(":")
    made = getattr(importlib.import_module(module), build)(card, api.args(server))
    assert isinstance(made, Remote)
    return made


def split(
    server: Server, api: Api, text: str, reason: str = "stop", thinking: Any = "on", **how: Any
) -> tuple[str | None, str | None, Finish]:
    server.answer = lambda asked: (200, {}, openai_reply(text, reason, ""))
    got = ask(model(server, api, {"can": "switch", **how}), Decoding(max_tokens=9, thinking=thinking))
    return got.reasoning, got.text, got.finish


# -- by the marks in the reply ---------------------------------------------------------------------------------


def test_what_stands_before_the_closing_mark_is_reasoning(server: Server, openai: Api) -> None:
    assert split(server, openai, "<think>\nhm\n</think>\n\n(B)") == ("hm", "(B)", Finish.STOP)
    assert split(server, openai, "hm</think>(B)") == ("hm", "(B)", Finish.STOP)
    assert split(server, openai, "<think>\n\n</think>\n\n(B)", thinking="off") == (None, "(B)", Finish.STOP)
    assert split(server, openai, "(B)") == (None, "(B)", Finish.STOP)
    assert split(server, openai, "[T]hm[/T](B)", open="[T]", close="[/T]") == ("hm", "(B)", Finish.STOP)
    assert split(server, openai, "<think>a</think>b</think>c") == ("a", "b</think>c", Finish.STOP)


def test_reasoning_that_never_ends_is_no_answer(server: Server, openai: Api) -> None:
    assert split(server, openai, "<think>is it (A)", "length") == ("is it (A)", "", Finish.THINKING)
    assert split(server, openai, "<think>is it (A)", "stop") == ("is it (A)", "", Finish.STOP)
    assert split(server, openai, "is it (A)", "length", opened_by_template=True) == ("is it (A)", "", Finish.THINKING)
    assert split(server, openai, "(A)", thinking="off", opened_by_template=True) == (None, "(A)", Finish.STOP)


def test_a_model_that_is_not_said_to_reason_is_left_its_words(server: Server, openai: Api) -> None:
    assert split(server, openai, "<think>x</think>y", can="never") == (None, "<think>x</think>y", Finish.STOP)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_what_the_server_keeps_apart_stays_so(server: Server, openai: Api, field: str) -> None:
    body = openai_reply("(B) not </think>", "stop", "")
    body["choices"][0]["message"][field] = "hm"
    server.answer = lambda asked: (200, {}, body)
    got = ask(openai.adapter(server, "always"))
    assert (got.reasoning, got.text) == ("hm", "(B) not </think>")


def test_the_chat_templates_switch_is_sent_to_servers_that_have_one(server: Server, openai: Api) -> None:
    server.answer = lambda asked: openai.ok()
    how = {"can": "switch", "off": {"enable_thinking": False}, "on": {"enable_thinking": True}}
    for thinking in ("off", "on"):
        ask(model(server, openai, how), Decoding(thinking=thinking))
    assert [asked.body["chat_template_kwargs"] for asked in server.asked] == [how["off"], how["on"]]
    assert "reasoning_effort" not in server.asked[0].body
    assert model(server, openai, how).fingerprint()["marks"] == {"off": how["off"], "on": how["on"]}
    assert "marks" not in model(server, openai, {"can": "switch"}).fingerprint()


# -- refusals --------------------------------------------------------------------------------------------------


def refusal(server: Server, api: Api, status: int, body: Any) -> Response:
    server.answer = lambda asked: (status, {}, body)
    got = ask(api.adapter(server))
    assert got.finish == Finish.REFUSAL
    return got


AZURE = {
    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    "type": None, "param": "prompt", "code": "content_filter", "status": 400,
    "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [
        (400, AZURE, "content_filter"),
        (400, AZURE | {"code": None}, "ResponsibleAIPolicyViolation"),
        (400, {"message": "flagged", "code": "content_policy_violation"}, "content_policy_violation"),
        (400, {"message": "flagged", "code": "invalid_prompt"}, "invalid_prompt"),
        (200, {"message": "flagged", "code": "content_filter"}, "content_filter"),
        (403, {"code": 403, "message": "flagged", "metadata": {"flagged_input": "y"}}, "flagged_input"),
    ],
)  # fmt: skip
def test_errors_of_openais_filters_are_refusals(
    server: Server, openai: Api, status: int, error: Any, word: str
) -> None:
    got = refusal(server, openai, status, {"error": error})
    assert (got.text, got.notes) == ("", {"finish_reason": word})


def test_other_errors_are_no_refusals(server: Server, openai: Api) -> None:
    for status, error in ((400, {"code": "bad"}), (403, {"code": 403}), (500, {"code": "content_filter"})):
        server.answer = lambda asked, told=(status, {}, {"error": error}): told  # type: ignore[misc]
        adapter = openai.adapter(server)
        assert adapter.classify(failure(adapter)).kind in ("fatal", "transient")


def test_claudes_refusal_tells_its_category(server: Server, anthropic: Api) -> None:
    body = anthropic.reply("", "refusal", "") | {"stop_details": {"type": "refusal", "category": "bio"}}
    assert refusal(server, anthropic, 200, body).notes == {
        "finish_reason": "refusal", "refusal": "bio", "cached_tokens": 2
    }  # fmt: skip


FILTERS = ["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "ESCALATION", "MODEL_ARMOR"]


@pytest.mark.parametrize("word", FILTERS)
def test_geminis_filters_are_refusals(server: Server, google: Api, word: str) -> None:
    body = google.reply("", word, "")
    del body["candidates"][0]["content"]
    assert refusal(server, google, 200, body).notes == {"finish_reason": word}


@pytest.mark.parametrize("word", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "JAILBREAK", "NEW_ONE"])
def test_prompts_that_gemini_blocks_are_refusals(server: Server, google: Api, word: str) -> None:
    usage = {"promptTokenCount": 11}
    got = refusal(server, google, 200, {"promptFeedback": {"blockReason": word}, "usageMetadata": usage})
    assert got.notes == {"finish_reason": f"prompt: {word}"}
    assert got.prompt_tokens == 11


def test_every_end_that_geminis_sdk_knows_has_been_thought_of(google: Api) -> None:
    from google.genai.types import FinishReason

    from akb.adapters.google import _KINDS

    images = {word for word in FinishReason.__members__ if "IMAGE" in word}  # none are asked for
    assert set(FinishReason.__members__) <= set(_KINDS) | images | {"PUP_LIMITED_DISABLED"}  # the end of the run


def test_every_end_that_claudes_sdk_knows_has_been_thought_of(anthropic: Api) -> None:
    from typing import get_args

    from anthropic.types import StopReason

    from akb.adapters.anthropic import _KINDS

    assert set(get_args(StopReason)) <= set(_KINDS) | {"tool_use"}  # no tools are given
