"""Everything that may go wrong on the wire, for each API by real HTTP: what kind of fault it is, or which answer."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from apis import KEY, Api, Handler, Reply, Server, ask, failure

from akb.adapters.faults import CallError
from akb.errors import AkbError
from akb.types import Fault, Finish

Make = Callable[[Api], Reply]


def fault(server: Server, api: Api, reply: Reply, **args: Any) -> Fault:
    server.answer = lambda asked: reply
    adapter = api.adapter(server, **args)
    error = failure(adapter)
    assert isinstance(error, CallError)
    assert len(server.asked) == 1, "the SDK asked again by itself"
    return adapter.classify(error)


def changed(api: Api, **fields: Any) -> dict[str, Any]:
    return api.reply("A", api.stop, "") | fields


def part(api: Api) -> str:
    """The field that holds the answers."""
    return {"openai": "choices", "anthropic": "content", "google": "candidates"}[api.name]


# -- by status -------------------------------------------------------------------------------------------------

SAID = {"error": {"message": "so it is"}}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "fatal"), (403, "fatal"), (404, "fatal"), (405, "fatal"), (408, "transient"), (409, "transient"),
        (413, "fatal"), (422, "fatal"), (425, "transient"), (429, "rate_limit"), (500, "transient"),
        (502, "transient"), (503, "transient"), (504, "transient"), (520, "transient"), (529, "rate_limit"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", ["json", "html", "nothing", "list"])
def test_a_status_has_one_meaning_whatever_comes_with_it(
    server: Server, api: Api, status: int, kind: str, body: str
) -> None:
    bodies = {"json": SAID, "html": "<html>502 Bad Gateway</html>", "nothing": "", "list": [SAID]}
    kinds = {"html": "text/html", "nothing": "text/plain"}
    found = fault(server, api, (status, {"Content-Type": kinds.get(body, "application/json")}, bodies[body]))
    assert (found.kind, str(status) in found.message) == (kind, True)


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("Retry-After", "7", 7.0), ("Retry-After", "0.5", 0.5), ("Retry-After", "0", None), ("Retry-After", "-3", None),
        ("Retry-After", "soon", None), ("Retry-After", "nan", None), ("Retry-After", "inf", None),
        ("retry-after-ms", "1500", 1.5), ("x-nothing", "1", None),
        ("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT", None),
    ],
)  # fmt: skip
def test_a_rate_limit_says_how_long(server: Server, api: Api, header: str, value: str, seconds: float | None) -> None:
    found = fault(server, api, (429, {header: value}, SAID))
    assert (found.kind, found.retry_after) == ("rate_limit", seconds)


@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_date_says_how_long(server: Server, api: Api, status: int) -> None:
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    found = fault(server, api, (status, {"Retry-After": value}, SAID))
    assert found.retry_after is not None
    assert 25 < found.retry_after <= 30


LONG = {
    "openai": "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.",
    "anthropic": "prompt is too long: 210000 tokens > 200000 maximum",
    "google": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
}


def test_a_prompt_that_is_too_long_says_so(server: Server, api: Api) -> None:
    found = fault(server, api, (400, {}, {"error": {"message": LONG[api.name], "code": 400}}))
    assert found.kind == "fatal"
    assert found.message.startswith("the request is too long for m-1 (400): ")


def test_a_reply_that_is_no_json_is_shown_without_the_key_that_it_may_hold(server: Server, api: Api) -> None:
    page = f"<html>{'-' * 260} {KEY} log in"  # the key lies across the last character that is shown
    found = fault(server, api, (200, {"Content-Type": "application/json"}, page))
    assert found.kind == "transient"
    assert "not JSON; it begins: <html>---" in found.message
    assert KEY[:12] not in found.message


# -- a connection that fails -----------------------------------------------------------------------------------


def reset(handler: Handler) -> None:
    """Half a reply, and then the connection is reset."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"id": ')
    handler.wfile.flush()
    time.sleep(0.05)
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def cut(handler: Handler) -> None:
    """Half a reply, and then the end."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"id": ')


def silent(handler: Handler) -> None:
    """The end, without a word."""


def gibberish(handler: Handler) -> None:
    handler.wfile.write(b"220 smtp.example.org ESMTP\r\n\r\n")


def hang(handler: Handler) -> None:
    time.sleep(6)


def drip(handler: Handler) -> None:
    """A byte now and then, so that no pause is long."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
    for _ in range(30):
        time.sleep(0.2)
        handler.wfile.write(b" ")
        handler.wfile.flush()


