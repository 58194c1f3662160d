"""Log-probabilities of labels from an API that shows those of the most probable first tokens of a reply."""

from __future__ import annotations

import math
from collections.abc import Sequence

from akb.types import Score

_UNLIKELY = -9000.0  # an API that does not say how unlikely a token is writes -9999
_FORMS = 4  # tokens that are one spelling: bare, after a space, after either mark for a space
_LEAST_REST = 1e-5  # shown probabilities are rounded: what they leave for the others is known no better


def first_token_scores(
    continuations: Sequence[Sequence[str]], shown: Sequence[tuple[str, float]]
) -> tuple[tuple[Score, ...], ...]:
    """The scores of labels, from the most probable first tokens of a reply.

    A token counts for the spelling that it is, letter by letter, or else for the first spelling that it is but for
    space around it; for one spelling of an option and no more. The probabilities of several tokens that count for one
    spelling are added. A spelling without a token gets an upper bound: it begins either with tokens that were not
    shown, of which each has at most what the least probable one shown has and all together at most what the shown
    leave over, or with such that were shown and are a part of it, such as a bracket.

    Args:
        continuations: for each option the spellings of its label.
        shown: the most probable tokens with their log-probabilities.
    """
    seen = [(token, min(value, 0.0)) for token, value in shown if _UNLIKELY < value < math.inf]
    left = 1.0 - sum(math.exp(value) for _, value in seen)
    least = min((value for _, value in seen), default=0.0)
    rest = min(math.log(max(left, _LEAST_REST)), least + math.log(_FORMS))
    return tuple(_group(spellings, seen, rest) for spellings in continuations)


def _group(spellings: Sequence[str], seen: Sequence[tuple[str, float]], rest: float) -> tuple[Score, ...]:
    found: list[list[float]] = [[] for _ in spellings]
    for token, value in seen:
        exact = [place for place, text in enumerate(spellings) if text == token]
        spaced = [place for place, text in enumerate(spellings) if text.strip() == _bare(token)]
        for place in (exact or spaced)[:1]:
            found[place].append(value)

    def begun(text: str) -> list[float]:
        return [value for token, value in seen if _begins(token, text)]

    return tuple(
        Score(min(_added(values), 0.0), 1, len(text.strip()))
        if values
        else Score(min(_added([rest, *begun(text)]), 0.0), 1, len(text.strip()), True)
        for text, values in zip(spellings, found, strict=True)
    )


def _added(values: Sequence[float]) -> float:
    """Probabilities added, as logarithms."""
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def _bare(token: str) -> str:
    """A token without space around it, nor the marks for a space that some servers leave in."""
    return token.strip().strip("\u0120\u2581")


def _begins(token: str, text: str) -> bool:
    """Whether a text may be spelled by several tokens, of which this is the first."""
    part = bool(token) and (text.startswith(token) or text.strip().startswith(_bare(token) or token))
    return part and _bare(token) != text.strip()
