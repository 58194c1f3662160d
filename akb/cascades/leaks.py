"""What captions give away in their own words, and what a reader gains where these are no help.

Where a caption holds the words of some options and not of others, looking for words is enough to choose, or to choose
among fewer. Such questions are left out whichever option is the key: a rule that looks at the key would take out the
questions on which worthless captions happen to help, and keep those on which they harm.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from akb.errors import AkbError
from akb.run import Run
from akb.stats.paired import difference, permutation
from akb.stats.scores import Scores

_ALONE = (  # Han and kana are written without spaces: each character is a word
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
)
_LETTER = rf"[^\W_{_ALONE}]"  # or digit
_PART = rf"{_LETTER}+(?:#{_LETTER}*)*"
_WORD = re.compile(rf"[{_ALONE}]|(?:(?<!{_LETTER})-(?=\d))?{_PART}(?:[.'’]{_PART})*")
_ALIKE = str.maketrans({"♯": "#", "♭": "b", "−": "-", "–": "-"})

_START = rf"(?<!{_LETTER})(?<![#.,'’])"  # no number begins within a word: F#m7, 3.5
_ZERO = re.compile(rf"{_START}\.(?=\d)")
_GROUPED = re.compile(rf"{_START}[1-9]\d{{0,2}}(?:,\d{{3}})+(?!,?\d)")
_UNIT = re.compile(rf"{_START}(\d+(?:\.\d+)?)(?!(?:st|nd|rd|th)\b)(?=[^\W\d_])")
_DECIMAL = re.compile(r"-?\d+\.\d+")


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """The words of a text, in lower case, without marks; numbers are words, and so is each Han or kana character.

    A number is the same however it is written: "1,200" is 1200, ".5" is 0.5, "2.0" is 2, "120bpm" is 120 bpm. What
    makes another tone or another number stays: the accidental of "C# major", the sign of "-3 dB".
    """
    text = unicodedata.normalize("NFKC", text).translate(_ALIKE).casefold()
    text = _GROUPED.sub(lambda found: found[0].replace(",", ""), _ZERO.sub("0.", text))
    found: list[str] = _WORD.findall(_UNIT.sub(r"\1 ", text))
    return tuple(word.rstrip("0").rstrip(".") if _DECIMAL.fullmatch(word) else word for word in found)


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
    return _found(captions, options) == {words(options[answer])}


def tells_apart(captions: Sequence[str], options: Sequence[str]) -> bool:
    """Whether captions hold the words of some options and not of all, so that looking for words tells these from those.
    Which option is the key does not matter."""
    found = _found(captions, options)
    return bool(found) and found != {words(option) for option in options}


def _found(captions: Sequence[str], options: Sequence[str]) -> set[tuple[str, ...]]:
    """The words of the options that captions hold. Options of the same words are one."""
    return {words(options[place]) for caption in captions for place in held(caption, options)}


@dataclass(frozen=True)
class Held:
    """What the captions of a run hold.

    Attributes:
        apart: by question with captions, whether they tell options apart (`tells_apart`).
        given_away: how many questions' captions hold the key's words and no other option's.
        wrong_way: how many hold one other option's words and not the key's.
    """

    apart: Mapping[str, bool]
    given_away: int
    wrong_way: int


def held_by(run: Run) -> Held:
    """What the captions of a cascade's run hold; nothing of other runs."""
    apart, given, wrong = dict[str, bool](), 0, 0
    for trial, _ in run.judged():
        if (captions := trial.ask.get("captions")) is not None:
            q = trial.question
            apart[trial.id] = tells_apart(captions, q.options)
            alone = len(_found(captions, q.options)) == 1
            away = gives_away(captions, q.options, q.answer)
            given, wrong = given + away, wrong + (alone and not away)
    return Held(apart, given, wrong)


@dataclass(frozen=True)
class Leaks:
    """What captions give away, and what is gained where they do not. Shares from 0 to 1.

    Attributes:
        n: questions with captions.
        given_away: of these, how many captions hold the key's words and no other option's.
        wrong_way: how many hold one other option's words and not the key's.
        apart: how many tell options apart by their words: they hold those of some options and not of all.
        accuracy_apart, accuracy_else: of the run where they do, and elsewhere.
        gain: accuracy less that of the question alone where they do not, with its interval and p; None without the
            control. Worthless captions gain nothing there, and nor does looking for words.
    """

    n: int
    given_away: int
    wrong_way: int
    apart: int
    accuracy_apart: float | None
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
    apart = whole.apart
    if not apart:
        raise AkbError("no question of this run was asked with a caption", where=str(run.path))
    scores = {trial.id: outcome.score for trial, outcome in run.judged()}
    told = [scores[i] for i, yes in apart.items() if yes]
    rest = [scores[i] for i, yes in apart.items() if not yes]
    found = Leaks(len(apart), whole.given_away, whole.wrong_way, len(told), _mean(told), _mean(rest))
    if question_only is None or not rest:
        return found
    both = Scores.of({"run": run, "question only": question_only})
    part = both.part(not apart.get(i, True) for i in both.items)
    gain = difference(part.values[0], part.values[1], part.clusters)
    p = permutation(part.values[0], part.values[1], part.clusters)
    return replace(found, gain=gain.value, gain_low=gain.low, gain_high=gain.high, p=p)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
