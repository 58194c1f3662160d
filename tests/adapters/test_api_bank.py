"""akb bank verify and generate, by a model behind an API: what it is shown, what it may say, what is made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from apis import Asked, Reply, Server, openai_reply
from typer.testing import CliRunner, Result

from akb.bank import readings
from akb.cli.app import app
from akb.errors import AkbError
from akb.registry import Registry
from akb.settings import Settings
from akb.tasks.items import Item, read_items

ALL = [item for _, item in read_items(Registry(Settings()).folders["akb-open"].data_files)]
ITEMS = {(item.question, frozenset(item.options)): item for item in ALL}

ITEM_OF = {item.id: item for item in ALL}


def call(server: Server, *args: str) -> Result:
    told = ["--with", "openai:m", "--set", f"model.base_url={server.url}/v1", "--set", "model.key_env=AKB_TEST_KEY"]
    return CliRunner().invoke(app, ["bank", *args, *told])


def says(answer: Callable[[str], str]) -> Callable[[Asked], Reply]:
    """A server whose model answers a prompt so."""

    def reply(asked: Asked) -> Reply:
        prompt = "".join(str(message["content"]) for message in asked.body["messages"])
        return 200, {}, openai_reply(answer(prompt), "stop", "")

    return reply


def shown(prompt: str) -> tuple[Item, Mapping[str, str]]:
    """The item that a prompt shows, and its options by label."""
    options = dict(re.findall(r"^\((\w)\) (.*)$", prompt, re.M))
    own = frozenset(list(options.values())[:4])
    return next(ITEMS[line, own] for line in prompt.splitlines() if (line, own) in ITEMS), options


# -- verify ----------------------------------------------------------------------------------------------------


def test_a_reader_sees_stem_and_options_and_what_it_says_is_a_log(server: Server, tmp_path: Path) -> None:
    def answer(prompt: str) -> str:
        item, options = shown(prompt)
        assert item.rationale not in prompt
        assert list(options) == list("ABCDEFG")
        assert set(list(options.values())[:4]) == set(item.options)
        assert [options[label] for label in "EFG"][1] == "None of the options above is right"
        number = int(item.id.rpartition("-")[2]) % 5
        if number == 4:
            return "(F)"
        wanted = item.options[item.answer if number else (item.answer + 1) % 4]
        return f"({next(label for label, text in options.items() if text == wanted)})"

    server.answer = says(answer)
    log = tmp_path / "log.jsonl"
    result = call(server, "verify", "--only", "rhyme", "--round", "3", "--out", str(log), "--json")
    assert result.exit_code == 0, result.output
    found = readings.read([log])
    known = ITEM_OF
    assert {reading.item for reading in found} == {i for i, item in known.items() if item.subcategory == "rhyme"}
    for reading in found:
        number = int(reading.item.rpartition("-")[2]) % 5
        assert (reading.round, reading.kind, reading.blind) == (3, "model", True)
        assert reading.key == known[reading.item].answer
        if number == 4:
            assert (reading.verdict, reading.answer) == ("none right", None)
        else:
            assert reading.verdict == "clear"
            assert reading.answer == (reading.key if number else (reading.key + 1) % 4)
    told = json.loads(result.stdout)
    assert told["agree"] == sum(reading.agrees for reading in found)
    assert told["unreadable"] == 0
    assert len(server.asked) == len(found)


def test_orders_of_options_differ_between_items_and_the_ways_out_stay_last(server: Server, tmp_path: Path) -> None:
    orders = set()

    def answer(prompt: str) -> str:
        item, options = shown(prompt)
        orders.add(tuple(item.options.index(text) for text in list(options.values())[:4]))
        return "(A)"

    server.answer = says(answer)
    assert call(server, "verify", "--only", "phonetic", "--out", str(tmp_path / "log.jsonl")).exit_code == 0
    assert len(orders) > 10


def test_what_cannot_be_read_is_no_reading(server: Server, tmp_path: Path) -> None:
    server.answer = says(lambda prompt: "I would rather not say which of them I hold for right.")
    result = call(server, "verify", "--only", "rhyme", "--out", str(tmp_path / "log.jsonl"), "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["readings"] == 0
    assert told["unreadable"] == told["items"]
    assert readings.read([tmp_path / "log.jsonl"]) == []


def test_readings_are_added_to_a_log_and_read_again_they_are_replaced(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    server.answer = says(lambda prompt: "(A)")
    for only in ("rhyme", "syllables"):
        assert call(server, "verify", "--only", only, "--out", str(log)).exit_code == 0
    found = readings.read([log])
    assert {ITEM_OF[reading.item].subcategory for reading in found} == {"rhyme", "syllables"}
    server.answer = says(lambda prompt: "(F)")
    assert call(server, "verify", "--only", "rhyme", "--seed", "5", "--out", str(log)).exit_code == 0
    again = readings.read([log])
    assert len(again) == len(found)
    assert {r.verdict for r in again if ITEM_OF[r.item].subcategory == "rhyme"} == {"none right"}
    assert {r.verdict for r in again if ITEM_OF[r.item].subcategory == "syllables"} == {"clear"}


# -- generate --------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "question": "Which of these birds drums on dead branches in place of a song?",
    "options": ["A woodpecker", "A nuthatch", "A treecreeper", "A wryneck"],
    "answer": 0,
    "kind": "table",
    "template_id": "drumming-bird",
    "rationale": "Woodpeckers drum on resonant wood; nuthatches only hammer at food.",
}


OPEN = Registry(Settings()).folders["akb-open"].path
USED = [
    int(n) for path in OPEN.rglob("*.jsonl") for n in re.findall(r'"animal-sounds-c(\d+)"', path.read_text("utf-8"))
]
NEXT = max(USED) + 1  # after all that were dropped or read


def write(server: Server, out: Path, *more: str, rows: object = (GOOD,)) -> Result:
    text = rows if isinstance(rows, str) else f"Here they are:\n```json\n{json.dumps(rows)}\n```"
    server.answer = says(lambda prompt: text)
    return call(server, "generate", "--subcategory", "animal_sounds", "-n", "2", "--out", str(out), *more)


def test_candidates_go_to_a_file_of_their_own_in_the_banks_format(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "new.jsonl"
    result = write(server, out)
    assert result.exit_code == 0, result.output
    ((_, item),) = list(read_items([out]))
    assert (item.id, item.category, item.subcategory) == (f"animal-sounds-c{NEXT:02d}", "sound", "animal-sounds")
    assert item.options == tuple(GOOD["options"])
    assert item.template_id == "animal-sounds/drumming-bird"
    assert item.sources[0].kind == "general"
    assert not item.sources[0].seen
    assert item.reviews == ()
    prompt = server.asked[0].body["messages"][-1]["content"]
    asked = [item.question for item in ALL if item.subcategory == "animal-sounds"]
    assert all(question in prompt for question in asked[-100:])
    assert server.asked[0].body["temperature"] == 0.7


def test_what_was_asked_before_and_what_has_no_form_is_refused_with_a_reason(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "new.jsonl"
    old = next(item for item in ALL if item.subcategory == "animal-sounds")
    rows = [
        GOOD,
        GOOD | {"template_id": "again"},
        GOOD | {"question": old.question.upper()},
        GOOD | {"question": "Which sound is it that has two options alike?", "options": ["A hum", "a  hum", "b", "c"]},
        GOOD | {"question": "Which one has its key out of range here?", "answer": 4},
        {"question": "Which one has nothing else to show?"},
    ]
    result = write(server, out, "--json", rows=rows)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["candidates"] == 1
    reasons = "\n".join(told["refused"])
    assert len(told["refused"]) == 5
    assert reasons.count("asked before") == 2
    assert "options are not distinct" in reasons
    assert "element 5: answer" in reasons
    assert "element 6: options: is missing" in reasons


@pytest.mark.parametrize(("text", "why"), [("I cannot do that.", "no JSON list"), ("[{]", "not valid JSON")])
def test_a_reply_that_is_no_list_adds_nothing_and_says_why(server: Server, tmp_path: Path, text: str, why: str) -> None:
    result = write(server, tmp_path / "new.jsonl", rows=text)
    assert result.exit_code == 0, result.output
    assert "0 of 2 candidates" in result.stdout
    assert why in result.stdout


def test_a_second_order_numbers_on_and_does_not_ask_again_what_the_file_has(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "new.jsonl"
    write(server, out)
    result = write(
        server, out, "--seed", "1", rows=[GOOD, GOOD | {"question": "Which bird has a call like a rusty gate?"}]
    )
    assert result.exit_code == 0, result.output
    items = [item for _, item in read_items([out])]
    assert [item.id for item in items] == [f"animal-sounds-c{NEXT:02d}", f"animal-sounds-c{NEXT + 1:02d}"]
    assert GOOD["question"] in server.asked[-1].body["messages"][-1]["content"]


def test_the_bank_itself_and_an_unknown_subcategory_are_refused_before_anything_is_asked(server: Server) -> None:
    place = Registry(Settings()).folders["akb-open"].path / "questions" / "sound" / "animal-sounds.jsonl"
    before = place.read_bytes()
    result = write(server, place)
    assert isinstance(result.exception, AkbError)
    assert "never go straight into the bank" in result.exception.what
    assert place.read_bytes() == before
    result = call(server, "generate", "--subcategory", "animal_sound", "-n", "2")
    assert isinstance(result.exception, AkbError)
    assert "animal-sounds" in result.exception.fix
    assert server.asked == []
