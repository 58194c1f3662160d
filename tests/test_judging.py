"""From responses to outcomes: every rule against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import logsumexp

import akb
from akb.scoring import by_policy, rescore
from akb.tasks.asking import Asking
from akb.tasks.judging import option_values, same_text
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.protocol import NORMALISATIONS, Prompt, Protocol
from akb.types import Answer, Capabilities, Finish, Outcome, Question, Request, Response, Score, Status

PROMPT = Prompt(name="p", user="{{ question }}", reply="{{ key.label }}")
NAN, NEVER = math.nan, -math.inf


def asking(**fields: Any) -> Asking:
    return Asking(Protocol(**{"name": "t", "prompt": "p", "order": "given", **fields}), PROMPT)


LETTERS = asking(ask="letters")


def question(options: Sequence[str] = ("w", "x", "y", "z"), answer: int = 1) -> Question:
    return Question("q", "?", tuple(options), answer)


def plain(*logprobs: float) -> Response:
    """A response with one spelling an option."""
    return Response(scores=tuple((Score(value, 1, 2),) for value in logprobs))


def judge(asked: Asking, about: Question, *responses: Response) -> Outcome:
    task = MultipleChoice(asked)
    return task.judge(task.trial(about), responses)


def only(outcome: Outcome) -> Answer:
    (answer,) = outcome.answers
    return answer


# -- letters ---------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-50, 0), min_size=2, max_size=26, unique=True), st.randoms())
def test_the_option_of_the_highest_log_probability_is_chosen_wherever_it_stands(values: list[float], draw: Any) -> None:
    if sorted(values)[-1] - sorted(values)[-2] < 1e-6:
        return
    order = list(range(len(values)))
    draw.shuffle(order)
    about = question([f"o{n}" for n in order], 0)
    task = MultipleChoice(LETTERS)
    trial = task.trial(about)
    best = int(np.argmax(values))
    answer = only(task.judge(trial, [plain(*values)]))
    assert (answer.status, answer.position, answer.chosen) == (Status.OK, best, trial.ask["orders"][0][best])
    assert answer.correct == (best == 0)


def test_a_tie_of_different_options_is_no_answer() -> None:
    answer = only(judge(LETTERS, question(), plain(-3.0, -1.0, -1.0 - 1e-12, -2.0)))
    assert (answer.status, answer.chosen, answer.reason) == (Status.WRONG_FORMAT, None, "a tie between 2 options")
    assert only(judge(LETTERS, question(), plain(-3.0, -1.0, -1.001, -2.0))).correct
    assert only(judge(LETTERS, question(), plain(-1.0, -1.0, -1.0, -1.0))).reason == "a tie between 4 options"


def test_a_tie_of_options_that_say_the_same_is_an_answer() -> None:
    doubled = question(("two", "Five", "Five ", "ten"))
    assert only(judge(LETTERS, doubled, plain(-3.0, -1.0, -1.0, -2.0))).correct


def test_a_duplicate_of_the_key_is_as_right_as_the_key() -> None:
    doubled = question(("two", "Five", " Five", "ten"))
    answer = only(judge(LETTERS, doubled, plain(-3.0, -2.0, -1.0, -2.5)))
    assert (answer.chosen, answer.correct) == (2, True)
    assert same_text("A  b", "A b ")
    assert not same_text("CM7", "Cm7")  # two chords
    assert not same_text("ab", "a b")


def test_spellings_of_a_label_are_added_as_probabilities() -> None:
    asked = asking(ask="letters", spellings=(" {label}", "{label}"))
    # the best single spelling is of the second option; together the first option's are more: 0.3 + 0.3 > 0.5 + 0.01
    groups = (
        (Score(math.log(0.3), 1, 2), Score(math.log(0.3), 1, 1)),
        (Score(math.log(0.5), 1, 2), Score(math.log(0.01), 1, 1)),
    )
    answer = only(judge(asked, question(("w", "x"), 0), Response(scores=groups)))
    assert (answer.chosen, answer.correct) == (0, True)
    assert [math.exp(v) for v in option_values(groups, "none")] == pytest.approx([0.6, 0.51])


@given(st.lists(st.lists(st.floats(-800, 0), min_size=1, max_size=4), min_size=2, max_size=5))
def test_adding_spellings_is_scipys_logsumexp(groups: list[list[float]]) -> None:
    scores = [[Score(value, 1, 1) for value in group] for group in groups]
    assert option_values(scores, "none") == pytest.approx([float(logsumexp(group)) for group in groups])


def test_a_spelling_without_any_probability_adds_nothing() -> None:
    asked = asking(ask="letters", spellings=(" {label}", "{label}"))
    groups = ((Score(NEVER, 1, 2), Score(NEVER, 1, 1)), (Score(-1.0, 1, 2), Score(NEVER, 1, 1)))
    assert only(judge(asked, question(("w", "x")), Response(scores=groups))).correct
    nothing = only(judge(LETTERS, question(), plain(NEVER, NEVER, NEVER, NEVER)))
    assert (nothing.status, nothing.chosen) == (Status.WRONG_FORMAT, None)


def test_a_log_probability_that_is_not_a_number_is_an_error_and_never_an_answer() -> None:
    for values in ((NAN, -1.0, -2.0, -3.0), (-1.0, -2.0, -3.0, NAN), (NAN, NAN, NAN, NAN)):
        answer = only(judge(LETTERS, question(), plain(*values)))
        assert (answer.status, answer.chosen, answer.correct) == (Status.ERROR, None, False)
        assert "not a number" in answer.reason


# -- upper bounds ----------------------------------------------------------------------------------------------


def bounded(*values: tuple[float, bool] | float) -> Response:
    """Values; a pair with True is an upper bound."""
    pairs = [value if isinstance(value, tuple) else (value, False) for value in values]
    return Response(scores=tuple((Score(value, 1, 2, bound),) for value, bound in pairs))


@pytest.mark.parametrize(
    ("values", "status", "chosen"),
    [
        ((-0.1, (-5.0, True), (-5.0, True), (-5.0, True)), Status.OK, 0),  # no bound reaches the best
        ((-6.0, -0.5, (-5.0, True), (-5.0, True)), Status.OK, 1),
        ((-6.0, (-5.0, True), (-5.0, True), (-5.0, True)), Status.WRONG_FORMAT, None),  # another may be better
        (((-5.0, True), (-5.0, True), (-5.0, True), (-5.0, True)), Status.WRONG_FORMAT, None),  # nothing is known
        ((-5.0, (-5.0, True), -9.0, -9.0), Status.WRONG_FORMAT, None),  # it may be as good
        ((-1.0, -1.0, (-5.0, True), (-5.0, True)), Status.WRONG_FORMAT, None),  # a tie of what is known
    ],
)
def test_an_option_is_chosen_only_if_no_upper_bound_reaches_it(values: Any, status: Status, chosen: int | None) -> None:
    answer = only(judge(LETTERS, question(), bounded(*values)))
    assert (answer.status, answer.chosen) == (status, chosen)
    assert bool(answer.reason) == (status != Status.OK)


def test_bounds_of_several_spellings_are_added_before_they_are_compared() -> None:
    """Two spellings of at most 0.37 each may be 0.74 together, more than a known 0.5."""
    asked = asking(ask="letters", spellings=(" {label}", "{label}"))
    known = (Score(math.log(0.5), 1, 2), Score(NEVER, 1, 1))
    unknown = (Score(-1.0, 1, 2, True), Score(-1.0, 1, 1, True))
    open_ = only(judge(asked, question(("w", "x"), 0), Response(scores=(known, unknown))))
    assert (open_.status, open_.chosen) == (Status.WRONG_FORMAT, None)
    less = (Score(-3.0, 1, 2, True), Score(-3.0, 1, 1, True))
    assert only(judge(asked, question(("w", "x"), 0), Response(scores=(known, less)))).correct


@given(st.lists(st.tuples(st.floats(-9, 0), st.booleans()), min_size=2, max_size=5), st.data())
def test_whatever_the_bounded_values_are_in_truth_the_choice_stays(
    values: list[tuple[float, bool]], data: st.DataObject
) -> None:
    about = question([f"o{n}" for n in range(len(values))], 0)
    chosen = only(judge(LETTERS, about, bounded(*values))).chosen
    truth = [v - data.draw(st.floats(0, 20)) if bound else v for v, bound in values]
    assume(chosen is not None)
    assert chosen is not None
    assert truth[chosen] == max(truth)


# -- texts, four normalisations --------------------------------------------------------------------------------

# log-probability, tokens, characters; and the log-probability without the question
TABLE = [(-6.0, 2, 24, -9.0), (-5.0, 1, 4, -5.5), (-8.0, 4, 20, -20.0), (-12.0, 6, 60, -12.5)]
BY_HAND: dict[str, tuple[list[float], int]] = {
    "none": ([-6.0, -5.0, -8.0, -12.0], 1),
    "tokens": ([-3.0, -5.0, -2.0, -2.0], -1),  # a tie of the last two
    "characters": ([-0.25, -1.25, -0.4, -0.2], 3),
    "unconditional": ([3.0, 0.5, 12.0, 0.5], 2),
}
CONDITIONAL = Response(scores=tuple((Score(a, b, c),) for a, b, c, _ in TABLE))
WITHOUT = Response(scores=tuple((Score(d, b, c),) for _, b, c, d in TABLE))


@pytest.mark.parametrize("rule", NORMALISATIONS)
def test_one_response_gives_all_four_normalisations_as_by_hand(rule: str) -> None:
    values, chosen = BY_HAND[rule]
    asked = asking(ask="text", normalise=rule, unconditional=True)
    assert option_values(CONDITIONAL.scores, asked.protocol.normalise, WITHOUT.scores) == pytest.approx(values)
    found = judge(asked, question(answer=2), CONDITIONAL, WITHOUT)
    answer = only(found)
    assert answer.chosen == (None if chosen < 0 else chosen)
    assert answer.status == (Status.WRONG_FORMAT if chosen < 0 else Status.OK)
    assert found.others == {"none": 0.0, "tokens": 0.0, "characters": 0.0, "unconditional": 1.0}


def test_without_the_second_response_three_rules_are_told_and_the_fourth_is_not_made_up() -> None:
    found = judge(asking(ask="text", normalise="characters"), question(answer=3), CONDITIONAL)
    assert found.others == {"none": 0.0, "tokens": 0.0, "characters": 1.0}
    failed = Response(finish=Finish.ERROR, error="gone")
    asked = asking(ask="text", normalise="unconditional", unconditional=True)
    answer = only(judge(asked, question(answer=3), CONDITIONAL, failed))
    assert (answer.status, answer.reason) == (Status.ERROR, "without the question: gone")


SHOWN = {
    "nothing": Response(finish=Finish.REFUSAL),
    "what the filter left": replace(bounded(-0.1, (-2.5, True), (-2.5, True), (-2.5, True)), finish=Finish.REFUSAL),
    "no option": replace(bounded(*[(-math.inf, True)] * 4), finish=Finish.REFUSAL),
}


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("ask", ["letters", "text"])
def test_a_refused_choice_is_a_refusal_whatever_scores_stand_in_it(tmp_path: Path, ask: str, shown: str) -> None:
    task = Listed(asking(ask=ask))
    task.listed = [Question("q1", "q1", ("v", "w", "x", "y"), 0, "c")]
    found = akb.evaluate(Told({"q1": SHOWN[shown]}), task, cache=False, out=tmp_path / "run")
    assert found.summary.statuses == {"refused": 1}
    assert (found.accuracy, found.manifest.status) == (0.0, "finished")
    assert dict(found.summary.reasons) == {"the server reports a refusal": 1}


def test_a_refusal_without_the_question_leaves_the_rules_that_need_it_not() -> None:
    refused = replace(WITHOUT, finish=Finish.REFUSAL)
    for rule, status in (("characters", Status.OK), ("unconditional", Status.REFUSED)):
        found = judge(asking(ask="text", normalise=rule, unconditional=True), question(answer=3), CONDITIONAL, refused)
        assert found.status == status
        assert found.others == {"none": 0.0, "tokens": 0.0, "characters": 1.0}
    assert found.reason == "without the question: the server reports a refusal"


def test_a_score_without_tokens_does_not_divide_by_zero() -> None:
    assert option_values([[Score(-4.0, 0, 0)], [Score(-5.0, 0, 0)]], "tokens") == [-4.0, -5.0]
    assert option_values([[Score(-4.0, 0, 0)], [Score(-5.0, 0, 0)]], "characters") == [-4.0, -5.0]


# -- replies, statuses, policies -------------------------------------------------------------------------------

GENERATE = asking(ask="generate")


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (Response(text="B"), Status.OK),
        (Response(text=""), Status.EMPTY),
        (Response(text=None), Status.EMPTY),
        (Response(text="hm"), Status.WRONG_FORMAT),
        (Response(text="hm", finish=Finish.LENGTH), Status.TRUNCATED),
        (Response(text="Answer: B. This is", finish=Finish.LENGTH), Status.OK),
        (Response(text="", finish=Finish.THINKING), Status.TRUNCATED),
        (Response(text="B", finish=Finish.REFUSAL), Status.REFUSED),
        (Response(text="I'm sorry, I can't help with that."), Status.REFUSED),
        (Response(finish=Finish.ERROR, error="gone"), Status.ERROR),
        (Response(text="B", reasoning="A, no C"), Status.OK),  # reasoning is not the answer
    ],
)
def test_every_way_to_end_has_its_status(response: Response, status: Status) -> None:
    outcome = judge(GENERATE, question(), response)
    assert outcome.status == only(outcome).status == status
    assert outcome.score == (1.0 if status == Status.OK else 0.0)
    assert bool(only(outcome).reason) == (status != Status.OK)


class Told:
    """A model that gives each question the reply it is told to."""

    capabilities = Capabilities(generate=True, choose=True)

    def __init__(self, replies: Mapping[str, Response]) -> None:
        self.replies = replies

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "told/1", "model": "told"}

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        return [range(len(requests))]

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            yield number, [self.replies[request.messages[-1].text] for request in batch]

    def close(self) -> None: ...


class Listed(MultipleChoice):
    name = "listed"
    listed: Sequence[Question] = ()

    def questions(self) -> Iterable[Question]:
        return self.listed


REPLIES = {
    "q1": Response(text="A"),  # right
    "q2": Response(text="(A)"),  # right
    "q3": Response(text="Answer: A"),  # right, but no lone letter
    "q4": Response(text="B"),  # wrong
    "q5": Response(text="", finish=Finish.REFUSAL),
    "q6": Response(text=""),
    "q7": Response(text="The", finish=Finish.LENGTH),
    "q8": Response(finish=Finish.ERROR, error="gone"),
    "q9": Response(text="Answer: A or B"),
}


def run(out: Path, asked: Asking = GENERATE) -> akb.Run:
    task = Listed(asked)
    # q1 to q6 have four options, q7 to q9 two
    task.listed = [Question(q, q, ("v", "w", "x", "y")[: 4 if q < "q7" else 2], 0, "c") for q in REPLIES]
    return akb.evaluate(Told(REPLIES), task, cache=False, out=out)


def test_statuses_reasons_and_the_three_policies_are_what_counting_by_hand_gives(tmp_path: Path) -> None:
    found = run(tmp_path / "run").summary
    assert found.statuses == {"ok": 4, "refused": 1, "empty": 1, "truncated": 1, "error": 1, "wrong_format": 1}
    assert by_policy(found, "strict") == pytest.approx(3 / 9)
    assert by_policy(found, "chance") == pytest.approx((3 + 2 / 4 + 3 / 2) / 9)
    assert by_policy(found, "excluded") == pytest.approx(3 / 4)
    assert found.rows[0].not_ok == pytest.approx(5 / 9)
    assert dict(found.reasons)["gone"] == 1


def test_scoring_again_by_the_same_rule_gives_the_same_bytes_and_by_another_the_counts_by_hand(tmp_path: Path) -> None:
    recorded = run(tmp_path / "run")
    before = (tmp_path / "run" / "outcomes.jsonl").read_bytes()
    assert rescore(tmp_path / "run").accuracy == recorded.accuracy
    assert (tmp_path / "run" / "outcomes.jsonl").read_bytes() == before
    strict = rescore(tmp_path / "run", {"extraction": "strict-letter"})
    assert strict.accuracy == pytest.approx(2 / 9)  # q3 is no lone letter
    assert strict.manifest.protocol == "t+extraction=strict-letter"
    assert (tmp_path / "run" / "outcomes.jsonl").read_bytes() == before
    assert akb.Run.load(tmp_path / "run").accuracy == recorded.accuracy


def test_a_trial_asked_in_several_orders_has_the_share_of_right_answers_as_score() -> None:
    task = MultipleChoice(asking(ask="letters", order="cyclic"))
    trial = task.trial(question(answer=2))
    places = [order.index(2) for order in trial.ask["orders"]]
    assert sorted(places) == [0, 1, 2, 3]
    responses = [plain(*(0.0 if place == at else -9.0 for place in range(4))) for at in places]
    assert task.judge(trial, responses).score == 1.0
    responses[1] = plain(NAN, -1.0, -2.0, -3.0)
    partly = task.judge(trial, responses)
    assert (partly.score, partly.status) == (0.75, Status.ERROR)
    assert [a.position for a in partly.answers] == [places[0], None, places[2], places[3]]
