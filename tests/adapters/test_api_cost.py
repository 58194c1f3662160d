"""What requests take and cost: prices by the token, in closed form, and from each API's own count."""

from __future__ import annotations

import math
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from apis import APIS, Api, Server, ask, put
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from akb.adapters import pricing
from akb.adapters.cards import Card, Reasoning
from akb.adapters.cards import Prices as CardPrices
from akb.errors import AkbError
from akb.registry import Registry
from akb.types import Choose, Clip, Decoding, Generate, Message, Priced, Response


@dataclass(frozen=True)
class Prices:
    input: float = 2.0
    output: float = 10.0
    cached_input: float | None = 0.5
    audio_input: float | None = 40.0


def cost(prompt: int, reply: int, prices: Prices | None = None, **special: int) -> float | None:
    return pricing.cost(prices or Prices(), Response(prompt_tokens=prompt, completion_tokens=reply), **special)


def estimate(text: str, prices: Prices | None = None, room: int = 0, tokens: int = 100) -> Any:
    request = Generate((Message("user", (text,)),), Decoding(max_tokens=tokens))
    return pricing.estimate(request, prices, room)


# -- in closed form --------------------------------------------------------------------------------------------


def test_an_answer_costs_its_tokens_at_their_prices() -> None:
    assert cost(1_000_000, 0) == pytest.approx(2)
    assert cost(0, 1_000_000) == pytest.approx(10)
    assert cost(1000, 100) == pytest.approx(0.003)
    assert cost(1000, 100, cached=400) == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 10) / 1e6)
    assert cost(1000, 100, audio=300) == pytest.approx((700 * 2 + 300 * 40 + 100 * 10) / 1e6)
    assert cost(1000, 100, cached=400, audio=300) == pytest.approx((300 * 2 + 200 + 12000 + 1000) / 1e6)
    assert pricing.cost(None, Response(prompt_tokens=1000)) is None


def test_a_price_that_is_not_told_is_that_of_the_prompt() -> None:
    prices = Prices(cached_input=None, audio_input=None)
    assert cost(1000, 100, prices, cached=400, audio=300) == pytest.approx(0.003)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**7), st.integers(0, 10**7))
def test_no_token_is_paid_twice_whatever_the_server_counts(prompt: int, reply: int, cached: int, audio: int) -> None:
    flat = Prices(2.0, 10.0, 2.0, 2.0)
    assert cost(prompt, reply, flat, cached=cached, audio=audio) == pytest.approx((2 * prompt + 10 * reply) / 1e6)


def test_an_estimate_is_of_the_texts_and_the_whole_room() -> None:
    assert estimate("abcd " * 80).prompt_tokens == 104
    assert estimate("abcd " * 80, room=50).reply_tokens == 150
    assert estimate("abcd").cost is None
    assert estimate("a" * 400, Prices()).cost == pytest.approx((2 * (200 + 16) + 10 * 100) / 1e6)
    assert estimate("1" * 400, Prices()).cost == pytest.approx((2 * (400 + 16) + 10 * 100) / 1e6)
    assert estimate("雨" * 100, Prices()).cost == pytest.approx((2 * (300 + 16) + 10 * 100) / 1e6)
    letters = pricing.estimate(Choose((Message("user", ("abcd",)),), ((" A",),), "Answer:"), Prices())
    assert letters.reply_tokens == 1
    assert letters.cost == pytest.approx((2 * (2 + 4 + 16) + 10) / 1e6)


def test_audio_that_is_compressed_is_estimated_from_the_files_size(tmp_path: Path) -> None:
    file = tmp_path / "a.mp3"
    file.write_bytes(bytes(32_000))
    messages = (Message("user", (Clip("", str(file)), "")),)
    found = pricing.estimate(Generate(messages, Decoding(max_tokens=1)), Prices())
    assert found.prompt_tokens == 2 * 32 + 4
    assert found.cost == pytest.approx((16 * 2 + 40 * 32_000 / 750 * 32 + 10) / 1e6)
    file.unlink()
    assert pricing.estimate(Generate(messages)).prompt_tokens == 4


