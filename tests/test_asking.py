"""How a question is put: option orders, worked examples, controls, prompts, protocols."""

from __future__ import annotations

import hashlib
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from akb.errors import AkbError
from akb.plan import Plan, RunConfig
from akb.registry import Registry, Selection
from akb.settings import Settings
from akb.tasks.asking import Asking, messages, orders, shown
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.protocol import Prompt, Protocol, render
from akb.types import Choose, Clip, Generate, Question, Request

REGISTRY = Registry(Settings())
PROTOCOLS = sorted(set(REGISTRY.protocols) - {"bank-write-v1"})  # that one asks for questions, and shows no options


def asking(protocol: str, **fields: Any) -> Asking:
    changes = fields.pop("changes", {})
    found, prompt = REGISTRY.protocol(protocol, changes)
    return Asking(found, prompt, **fields)


def question(name: str, count: int = 4) -> Question:
    return Question(name, f"What is {name}?", tuple(f"{name} {n}" for n in range(count)), 0, "c")


class Given(MultipleChoice):
    """A task of given questions."""

    name = "given"

    def __init__(self, asking: Asking, listed: Sequence[Question], shots: Sequence[Question] = ()) -> None:
        super().__init__(asking)
        self.listed, self.shots = listed, shots

    def questions(self) -> Iterable[Question]:
        return self.listed

    def examples(self) -> Sequence[Question]:
        return self.shots


def texts(request: Request) -> list[str]:
    return [message.text for message in request.messages]


# -- orders ----------------------------------------------------------------------------------------------------

NAMES = [f"item-{number}" for number in range(30)]
WHOLE = {name: orders(question(name), "seeded", 0, "given")[0] for name in NAMES}


@given(st.lists(st.sampled_from(NAMES), unique=True, min_size=1), st.integers(1, 30))
def test_filtering_limiting_or_reordering_never_re_letters_a_question(names: list[str], limit: int) -> None:
    asked = asking("akb-v1")
    task = Given(asked, [question(name) for name in names])
    config = RunConfig(model="none", task=("given",), limit=limit)
    plan = Plan(config, "none", Selection("given"), task, {}, asked.protocol, asked.prompt)
    trials = list(plan.trials())
    assert [trial.id for trial in trials] == names[:limit]
    assert all(trial.ask["orders"] == [WHOLE[trial.id]] for trial in trials)


@given(st.integers(2, 26), st.integers(0, 2**32), st.text(max_size=20), st.text(max_size=20))
def test_the_seeded_order_is_a_shuffle_by_the_hash_of_seed_task_and_item(
    count: int, seed: int, task: str, name: str
) -> None:
    digest = hashlib.sha256("\x1f".join((str(seed), task, name)).encode()).digest()
    expected = list(range(count))
    Random(int.from_bytes(digest, "big")).shuffle(expected)
    assert orders(question(name, count), "seeded", seed, task) == [expected]


def test_seed_task_and_item_each_change_orders_and_the_key_stands_everywhere_alike() -> None:
    names = [f"q{number}" for number in range(2400)]
    base = [orders(question(name), "seeded", 0, "t")[0] for name in names]
    for other in (
        [orders(question(name), "seeded", 1, "t")[0] for name in names],
        [orders(question(name), "seeded", 0, "u")[0] for name in names],
    ):
        same = sum(a == b for a, b in zip(base, other, strict=True))
        assert 60 < same < 150  # a 24th of them by chance: 100
    assert chisquare(list(Counter(order.index(0) for order in base).values())).pvalue > 1e-4
    assert chisquare(list(Counter(map(tuple, base)).values())).pvalue > 1e-4
    assert len(set(map(tuple, base))) == 24


@given(st.integers(2, 26), st.integers(0, 99))
def test_cyclic_puts_every_option_in_every_place_once_and_begins_with_the_seeded_order(count: int, seed: int) -> None:
    about = question("q", count)
    found = orders(about, "cyclic", seed, "t")
    assert found[0] == orders(about, "seeded", seed, "t")[0]
    for place in range(count):
        assert sorted(order[place] for order in found) == list(range(count))
    for order in found:
        assert sorted(order) == list(range(count))


@given(st.integers(2, 26))
def test_given_leaves_the_options_as_they_are(count: int) -> None:
    assert orders(question("q", count), "given", 7, "t") == [list(range(count))]


@given(st.integers(2, 26), st.data())
def test_2_to_26_options_are_labelled_in_the_order_shown(count: int, data: st.DataObject) -> None:
    about, order = question("q", count), data.draw(st.permutations(range(count)))
    options = shown(about, order)
    assert "".join(option.label for option in options) == string.ascii_uppercase[:count]
    assert [option.text for option in options] == [about.options[index] for index in order]


