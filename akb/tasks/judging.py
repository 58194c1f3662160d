"""From responses to a judgement: which option was chosen, by which rule, or why none.

Nothing is ever guessed: what cannot be read, and what is a tie, is WRONG_FORMAT with its reason.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from akb.extraction import extract
from akb.tasks.protocol import NORMALISATIONS, Normalise, Protocol
from akb.types import Answer, Finish, Option, Outcome, Question, Response, Score, Status

TIE = 1e-9  # nats; nearer than this two options are equally probable


def same_text(a: str, b: str) -> bool:
    """Whether two options say the same; a duplicate of the key is as right as the key. Case counts: the chord Cm7 is
    not CM7."""
    return unicodedata.normalize("NFC", " ".join(a.split())) == unicodedata.normalize("NFC", " ".join(b.split()))


def answer(question: Question, order: Sequence[int], place: int) -> Answer:
    """The answer that chose the option standing in this place."""
    chosen = order[place]
    right = same_text(question.options[chosen], question.options[question.answer])
    return Answer(Status.OK, chosen, place, right)


def option_values(
    groups: Sequence[Sequence[Score]], rule: Normalise, without: Sequence[Sequence[Score]] = ()
) -> list[float]:
    """The value of each option under a length normalisation.

    Spellings of one option are separate events, so their probabilities are added (logsumexp) under "none"; under a
    normalisation by length each is normalised first and the best counts.

    Args:
        groups: for each option the scores of its spellings.
        rule: "none": sum of log-probabilities; "tokens", "characters": divided by that many; "unconditional":
            minus the log-probability of the same text without the question.
        without: the scores without the question, shaped as `groups`; needed for "unconditional".

    Returns:
        One value for each option; higher is better.
    """
    values = []
    for place, group in enumerate(groups):
        if rule == "none":
            values.append(_logsumexp([s.logprob for s in group]))
        elif rule == "tokens":
            values.append(max(s.logprob / max(s.tokens, 1) for s in group))
        elif rule == "characters":
            values.append(max(s.logprob / max(s.characters, 1) for s in group))
        else:
            values.append(_logsumexp([s.logprob for s in group]) - _logsumexp([s.logprob for s in without[place]]))
    return values


def _logsumexp(values: Sequence[float]) -> float:
    top = max(values)
    if len(values) == 1 or top == -math.inf:
        return top
    return top + math.log(sum(math.exp(value - top) for value in values))


def choose(question: Question, order: Sequence[int], values: Sequence[float]) -> Answer:
    """The answer that log-probabilities give: the option of the highest value.

    Two options within `TIE` of the highest that say different things are a tie, and a tie is no answer.
    """
    if any(math.isnan(value) for value in values):
        return Answer(Status.ERROR, reason="the model gave a log-probability that is not a number")
    best = max(values)
    tied = [place for place, value in enumerate(values) if value == best or best - value <= TIE]
    texts = [question.options[order[place]] for place in tied]
    if any(not same_text(texts[0], text) for text in texts[1:]):
        return Answer(Status.WRONG_FORMAT, reason=f"a tie between {len(tied)} options")
    return answer(question, order, tied[0])


def _unanswered(response: Response) -> Answer | None:
    """The answer of a response that says by its end that it holds none: whatever stands in it is not looked at."""
    if response.finish == Finish.ERROR:
        return Answer(Status.ERROR, reason=response.error)
    if response.finish == Finish.REFUSAL:
        return Answer(Status.REFUSED, reason="the server reports a refusal")
    if response.finish == Finish.THINKING:
        return Answer(Status.TRUNCATED, reason="the budget ran out before the reasoning ended")
    return None


def judge_choice(
    question: Question, order: Sequence[int], response: Response, protocol: Protocol, without: Response | None
) -> tuple[Answer, dict[str, Answer]]:
    """The answer under the protocol's rule, and under every other rule that the responses allow."""
    if (unanswered := _unanswered(response)) is not None:
        return unanswered, {}
    lacking = None if without is None else _unanswered(without)
    neutral = () if without is None or lacking is not None else without.scores
    if protocol.ask == "letters":
        return _chosen(question, order, response.scores, "none"), {}
    answers: dict[str, Answer] = {}
    for rule in NORMALISATIONS:
        if rule == "unconditional" and not neutral:
            continue
        answers[rule] = _chosen(question, order, response.scores, rule, neutral)
    missing = lacking or Answer(Status.ERROR, reason="there are no log-probabilities")
    return answers.get(protocol.normalise, replace(missing, reason=f"without the question: {missing.reason}")), answers


def _chosen(
    question: Question,
    order: Sequence[int],
    groups: Sequence[Sequence[Score]],
    rule: Normalise,
    without: Sequence[Sequence[Score]] = (),
) -> Answer:
    """The answer by one rule. Where some values are only upper bounds, an option is chosen if what is known of it
    alone is more than any other can reach; else the choice is open."""
    values = option_values(groups, rule, without)
    if not any(s.upper_bound for group in (*groups, *without) for s in group):
        return choose(question, order, values)
    bounded = [any(s.upper_bound for s in group) for group in groups]
    known = [[s for s in group if not s.upper_bound] for group in groups]
    if not any(known):
        return Answer(Status.WRONG_FORMAT, reason="no option is among the log-probabilities that the server shows")
    sure = [
        option_values([group], rule, without[place : place + 1])[0] if group else -math.inf
        for place, group in enumerate(known)
    ]
    best = max(range(len(sure)), key=lambda place: sure[place])
    rivals = [place for place, value in enumerate(values) if place != best and value >= sure[best] - TIE]
    texts = [question.options[index] for index in order]
    subtracted = any(s.upper_bound for group in without for s in group)  # bounds the difference from below only
    if subtracted or any(bounded[place] and not same_text(texts[place], texts[best]) for place in rivals):
        return Answer(Status.WRONG_FORMAT, reason="an option outside the shown log-probabilities might be the best")
    return choose(question, order, sure)


def judge_reply(
    question: Question, order: Sequence[int], options: Sequence[Option], response: Response, extraction: str
) -> Answer:
    """The answer that a reply in words gives."""
    if (unanswered := _unanswered(response)) is not None:
        return unanswered
    reading = extract(response.text or "", options, extraction)
    if reading.place is not None:
        return answer(question, order, reading.place)
    if reading.status == Status.WRONG_FORMAT and response.finish == Finish.LENGTH:
        return Answer(Status.TRUNCATED, reason=f"the token budget ran out; {reading.reason}")
    return Answer(reading.status, reason=reading.reason)


def outcome(answers: Sequence[Answer], others: dict[str, float]) -> Outcome:
    """A trial's outcome from its answers, one for each order."""
    bad = next((a for a in answers if a.status != Status.OK), None)
    score = sum(a.correct for a in answers) / len(answers)
    if bad is None:
        return Outcome(Status.OK, score, tuple(answers), others=others)
    return Outcome(bad.status, score, tuple(answers), bad.reason, others)
