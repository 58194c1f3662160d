"""How long each continuation is by the tokens and letters that its log-probability is divided by."""

from __future__ import annotations

from akb.adapters.rendering import Encoded
from akb.adapters.scoring import response
from akb.types import Choose, Message, Score


def test_a_score_has_the_tokens_of_its_continuation_and_the_letters_of_its_text() -> None:
    """The space before an option is none of its letters; a sum that rounding put above 0 is 0."""
    asked = Choose((Message("user", ("Which?",)),), ((" A low hum", "A"), (" bell",)))
    encoded = Encoded((5, 6, 7), (((1, 2, 3), (4,)), ((8, 9),)))
    found = response(asked, encoded, {(0, 0): -2.5, (0, 1): 1e-9, (1, 0): -4.0})
    assert found.scores == ((Score(-2.5, 3, 9), Score(0.0, 1, 1)), (Score(-4.0, 2, 4),))
