"""How often a caption gives the answer away in its own words.

A caption that holds the key's text and no distractor's can be answered by looking for words; what a reader gains on
the other questions takes more than that.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from akb.errors import AkbError
from akb.run import Run
from akb.stats.paired import difference, permutation
from akb.stats.scores import Scores

_PART = r"[^\W_]+(?:#[^\W_]*)*"
_WORD = re.compile(rf"(?:(?<![^\W_])-(?=\d))?{_PART}(?:[.'’]{_PART})*")
_ALIKE = str.maketrans({"♯": "#", "♭": "b", "−": "-", "–": "-"})


def words(text: str) -> tuple[str, ...]:
    """The words of a text, in lower case, without marks; numbers are words. What makes another tone or another number
    stays: the accidental of "C# major", the sign of "-3 dB"."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).translate(_ALIKE).casefold()))


def held(caption: str, options: Sequence[str]) -> set[int]:
    """The options whose words stand in a caption, next to each other and in their order. Of two that overlap the longer
    one is meant: "a low tone" is not "a tone", and "rising slowly" not "rising"."""
    said, wanted = words(caption), [words(option) for option in options]
    places = [
        (start, start + len(option), number)
        for number, option in enumerate(wanted)
        for start in range(len(said) - len(option) + 1)
        if option and said[start : start + len(option)] == option
    ]
    return {
        number
        for first, last, number in places
        if not any(a <= first and last <= b and b - a > last - first for a, b, _ in places)
    }


def gives_away(captions: Sequence[str], options: Sequence[str], answer: int) -> bool:
    """Whether captions hold the key's words and those of no other option."""
    return words(options[answer]) in _only(captions, options)


def _only(captions: Sequence[str], options: Sequence[str]) -> set[tuple[str, ...]]:
    """The words of the one option that captions hold; empty where they hold none or several. Options of the same words
    are one."""
    found = {words(options[place]) for caption in captions for place in held(caption, options)}
    return found if len(found) == 1 else set()


@dataclass(frozen=True)
class Held:
    """What the captions of a run hold.

    Attributes:
        given: by question with captions, whether they hold the key's words and no other option's.
        wrong_way: how many questions' captions hold one other option's words and not the key's.
    """

    given: Mapping[str, bool]
    wrong_way: int


def held_by(run: Run) -> Held:
    """What the captions of a cascade's run hold; nothing of other runs."""
    given, wrong = dict[str, bool](), 0
    for trial, _ in run.judged():
        if (captions := trial.ask.get("captions")) is not None:
            q = trial.question
            only = _only(captions, q.options)
            given[trial.id] = words(q.options[q.answer]) in only
            wrong += bool(only) and not given[trial.id]
    return Held(given, wrong)


@dataclass(frozen=True)
class Leaks:
    """What captions give away, and what is gained where they do not. Shares from 0 to 1.

    Attributes:
        n: questions with captions.
        given_away: of these, how many captions hold the key's text and no other option's.
        wrong_way: how many hold one other option's text and not the key's.
        accuracy_given, accuracy_else: of the run where the caption gives the key away, and elsewhere.
        gain: accuracy less that of the question alone where it does not, with its interval and p; None without the
            control.
    """

    n: int
    given_away: int
    wrong_way: int
    accuracy_given: float | None
    accuracy_else: float | None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    p: float | None = None


def leaks(run: Run, question_only: Run | None = None) -> Leaks:
    """What the captions of a cascade's run give away.

    Args:
        question_only: the same questions without captions.

    Raises:
        AkbError: the run is no cascade's.
    """
    whole = held_by(run)
    given = whole.given
    if not given:
        raise AkbError("no question of this run was asked with a caption", where=str(run.path))
    scores = {trial.id: outcome.score for trial, outcome in run.judged()}
    away = [scores[i] for i, leaked in given.items() if leaked]
    rest = [scores[i] for i, leaked in given.items() if not leaked]
    found = Leaks(len(given), len(away), whole.wrong_way, _mean(away), _mean(rest))
    if question_only is None or not rest:
        return found
    both = Scores.of({"run": run, "question only": question_only})
    part = both.part(not given.get(i, True) for i in both.items)
    gain = difference(part.values[0], part.values[1], part.clusters)
    p = permutation(part.values[0], part.values[1], part.clusters)
    return replace(found, gain=gain.value, gain_low=gain.low, gain_high=gain.high, p=p)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
