"""Log-probabilities of letters from the few tokens that an API shows: what is asked, and what is made of the answer."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from apis import APIS, Api, Server, google_reply, openai_reply, put
from hypothesis import given
from hypothesis import strategies as st

from akb.adapters.first_tokens import first_token_scores
from akb.errors import AkbError
from akb.types import Choose, Finish, Message, Response, Score

LETTERS = ((" A",), (" B",))
Shown = list[tuple[str, float]]


def of_openai(shown: Shown | None, text: str = "A", reason: str = "length") -> dict[str, Any]:
    reply = openai_reply(text, reason, "")
    if shown is not None:
        tops = [{"token": token, "logprob": value, "bytes": None} for token, value in shown]
        reply["choices"][0]["logprobs"] = {"content": [{**tops[0], "top_logprobs": tops}] if tops else []}
    return reply


def of_google(shown: Shown | None, text: str = "A", reason: str = "MAX_TOKENS") -> dict[str, Any]:
    reply = google_reply(text, reason, "")
    if shown is not None:
        tops = [{"token": token, "logProbability": value} for token, value in shown]
        reply["candidates"][0]["logprobsResult"] = {"topCandidates": [{"candidates": tops}] if tops else []}
    return reply


REPLIES = {"openai": of_openai, "google": of_google}


@pytest.fixture(params=REPLIES)
def shows(request: pytest.FixtureRequest) -> Api:
    """The APIs that show log-probabilities."""
    found = APIS[request.param]
    pytest.importorskip(found.module, reason=f"the SDK {found.module} is not installed")
    return found


def choose(server: Server, api: Api, shown: Shown | None, text: str = "A", **args: Any) -> Response:
    server.answer = lambda asked: (200, {}, REPLIES[api.name](shown, text))
    return put(api.adapter(server, **args), Choose((Message("user", ("Which?",)),), LETTERS, "Answer:"))


def values(spellings: list[tuple[str, ...]], shown: Shown) -> list[list[tuple[float, bool]]]:
    return [[(s.logprob, s.upper_bound) for s in group] for group in first_token_scores(spellings, shown)]


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-9)


# -- what is made of the shown tokens --------------------------------------------------------------------------


def test_a_shown_label_has_its_own_probability_and_one_that_is_not_a_bound() -> None:
    got = values([(" A",), (" B",)], [(" A", math.log(0.6)), (" C", math.log(0.3))])
    assert got == [[(near(math.log(0.6)), False)], [(near(math.log(0.1)), True)]]


def test_a_spelling_that_is_not_shown_may_be_of_four_tokens_that_are_not() -> None:
    assert values([("B",)], [("A", math.log(0.5)), ("C", math.log(0.01))]) == [[(near(math.log(0.04)), True)]]


def test_tokens_that_differ_by_space_are_added_for_one_spelling() -> None:
    got = values([(" A",)], [("A", math.log(0.5)), (" A", math.log(0.2)), ("\nA", math.log(0.1)), ("ĠA", -3.0)])
    assert got == [[(near(math.log(0.8 + math.exp(-3))), False)]]


def test_a_token_counts_for_one_spelling_alone() -> None:
    got = values([(" A", "A")], [("A", math.log(0.5)), ("A ", math.log(0.2))])
    assert got == [[(near(math.log(0.2)), False), (near(math.log(0.5)), False)]]
    got = values([(" A", "A")], [("A", math.log(0.5))])
    assert got == [[(near(math.log(0.5)), True), (near(math.log(0.5)), False)]]


def test_the_case_of_a_letter_counts() -> None:
    assert values([("A",)], [("a", math.log(0.9))]) == [[(near(math.log(0.1)), True)]]


def test_a_spelling_that_may_begin_with_a_shown_token_is_bounded_by_that() -> None:
    shown = [("(", math.log(0.9)), ("A", math.log(0.05))]
    assert values([("(A)", "A"), ("(B)", "B")], shown) == [
        [(near(math.log(0.95)), True), (near(math.log(0.05)), False)],
        [(near(math.log(0.95)), True), (near(math.log(0.05)), True)],
    ]


def test_rounded_probabilities_that_sum_to_one_leave_a_little_over() -> None:
    [[(bound, upper)]] = values([("B",)], [("A", 0.0)])
    assert upper
    assert bound == near(math.log(1e-5))


def test_numbers_that_mean_very_unlikely_or_nothing_are_left_out() -> None:
    got = values([("A",), ("B",)], [("A", math.log(0.5)), ("B", -9999.0), ("C", -math.inf), ("D", math.nan)])
    assert got == [[(near(math.log(0.5)), False)], [(near(math.log(0.5)), True)]]
    assert values([("A",)], []) == [[(0.0, True)]]
    assert values([("A",)], [("A", -900.0), (" A", -900.0)]) == [[(near(-900 + math.log(2)), False)]]


@given(
    st.lists(st.floats(0.001, 1.0), min_size=3, max_size=12),
    st.integers(1, 12),
    st.lists(
        st.sampled_from(["A", " A", "\u0120A", "\u2581A", "B", " B", "C", "(", " ", "\n", "The", "D", "E", "F"]),
        min_size=1,
        unique=True,
    ),
)
def test_bounds_hold_and_known_values_are_right_whatever_is_shown(
    weights: list[float], k: int, tokens: list[str]
) -> None:
    """Of a distribution over tokens only the k most probable are shown."""
    pairs = list(zip(tokens, weights, strict=False))
    total = sum(weight for _, weight in pairs)
    true = {token: weight / total for token, weight in pairs}
    shown = sorted(((token, math.log(p)) for token, p in true.items()), key=lambda pair: -pair[1])[:k]
    for label in "ABCD":
        [[exact]] = first_token_scores([(label,)], shown)
        same = sum(p for token, p in true.items() if token.strip(" \u0120\u2581") == label)
        seen = sum(math.exp(v) for token, v in shown if token.strip(" \u0120\u2581") == label)
        if exact.upper_bound:
            assert seen == 0
            assert same <= math.exp(exact.logprob) + 1e-9
        else:
            assert math.exp(exact.logprob) == pytest.approx(seen)
            assert math.exp(exact.logprob) <= same + 1e-9


# -- what is asked ---------------------------------------------------------------------------------------------


def test_one_token_is_asked_and_the_most_probable_ones_are_shown(server: Server, shows: Api) -> None:
    got = choose(server, shows, [("A", math.log(0.6)), (" B", math.log(0.3))])
    assert got.scores == ((Score(math.log(0.6), 1, 1),), (Score(math.log(0.3), 1, 1),))
    assert (got.text, got.finish, got.served_model, got.prompt_tokens) == (None, Finish.STOP, "served-1", 11)
    assert got.notes == {"reply_start": "not given", "label_mass": 0.9}
    body = server.asked[0].body
    if shows.name == "openai":
        assert body == {
            "model": "m-1", "messages": [{"role": "user", "content": "Which?"}], "max_completion_tokens": 1,
            "temperature": 0.0, "logprobs": True, "top_logprobs": 20,
        }  # fmt: skip
    else:
        assert body["generationConfig"] == {
            "maxOutputTokens": 1, "temperature": 0.0, "responseLogprobs": True, "logprobs": 20,
        }  # fmt: skip


def test_reasoning_is_switched_off_for_it(server: Server, shows: Api) -> None:
    choose(server, shows, [("A", -0.1)], reasoning="switch", top_logprobs=5)
    told = json.dumps(server.asked[0].body)
    assert ('"reasoning_effort": "none"' in told) or ('"thinking_budget": 0' in told) or ('"thinkingBudget": 0' in told)
    assert '"top_logprobs": 5' in told or '"logprobs": 5' in told


def test_a_server_that_can_is_given_the_beginning_of_the_reply(server: Server, openai: Api) -> None:
    got = choose(server, openai, [(" A", -0.1)], prefill=True)
    body = server.asked[0].body
    assert body["messages"][-1] == {"role": "assistant", "content": "Answer:"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert "reply_start" not in got.notes


def test_only_where_the_first_token_is_the_answers(server: Server, api: Api) -> None:
    able = api.name in REPLIES
    assert api.adapter(server).capabilities.choose is able
    assert api.adapter(server, "switch").capabilities.choose is able
    assert not api.adapter(server, "always").capabilities.choose
    assert not api.adapter(server, top_logprobs=0).capabilities.choose


def test_how_it_is_scored_is_in_the_fingerprint(server: Server, openai: Api) -> None:
    told = dict(openai.adapter(server).fingerprint())
    assert told["choose"] == "first token, of 20 shown"
    assert openai.adapter(server, top_logprobs=5).fingerprint()["choose"] == "first token, of 5 shown"
    assert "choose" not in openai.adapter(server, "always").fingerprint()
    assert openai.adapter(server, prefill=True).fingerprint() == told | {"prefill": True}


@pytest.mark.parametrize("name", ["anthropic", "google"])
def test_an_api_that_begins_no_reply_takes_no_prefill(server: Server, name: str) -> None:
    pytest.importorskip(APIS[name].module)
    with pytest.raises(AkbError, match="prefill"):
        APIS[name].adapter(server, prefill=True)


# -- what cannot be --------------------------------------------------------------------------------------------


def test_words_cannot_be_scored(server: Server, shows: Api) -> None:
    request = Choose((Message("user", ("Which?",)),), ((" A",), (" violin",)))
    with pytest.raises(AkbError, match=r"' violin' cannot be had.*one token"):
        put(shows.adapter(server), request)
    assert server.asked == []


def test_a_server_that_gives_none_ends_the_run(server: Server, shows: Api) -> None:
    with pytest.raises(AkbError, match="gives no log-probabilities"):
        choose(server, shows, None)
    with pytest.raises(AkbError, match="gives no log-probabilities"):
        choose(server, shows, [], text="A")


def test_a_reply_that_ended_at_once_has_bounds_alone(server: Server, shows: Api) -> None:
    got = choose(server, shows, [], text="")
    assert [[s.logprob, s.upper_bound] for group in got.scores for s in group] == [[0.0, True]] * 2
    assert got.notes["label_mass"] == 0


def test_a_refusal_has_bounds_alone_and_keeps_its_reason(server: Server, shows: Api) -> None:
    server.answer = lambda asked: (200, {}, REPLIES[shows.name](None, "", shows.filtered))
    got = put(shows.adapter(server), Choose((Message("user", ("Which?",)),), LETTERS))
    assert got.finish == Finish.REFUSAL
    assert all(score.upper_bound for group in got.scores for score in group)
    assert got.notes["finish_reason"] == shows.filtered


def test_a_refused_prompt_has_bounds_alone(server: Server, openai: Api) -> None:
    server.answer = lambda asked: (400, {}, {"error": {"message": "flagged", "code": "content_filter"}})
    got = put(openai.adapter(server), Choose((Message("user", ("Which?",)),), LETTERS))
    assert (got.finish, len(got.scores)) == (Finish.REFUSAL, 2)


@pytest.mark.parametrize("wrong", ["x", None, {}, [1]])
def test_log_probabilities_of_a_wrong_form_are_transient(server: Server, openai: Api, wrong: Any) -> None:
    reply = of_openai([("A", -0.1)])
    reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = [{"token": "A", "logprob": wrong}]
    server.answer = lambda asked: (200, {}, reply)
    adapter = openai.adapter(server)
    with pytest.raises(Exception, match="not of the form") as caught:
        put(adapter, Choose((Message("user", ("Which?",)),), LETTERS))
    assert adapter.classify(caught.value).kind == "transient"