@pytest.mark.parametrize("count", [2, 5, 26])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_asks_questions_of_any_number_of_options(protocol: str, count: int) -> None:
    task = Given(asking(protocol), [question("q", count)])
    trial = task.trial(task.listed[0])
    found = task.requests(trial, ())
    asked = task.asking.protocol
    assert len(found) == (count if asked.order == "cyclic" else 1) + int(asked.unconditional)
    for request in found:
        assert len(request.options) == count
        if isinstance(request, Choose):
            assert len(request.continuations) == count
            assert all(group and all(text.startswith(" ") for text in group) for group in request.continuations)
        else:
            lettered = protocol not in ("mmau-v1", "mmar-v1")  # their authors show no letters
            for option in request.options:
                wanted = f"({option.label}) {option.text}\n" if lettered else option.text
                assert wanted in texts(request)[-1]


def test_27_options_are_refused() -> None:
    with pytest.raises(AkbError, match="27 options; at most 26 can be labelled"):
        shown(question("q", 27), range(27))


# -- worked examples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shots", [0, 1, 3, 5])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_open_bank_shows_exactly_so_many_examples_none_of_them_a_test_item(protocol: str, shots: int) -> None:
    task = REGISTRY.task("akb-open", asking(protocol, changes={"shots": shots}))
    asked = list(task.questions())
    tested = {" ".join(q.text.split()).casefold() for q in asked}
    for about in asked[::10]:
        request = task.requests(task.trial(about), ())[0]
        turns = [message for message in request.messages if message.role != "system"]
        assert [turn.role for turn in turns] == ["user", "assistant"] * shots + ["user"]
        for example in turns[:-1:2]:
            assert not any(text in " ".join(example.text.split()).casefold() for text in tested)
        assert about.text in turns[-1].text


def test_examples_of_the_questions_own_category_come_first_and_are_the_same_for_all_of_it() -> None:
    shots = [Question(f"s{n}", f"example {c}{n}", ("x", "y"), 1, c) for n, c in enumerate("aabbc")]
    listed = [Question(f"q{n}", f"test {n}", ("x", "y"), 0, c) for n, c in enumerate("abcda")]
    task = Given(asking("akb-v1", changes={"shots": 3}), listed, shots)
    told = {}
    for about in listed:
        request = task.requests(task.trial(about), ())[0]
        told[about.id] = [text.split("\n")[0] for text in texts(request)[:-1:2]]
        assert texts(request)[1] == "(B)"  # an ideal reply under this prompt
    assert told["q0"] == told["q4"] == ["example a0", "example a1", "example b2"]
    assert told["q1"] == ["example b2", "example b3", "example a0"]
    assert told["q2"] == ["example c4", "example a0", "example a1"]
    assert told["q3"] == ["example a0", "example a1", "example b2"]


def test_more_examples_than_there_are_is_an_error_that_says_how_many() -> None:
    task = Given(asking("akb-v1", changes={"shots": 3}), [question("q")], [question("s")])
    with pytest.raises(AkbError, match="3 worked examples are wanted, the task has 1"):
        task.requests(task.trial(task.listed[0]), ())


# -- controls --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_choices_only_withholds_every_question_and_shows_the_same_options(protocol: str, shots: int) -> None:
    told = asking(protocol, changes={"shots": shots})
    withheld = REGISTRY.task("akb-open", asking(protocol, changes={"shots": shots}, control="choices-only"))
    plain = REGISTRY.task("akb-open", told)
    for about in list(plain.questions())[::25]:
        pairs = zip(plain.requests(plain.trial(about), ()), withheld.requests(withheld.trial(about), ()), strict=True)
        for shown_, hidden in pairs:
            assert not any(about.text in text for text in texts(hidden))
            assert shown_.options == hidden.options
            asked = [line for text in texts(hidden) for line in text.splitlines()[:1] if "?" in line]
            assert all(any(option.text in line for option in hidden.options) for line in asked)


def test_listen_none_drops_every_clip_and_keeps_the_text() -> None:
    audio = (Clip("0" * 64, "a.wav"), Clip("1" * 64, "b.wav"))
    about = Question("q", "What?", ("x", "y"), 0, audio=audio)
    (heard,) = messages(about, [0, 1], asking("akb-v1"))
    (unheard,) = messages(about, [0, 1], asking("akb-v1", listen="none"))
    assert heard.parts[:2] == audio
    assert heard.parts[2:] == unheard.parts


# -- prompts ---------------------------------------------------------------------------------------------------


def test_text_of_questions_and_options_is_never_taken_for_a_template() -> None:
    nasty = "{{ 7 * 7 }} {% for x in y %} <b> & 'q' \"r\""
    about = Question("q", nasty, (nasty, "{{ key.label }}"), 0)
    for name in PROTOCOLS:
        request = Given(asking(name), [about]).requests(Given(asking(name), []).trial(about), ())[0]
        assert nasty in texts(request)[-1]
        assert "49" not in texts(request)[-1]


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ question.__init__.__globals__ }}",
        "{{ options.__class__.__base__.__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.getcwd() }}",
        "{% include '/etc/passwd' %}",
        "{{ nobody }}",
        "{{ options[7].label }}",
        "{{ 1 / 0 }}",
        "{{ question + 1 }}",
        "{% for n in range(10 ** 9) %}x{% endfor %}",
    ],
)
def test_a_template_cannot_reach_out_of_its_sandbox_or_end_in_a_traceback(template: str) -> None:
    with pytest.raises(AkbError, match="the prompt template cannot be rendered"):
        render(template, question="q", options=())