@pytest.mark.parametrize(("rate", "width", "channels"), [(16_000, 2, 1), (44_100, 2, 2), (8_000, 1, 1)])
def test_plain_sound_is_estimated_from_its_duration(tmp_path: Path, rate: int, width: int, channels: int) -> None:
    file = tmp_path / "a"
    with wave.open(str(file), "wb") as sound:
        sound.setparams((channels, width, rate, 0, "NONE", ""))
        sound.writeframes(bytes(3 * rate * width * channels))
    found = pricing.estimate(Generate((Message("user", (Clip("", str(file)),)),), Decoding(max_tokens=1)), Prices())
    assert found.prompt_tokens == 3 * 32 + 4
    assert found.cost == pytest.approx((16 * 2 + 40 * 3 * 32 + 10) / 1e6, rel=0.01)
    file.write_bytes(file.read_bytes()[:20])
    assert pricing.estimate(Generate((Message("user", (Clip("", str(file)),)),)), Prices()).prompt_tokens == 4


@given(st.text(max_size=200), st.integers(1, 500), st.integers(0, 500))
def test_what_is_promised_is_at_least_what_a_likely_answer_costs(text: str, tokens: int, room: int) -> None:
    found = estimate(text, Prices(), room, tokens)
    likely = cost(math.ceil(len(text) * 0.25), tokens + room)
    assert likely is not None
    assert found.cost >= likely


# -- by the adapters -------------------------------------------------------------------------------------------

PRICES = {"input": 2.0, "output": 10.0, "cached_input": 0.5}


def test_each_api_tells_what_was_cached_and_the_answer_its_cost(server: Server, api: Api) -> None:
    def answer(asked: Any) -> Any:
        status, headers, body = api.ok("A")  # type: ignore[misc]
        if api.name == "openai":
            body["usage"]["prompt_tokens_details"] = {"cached_tokens": 2, "audio_tokens": None}
        elif api.name == "google":
            body["usageMetadata"]["cachedContentTokenCount"] = 2
        return status, headers, body

    server.answer = answer
    got = ask(api.adapter(server, prices=PRICES))
    assert (got.prompt_tokens, got.completion_tokens, got.notes) == (11, 7, {"cached_tokens": 2})
    assert got.cost == pytest.approx((9 * 2 + 2 * 0.5 + 7 * 10) / 1e6)
    assert ask(api.adapter(server)).cost is None