@pytest.mark.parametrize("break_", [reset, cut, silent, gibberish], ids=lambda f: f.__name__)
def test_a_broken_connection_is_transient(server: Server, api: Api, break_: Callable[[Handler], None]) -> None:
    found = fault(server, api, break_)
    assert found.kind == "transient", found.message
    assert found.message


@pytest.mark.parametrize("slow", [hang, drip], ids=lambda f: f.__name__)
def test_the_timeout_is_of_the_whole_call(server: Server, api: Api, slow: Callable[[Handler], None]) -> None:
    started = time.monotonic()
    found = fault(server, api, slow, timeout=0.5)
    assert found.kind == "transient"
    assert time.monotonic() - started < 4


# -- a success that is none ------------------------------------------------------------------------------------

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "c1", "cho', "<html>sign in</html>", "[]", "{}", '"A"', "null", "", "1", "true", '[{"choices": []}]',
        '{"choices": "x"}', "\ufeff{}", DEEP,
    ],
    ids=lambda body: body[:12],
)  # fmt: skip
def test_a_body_of_another_form_is_transient(server: Server, api: Api, body: str) -> None:
    found = fault(server, api, (200, {}, body))
    assert found.kind == "transient", found.message


@pytest.mark.parametrize("wrong", [None, "A", 1, {"a": 1}, [1], [None], ["A"], [[]], {}])
def test_answers_of_a_wrong_form_are_transient(server: Server, api: Api, wrong: Any) -> None:
    found = fault(server, api, (200, {}, changed(api, **{part(api): wrong})))
    assert found.kind == "transient", found.message


def test_no_answers_are_transient_and_an_answer_without_text_is_empty(server: Server, api: Api) -> None:
    if api.name == "anthropic":  # Claude may have nothing to say
        server.answer = lambda asked: (200, {}, changed(api, content=[]))
        got = ask(api.adapter(server))
        assert (got.text, got.finish) == ("", Finish.STOP)
        return
    assert fault(server, api, (200, {}, changed(api, **{part(api): []}))).kind == "transient"
    empty: dict[str, Any] = {
        "openai": {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None}},
        "google": {"finishReason": "STOP", "index": 0},
    }[api.name]
    server.answer = lambda asked: (200, {}, changed(api, **{part(api): [empty]}))
    got = ask(api.adapter(server))
    assert (got.text, got.finish) == ("", Finish.STOP)


@pytest.mark.parametrize("wrong", ["many", -1, [1], {"a": 1}])
def test_a_count_of_a_wrong_form_is_transient(server: Server, api: Api, wrong: Any) -> None:
    _, _, body = api.ok()  # type: ignore[misc]
    field, name = {
        "openai": ("usage", "prompt_tokens"),
        "anthropic": ("usage", "input_tokens"),
        "google": ("usageMetadata", "promptTokenCount"),
    }[api.name]
    body[field][name] = wrong
    assert fault(server, api, (200, {}, body)).kind == "transient"


def test_a_model_name_of_a_wrong_form_is_transient(server: Server, api: Api) -> None:
    field = "modelVersion" if api.name == "google" else "model"
    assert fault(server, api, (200, {}, changed(api, **{field: {"a": 1}}))).kind == "transient"


def ended(api: Api, text: str, reason: str | None) -> Reply:
    body = api.reply(text, "", "")
    if api.name == "anthropic":
        body["stop_reason"] = reason
    else:
        body[part(api)][0]["finish_reason" if api.name == "openai" else "finishReason"] = reason
    return 200, {}, body


@pytest.mark.parametrize("reason", [None, "eaten_by_a_grue"])
def test_an_unknown_end_after_a_text_is_a_stop_with_a_note(server: Server, api: Api, reason: str | None) -> None:
    server.answer = lambda asked: ended(api, "(A)", reason)
    got = ask(api.adapter(server))
    assert (got.text, got.finish, got.notes["finish_reason"]) == ("(A)", Finish.STOP, reason or "none given")


@pytest.mark.parametrize("text", ["", " \n"])
@pytest.mark.parametrize("reason", [None, "eaten_by_a_grue"])
def test_an_unknown_end_without_a_text_is_transient(server: Server, api: Api, text: str, reason: str | None) -> None:
    found = fault(server, api, ended(api, text, reason))
    assert (found.kind, (reason or "none given") in found.message) == ("transient", True)


BROKEN = {
    "openai": ["error", "abort", "insufficient_system_resource"],
    "anthropic": ["pause_turn"],
    "google": ["OTHER", "FINISH_REASON_UNSPECIFIED", "MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL",
               "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"],
}  # fmt: skip


