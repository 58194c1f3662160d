"""The contract's values as JSON and back. What is on disk is what the dataclasses say, nothing else."""

from __future__ import annotations

import json
from typing import Any

from akb.types import Answer, Clip, Finish, Outcome, Question, Response, Score, Status, Trial, fields_of


def dumps(value: Any) -> str:
    """One line of JSON, the same for the same value; it can be written as UTF-8 whatever a model replied."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=True)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: an API cut a reply within a character
        return json.dumps(value, separators=(",", ":"), allow_nan=True)
    return text


def response_to(response: Response) -> dict[str, Any]:
    """A response without the fields that are empty. A score is [logprob, tokens, characters, upper_bound]."""
    data: dict[str, Any] = {"finish": response.finish.value}
    if response.scores:
        data["scores"] = [
            [[s.logprob, s.tokens, s.characters, s.upper_bound] for s in group] for group in response.scores
        ]
    for name in ("text", "reasoning"):
        if getattr(response, name) is not None:
            data[name] = getattr(response, name)
    for name in ("prompt_tokens", "completion_tokens", "reasoning_tokens", "served_model", "error", "notes"):
        if getattr(response, name):
            data[name] = getattr(response, name)
    if response.cost is not None:
        data["cost"] = response.cost
    data["seconds"] = round(response.seconds, 6)
    return data


def response_from(data: dict[str, Any]) -> Response:
    """The response that `response_to` wrote."""
    fields = dict(data)
    fields["finish"] = Finish(data["finish"])
    fields["scores"] = tuple(tuple(Score(*score) for score in group) for group in data.get("scores", ()))
    response = Response(**fields)
    for text in (response.text, response.reasoning):
        if not isinstance(text, str | None):
            raise ValueError(f"a text is wanted (found {text!r})")
    for score in (score for group in response.scores for score in group):
        if not isinstance(score.logprob, int | float):
            raise ValueError(f"a log-probability is wanted (found {score.logprob!r})")
    return response


def question_from(data: dict[str, Any]) -> Question:
    """The question of a trial's line."""
    audio = tuple(Clip(**clip) for clip in data.get("audio", ()))
    return Question(**{**data, "options": tuple(data["options"]), "audio": audio})


def trial_to(trial: Trial) -> dict[str, Any]:
    """A trial as JSON."""
    question = fields_of(trial.question)
    question["audio"] = [fields_of(clip) for clip in trial.question.audio]
    return fields_of(trial) | {"question": question}


def trial_from(data: dict[str, Any]) -> Trial:
    """The trial that `trial_to` wrote."""
    return Trial(data["id"], question_from(data["question"]), data["ask"])


def outcome_to(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON."""
    return fields_of(outcome) | {"answers": [fields_of(answer) for answer in outcome.answers]}


def outcome_from(data: dict[str, Any]) -> Outcome:
    """The outcome that `outcome_to` wrote."""
    answers = tuple(Answer(**{**answer, "status": Status(answer["status"])}) for answer in data["answers"])
    return Outcome(**{**data, "status": Status(data["status"]), "answers": answers})