def test_audio_tokens_have_a_price_of_their_own(server: Server, openai: Api, google: Api) -> None:
    def counted(api: Api, usage: dict[str, Any]) -> Response:
        _, _, body = api.ok("A")  # type: ignore[misc]
        body["usage" if api is openai else "usageMetadata"].update(usage)
        server.answer = lambda asked: (200, {}, body)
        return ask(api.adapter(server, prices=PRICES | {"audio_input": 40.0}))

    got = counted(openai, {"prompt_tokens_details": {"audio_tokens": 5, "cached_tokens": 0}})
    assert got.notes == {"audio_tokens": 5}
    assert got.cost == pytest.approx((6 * 2 + 5 * 40 + 7 * 10) / 1e6)
    sound, text = {"modality": "AUDIO", "tokenCount": 5}, {"modality": "TEXT", "tokenCount": 6}
    got = counted(google, {"promptTokensDetails": [text, sound]})
    assert got.notes == {"audio_tokens": 5}
    assert got.cost == pytest.approx((6 * 2 + 5 * 40 + 7 * 10) / 1e6)
    cached = {"cachedContentTokenCount": 5, "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}]}
    got = counted(google, {"promptTokensDetails": [text, sound], **cached})
    assert got.notes == {"cached_tokens": 5}
    assert got.cost == pytest.approx((6 * 2 + 5 * 0.5 + 7 * 10) / 1e6)


def test_the_users_prices_go_before_the_cards_and_need_no_date(server: Server, openai: Api) -> None:
    server.answer = lambda asked: openai.ok("A")
    registry = Registry()
    card = registry.cards["gpt-4o"]
    assert card.prices is not None
    args = openai.args(server)
    by_card = ask(registry.adapter(card, args)).cost  # type: ignore[arg-type]
    assert by_card == pytest.approx((11 * card.prices.input + 7 * card.prices.output) / 1e6)
    own = ask(registry.adapter(card, args | {"prices": {"input": 1, "output": 2}})).cost  # type: ignore[arg-type]
    assert own == pytest.approx((11 * 1 + 7 * 2) / 1e6)
    for wrong in (
        {"input": 1}, {"input": -1, "output": 2}, {"input": 1, "output": 2, "currency": "EUR"},
        {"input": math.inf, "output": 2}, {"input": 1, "output": math.nan},
    ):  # fmt: skip
        with pytest.raises(AkbError, match="prices"):
            registry.adapter(card, args | {"prices": wrong})


def test_prices_are_no_part_of_what_an_answer_depends_on(server: Server, api: Api) -> None:
    assert api.adapter(server, prices=PRICES).fingerprint() == api.adapter(server).fingerprint()


def test_an_answer_without_a_count_has_no_cost(server: Server, openai: Api) -> None:
    _, _, body = openai.ok("A")  # type: ignore[misc]
    del body["usage"]
    server.answer = lambda asked: (200, {}, body)
    got = ask(openai.adapter(server, prices=PRICES))
    assert (got.text, got.cost, got.prompt_tokens) == ("A", None, 0)


def test_an_estimate_counts_the_room_of_reasoning_as_it_will_be_asked_for(server: Server, api: Api) -> None:
    adapter = api.adapter(server, "switch", prices=PRICES)
    assert isinstance(adapter, Priced)

    def reply(thinking: Any) -> int:
        return adapter.estimate(Generate((Message("user", ("x",)),), Decoding(10, thinking=thinking))).reply_tokens

    assert reply("off") == 10
    assert reply("on") == 10 + 8192
    assert reply(2000) == 2010
    assert reply(5) == (1034 if api.name == "anthropic" else 15)
    request = Generate((Message("user", ("x",)),), Decoding(10, thinking=5))
    server.answer = lambda asked: api.ok("A")
    put(adapter, request)
    body = server.asked[0].body
    sent = body.get("max_completion_tokens") or body.get("max_tokens") or body["generationConfig"]["maxOutputTokens"]
    assert sent == reply(5)


@pytest.mark.parametrize("effort", [20_000, 100])
@pytest.mark.parametrize("name", ["anthropic", "google"])
def test_an_effort_in_tokens_leaves_the_answer_its_room(server: Server, name: str, effort: int) -> None:
    api = APIS[name]
    pytest.importorskip(api.module, reason=f"the SDK {api.module} is not installed")
    server.answer = lambda asked: api.ok("A")
    cases: tuple[tuple[str, Any], ...] = (("effort", "on"), ("effort", 50), ("least_effort", "off"))
    for setting, thinking in cases:
        told: dict[str, Any] = {setting: effort, "room": 5000}
        adapter = api.adapter(server, "always", **told)
        request = Generate((Message("user", ("x",)),), Decoding(10, thinking=thinking))
        put(adapter, request)
        body = server.asked[-1].body
        least = max(effort, 1024) if api.name == "anthropic" else effort
        room = max(least, 50 if thinking == 50 else 5000)
        sent = body.get("max_tokens") or body["generationConfig"]["maxOutputTokens"]
        assert sent == adapter.estimate(request).reply_tokens == 10 + room


@pytest.mark.parametrize("name", APIS)
def test_an_effort_of_fewer_tokens_than_none_is_an_error(name: str) -> None:
    card = Card(name="m", adapter=name, model="m", reasoning=Reasoning(can="always"))
    for effort in (-1, -2):
        if (name, effort) == ("google", -1):  # as the model sees fit
            Registry().adapter(card, {"effort": effort})
            continue
        with pytest.raises(AkbError, match=r"effort.*wanted \(found -"):
            Registry().adapter(card, {"least_effort": effort})


@pytest.mark.parametrize("name", APIS)
def test_prices_of_cards_are_in_order(name: str) -> None:
    cards: list[Card] = [card for card in Registry().cards.values() if card.adapter == name]
    for prices in (card.prices for card in cards if card.prices):
        assert prices.input <= prices.output
        assert prices.cached_input is None or prices.cached_input < prices.input


@pytest.mark.parametrize("wrong", [math.inf, math.nan, -1.0])
@pytest.mark.parametrize("field", ["input", "output", "cached_input", "audio_input"])
def test_prices_of_cards_are_numbers_with_a_date_and_a_source(field: str, wrong: float) -> None:
    right = {"input": 1.0, "output": 2.0, "as_of": "2026-01-01", "source": "x"}
    CardPrices.model_validate(right)
    for bad in (right | {field: wrong}, {"input": 1.0, "output": 2.0}, right | {"as_of": "soon"}):
        with pytest.raises(ValidationError):
            CardPrices.model_validate(bad)