@pytest.mark.parametrize("text", ["", "The answer is (A"])
def test_a_failure_of_the_server_is_no_answer(server: Server, api: Api, text: str) -> None:
    for word in BROKEN[api.name]:
        server.asked.clear()
        found = fault(server, api, ended(api, text, word))
        assert (found.kind, word in found.message) == ("transient", True)


def test_a_plain_end_without_a_text_is_an_empty_reply(server: Server, api: Api) -> None:
    server.answer = lambda asked: api.ok("")
    got = ask(api.adapter(server))
    assert (got.text, got.finish, "finish_reason" in got.notes) == ("", Finish.STOP, False)


# -- an error that is told as a success ------------------------------------------------------------------------

TOLD = [
    ({"code": 429, "message": "slow down"}, "rate_limit"),
    ({"code": "429", "message": "slow down"}, "rate_limit"),
    ({"code": "rate_limit_exceeded", "message": "slow down"}, "rate_limit"),
    ({"type": "rate_limit_error", "message": "slow down"}, "rate_limit"),
    ({"type": "overloaded_error", "message": "busy"}, "rate_limit"),
    ({"code": 502, "message": "no provider"}, "transient"),
    ({"code": "server_error", "message": "oh"}, "transient"),
    ({"message": "something"}, "transient"),
    ("something", "transient"),
    ({"code": 400, "message": "bad"}, "fatal"),
    ({"code": 404, "message": "no such model"}, "fatal"),
    ({"code": "context_length_exceeded", "message": "maximum context length"}, "fatal"),
]


@pytest.mark.parametrize(("told", "kind"), TOLD, ids=lambda told: json.dumps(told)[:40])
def test_an_error_told_as_a_success_is_an_error(server: Server, api: Api, told: Any, kind: str) -> None:
    """As OpenRouter and other servers in between do. Google's SDK drops what it does not know, and so the code."""
    found = fault(server, api, (200, {}, {"error": told}))
    assert found.kind == ("transient" if api.name == "google" else kind), found.message


def test_an_error_in_an_answers_place_is_an_error(server: Server, openai: Api) -> None:
    message = {"role": "assistant", "content": ""}
    choice = {"index": 0, "finish_reason": "error", "message": message, "error": {"code": 502, "message": "upstream"}}
    found = fault(server, openai, (200, {}, changed(openai, choices=[choice])))
    assert (found.kind, "upstream" in found.message) == ("transient", True)


def test_an_empty_error_beside_an_answer_is_no_error(server: Server, openai: Api) -> None:
    server.answer = lambda asked: (200, {}, changed(openai, error=None))
    assert ask(openai.adapter(server)).text == "A"


# -- what ends the run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, {"message": "no"}),
        (402, {"message": "pay"}),
        (429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}),
        (400, {"message": "Billing hard limit has been reached", "code": "billing_hard_limit_reached"}),
        (200, {"message": "No auth credentials found", "code": 401}),
    ],
)
def test_what_no_question_survives_ends_the_run(server: Server, openai: Api, status: int, error: Any) -> None:
    server.answer = lambda asked: (status, {}, {"error": error})
    with pytest.raises(AkbError, match=r"key|credit|refuses"):
        ask(openai.adapter(server))


def test_claudes_spent_credit_ends_the_run(server: Server, anthropic: Api) -> None:
    said = {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API."}
    server.answer = lambda asked: (400, {}, {"type": "error", "error": said})
    with pytest.raises(AkbError, match="credit"):
        ask(anthropic.adapter(server))


def test_geminis_word_for_a_wrong_key_ends_the_run(server: Server, google: Api) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    said = {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": details}
    server.answer = lambda asked: (400, {}, {"error": said})
    with pytest.raises(AkbError, match="does not accept the key"):
        ask(google.adapter(server))


def test_a_disabled_account_of_google_ends_the_run(server: Server, google: Api) -> None:
    server.answer = lambda asked: google.ok("", "PUP_LIMITED_DISABLED")
    with pytest.raises(AkbError, match="account"):
        ask(google.adapter(server))


def test_gemini_is_not_asked_to_go_on_by_its_sdk(server: Server, google: Api) -> None:
    body = google.reply("A", "CONTINUATION", "")
    body["candidates"][0]["continuationToken"] = "eA=="
    server.answer = lambda asked: (200, {}, body)
    got = ask(google.adapter(server))
    assert (got.finish, len(server.asked)) == (Finish.LENGTH, 1)
