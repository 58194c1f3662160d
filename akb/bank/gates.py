"""Gates: what must hold of a bank as a whole before its scores mean anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from akb.bank.balance import Gate, balance
from akb.bank.choices_only import choices_only
from akb.bank.flaws import flaws
from akb.bank.twins import near_duplicates, overlap
from akb.tasks.items import Item
from akb.types import Question


def hold(items: Sequence[Item], others: Mapping[str, Sequence[Question]]) -> list[Gate]:
    """Every gate, with what was found.

    Args:
        others: other people's questions, none of which may be in the bank, by the name of their file.

    Raises:
        AkbError: scikit-learn is missing.
    """
    found = [*balance(items), choices_only(items), near_duplicates(items)]
    found += [overlap(items, questions, name) for name, questions in others.items()]
    return [*found, *flaws(items)]