def test_a_prompt_with_a_broken_template_is_refused_when_it_is_read() -> None:
    with pytest.raises(ValueError, match="not a valid Jinja template"):
        Prompt(name="p", user="{% if question %}", reply="x")


def test_the_prompts_of_akb_read_as_they_are_printed_here() -> None:
    about = Question("q", "Which is loud?", ("whisper", "thunder"), 1)
    given_ = {"order": "given"}
    letters = Given(asking("akb-v1-loglik", changes=given_), [about])
    (choose,) = letters.requests(letters.trial(about), ())
    assert isinstance(choose, Choose)
    assert texts(choose) == ["Which is loud?\nA. whisper\nB. thunder"]
    assert (choose.reply_start, choose.continuations) == ("Answer:", ((" A",), (" B",)))
    reply = Given(asking("akb-v1", changes=given_), [about])
    (generate,) = reply.requests(reply.trial(about), ())
    assert isinstance(generate, Generate)
    told = "Which is loud?\n\n(A) whisper\n(B) thunder\n\nReply with the letter of the correct option and nothing else."
    assert texts(generate) == [told]
    assert (generate.decoding.thinking, generate.decoding.max_tokens, generate.decoding.temperature) == (
        "off",
        256,
        0.0,
    )
    cloze = Given(asking("akb-v1-cloze"), [about])
    with_, without = cloze.requests(cloze.trial(about), ())
    assert isinstance(with_, Choose)
    assert isinstance(without, Choose)
    assert (texts(with_), texts(without)) == (["Which is loud?"], [""])
    assert with_.continuations == without.continuations == ((" whisper",), (" thunder",))


# -- protocols -------------------------------------------------------------------------------------------------


def test_a_changed_protocol_says_so_in_its_name_and_an_unchanged_one_is_itself() -> None:
    base, _ = REGISTRY.protocol("akb-v1")
    assert base.changed({}) is base
    assert base.changed({"shots": 5}).name == "akb-v1+shots=5"
    both = base.changed({"thinking": "on", "max_tokens": 64})
    assert (both.name, both.thinking, both.max_tokens) == ("akb-v1+max_tokens=64,thinking=on", "on", 64)
    assert base.changed({"max_tokens": 64, "thinking": True}) == both  # YAML's reading of a bare `on`
    assert base.changed({"shots": 1}).changed({"order": "given"}).name == "akb-v1+shots=1+order=given"


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["shots", "max_tokens"]), st.integers(1, 64), min_size=1))
def test_two_different_changes_never_have_one_name(changes: dict[str, int]) -> None:
    base, _ = REGISTRY.protocol("akb-v1")
    changed = base.changed(dict(changes))
    assert changed.name != base.name
    more = {name: value + 1 for name, value in changes.items()}
    assert max(more.values()) > 64 or base.changed(dict(more)).name != changed.name


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ask": "text", "normalise": "unconditional"}, "normalise: unconditional needs unconditional: true"),
        ({"ask": "letters", "unconditional": True}, "unconditional: true belongs to ask: text"),
        ({"ask": "letters", "spellings": ["A"]}, r"every spelling must contain \{label\}"),
        ({"ask": "letters", "spellings": []}, r"every spelling must contain \{label\}"),
        ({"ask": "guess"}, "ask: Input should be"),
        ({"ask": "letters", "shots": -1}, "shots: "),
        ({"ask": "letters", "order": "random"}, "order: "),
        ({"ask": "generate", "max_tokens": 0}, "max_tokens: "),
        ({"ask": "generate", "temperature": -0.1}, "temperature: "),
        ({"ask": "generate", "top_p": 0}, "top_p: "),
        ({"ask": "generate", "thinking": "some"}, "thinking"),
        ({"ask": "generate", "thinking": -1}, "thinking"),
        ({"ask": "generate", "extraction": "akb-9"}, "extraction: no extraction rule has this name"),
        ({"ask": "generate", "colour": "red"}, "colour: there is no such field"),
    ],
)
def test_a_protocol_that_cannot_be_meant_is_refused_with_the_field(fields: dict[str, Any], told: str) -> None:
    base = Protocol(name="base", ask="letters", prompt="p")
    with pytest.raises(AkbError, match=told):
        base.changed(fields)


@pytest.mark.parametrize(("told", "meant"), [(False, "off"), (True, "on"), ("off", "off"), (64, 64), (0, "off")])
def test_a_bare_off_of_yaml_is_off(told: Any, meant: str | int) -> None:
    assert Protocol(name="p", ask="generate", prompt="p", thinking=told).thinking == meant


def test_an_unknown_protocol_gets_did_you_mean() -> None:
    with pytest.raises(AkbError, match="Did you mean akb-v1-loglik"):
        REGISTRY.protocol("akb-v1-loglk")
