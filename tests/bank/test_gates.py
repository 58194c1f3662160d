"""The gates of `akb bank check`: each must fail where what it looks for is there, and hold where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from akb.bank import balance, flaws, twins
from akb.bank.balance import Gate
from akb.bank.choices_only import choices_only, keys_found
from akb.cli.app import app
from akb.tasks.items import Item, Source
from akb.types import Question

WORDS = [
    "bell",
    "drum",
    "horn",
    "oboe",
    "flute",
    "hum",
    "hiss",
    "click",
    "roar",
    "trill",
    "chirp",
    "buzz",
    "thud",
    "clang",
]


def item(number: int, options: Sequence[str], answer: int = 0, **changes: object) -> Item:
    told = {
        "id": f"i-{number}", "version": 1, "category": "sound", "subcategory": "animal-sounds",
        "question": f"Which of these is heard in case {number}?", "options": tuple(options), "answer": answer,
        "kind": "authored", "template_id": f"t-{number}", "sources": (Source(kind="general", ref="general knowledge"),),
        "rationale": "It is.", "dialect": "", "reviews": (), "check": None, "canary": "c",
    } | changes  # fmt: skip
    return Item.model_validate(told)


def made(count: int, options: Callable[[Random, int], Sequence[str]] | None = None, **changes: object) -> list[Item]:
    """Items whose keys stand in turn at each place, with options of random words unless told otherwise."""
    random = Random(5)
    return [
        item(n, options(random, n % 4) if options else [" ".join(random.sample(WORDS, 3)) for _ in range(4)], n % 4,
             **changes)
        for n in range(count)
    ]  # fmt: skip


def one(found: Gate | Iterator[Gate], name: str = "") -> Gate:
    return found if isinstance(found, Gate) else next(gate for gate in found if gate.name == name)


def test_places_are_even_or_not() -> None:
    even = made(80)
    assert balance.key_places(even).passed
    assert balance.key_places([*even, item(99, "abcd", 2)]).passed, "one more than a multiple of four"
    assert not balance.key_places([*even[:78], item(98, "abcd", 0), item(99, "abcd", 0)]).passed
    assert balance.subcategory_places(even).passed
    two = [*even, *(item(n, "abcd", 1, subcategory="onomatopoeia") for n in range(100, 102))]
    assert balance.subcategory_places(two).details == ("onomatopoeia: [0, 2, 0, 0]",)


@pytest.mark.parametrize(("share", "holds"), [(0.10, False), (0.25, True), (0.40, False)])
@pytest.mark.parametrize("which", ["longest", "shortest"])
def test_the_longest_and_the_shortest_option_are_the_key_in_a_quarter(which: str, share: float, holds: bool) -> None:
    def options(random: Random, answer: int) -> list[str]:
        odd = answer if random.random() < share else (answer + random.randint(1, 3)) % 4
        return [("x" * (9 if which == "longest" else 2) if place == odd else "x" * 5) for place in range(4)]

    found = one(balance.lengths(made(600, options)), f"key is the one {which} option")
    assert found.passed is holds
    ties = one(balance.lengths(made(600, lambda *_: ["aaa", "bbb", "ccc", "ddd"])), f"key is the one {which} option")
    assert ties.figure == "too few items"


def test_keys_in_the_middle_of_numbers_are_seen() -> None:
    def middle(random: Random, answer: int) -> list[str]:
        base = random.randint(3, 40) * 8
        others = [base // 2, base * 2, base * 4]
        random.shuffle(others)
        return [f"{value:,} Hz" for value in [*others[:answer], base, *others[answer:]]]

    def anywhere(random: Random, answer: int) -> list[str]:
        return [f"{value} Hz" for value in random.sample(range(10, 90), 4)]

    assert not balance.number_ranks(made(24, middle, template_id="t")).passed
    assert not balance.number_ranks(made(24, middle)).passed, "over templates with few items each"
    assert balance.number_ranks(made(200, anywhere, template_id="t")).passed


@pytest.mark.parametrize(
    ("options", "rank"),
    [
        (["1,000 Hz", "20 Hz", "5.5 Hz", "300 Hz"], 3),
        (["-3 dB", "\N{MINUS SIGN}6 dB", "0 dB", "3 dB"], 1),
        (["two", "2", "3", "4"], None),
        (["3 to 5", "2 to 4", "1 to 2", "6 to 9"], None),
        (["2 Hz", "2 kHz", "3 Hz", "4 Hz"], None),
    ],
)
def test_ranks_are_those_of_four_different_numbers(options: list[str], rank: int | None) -> None:
    assert balance.number_rank(item(0, options)) == rank


def test_no_template_has_more_than_its_share() -> None:
    assert balance.template_sizes(made(8, template_id="t")).passed
    assert not balance.template_sizes(made(9, template_id="t")).passed
    assert balance.template_sizes(made(35, template_id="t", category="phonetic")).passed
    assert not balance.template_sizes(made(36, template_id="t", category="phonetic")).passed


def test_keys_that_options_alone_give_away_are_found_and_others_are_not() -> None:
    def telling(random: Random, answer: int) -> list[str]:
        words = [" ".join(random.sample(WORDS, 3)) for _ in range(4)]
        return [f"usually a {text}" if place == answer else text for place, text in enumerate(words)]

    assert sum(keys_found(made(120, telling))) / 120 > 0.9
    assert not choices_only(made(120, telling)).passed
    assert 0.15 < sum(keys_found(made(400))) / 400 < 0.35


def test_habits_of_one_template_are_not_learnt_from_itself() -> None:
    """Each template has one key and its own words: known in a moment to who has seen others of that template."""
    random, items = Random(1), list[Item]()
    for number in range(200):
        if number % 5 == 0:
            words = ["".join(random.choices("bdfgklmnprstaeiou", k=7)) for _ in range(4)]
        items.append(item(number, words[: number % 4][::-1] + words[number % 4 :], template_id=f"t-{number // 5}"))
        items[-1] = Item.model_validate(items[-1].model_dump() | {"answer": items[-1].options.index(words[0])})
    assert sum(keys_found(items)) / 200 < 0.45
    apart = [Item.model_validate(one.model_dump() | {"template_id": one.id}) for one in items]
    assert sum(keys_found(apart)) / 200 > 0.8


def test_near_duplicates_are_found_across_templates_and_twins_within() -> None:
    options = ["a bowed string", "a struck bar", "a blown reed", "a plucked wire"]
    asked = "Which part of this instrument first moves when a player begins a note?"
    pair = [item(1, options, question=asked), item(2, options[::-1], 3, question=asked.replace("begins", "begin"))]
    assert twins.near_duplicates([*made(30), *pair]).details[0].startswith("i-1 and i-2")
    assert twins.near_duplicates(made(30)).passed
    inside = [item(n, options, question=asked, template_id="t") for n in (1, 2)]
    assert not twins.near_duplicates(inside).passed
    theirs = [Question(id="q7", text=asked, options=tuple(options), answer=0)]
    assert twins.overlap([*made(30), pair[0]], theirs, "file").details == ("i-1 and q7: 1.00",)
    assert twins.overlap(made(30), theirs, "file").passed


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("negative stems", {"question": "Which of these is not a reed instrument?"}),
        ("options that refer to others", {"options": ("a", "b", "c", "All of the above")}),
        ("absolute words in distractors alone", {"options": ("at night", "always by day", "never alone", "in rain")}),
        ("hedging words in the key alone", {"options": ("usually high", "low", "flat", "loud")}),
        ("articles that fit some options only", {"question": "It is an", "options": ("oboe", "horn", "b", "c")}),
        ("words of the stem in the key alone", {"question": "What is thunder?", "options": ("thunder", "b", "c", "d")}),
    ],
)
def test_flaws_are_found_where_they_are(kind: str, changes: dict[str, object]) -> None:
    clean = item(0, ["a bell", "a horn", "a drum", "a flute"])
    flawed = Item.model_validate(clean.model_dump() | changes)
    assert one(flaws.flaws([clean]), kind).figure == "0"
    assert one(flaws.flaws([flawed]), kind).details


def test_the_command_ends_with_2_where_a_gate_does_not_hold(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    runner = CliRunner()
    file.write_text("".join(item.model_dump_json() + "\n" for item in made(9, template_id="t")), "utf-8")
    shown = runner.invoke(app, ["bank", "check", str(file), "--json"])
    assert shown.exit_code == 2
    found = {gate["name"]: gate for gate in json.loads(shown.stdout)["gates"]}
    assert found["items of one template"]["details"] == ["t: 9"]
    assert found["keys found without the stem"]["passed"] is None
    assert "DOES NOT HOLD" in runner.invoke(app, ["bank", "check", str(file)]).stdout
