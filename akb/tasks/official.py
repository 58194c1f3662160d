"""AKB-2000, the study's own questions (arXiv 2603.19195), for users who have the file.

akb does not have them and never passes its own bank off as them. The file's schema was not published where we could
read it, so fields are found by the usual names; what is known of the numbers is checked, and every difference is
told. Official category and subcategory names are kept as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from akb.errors import AkbError
from akb.tasks.items import Fields
from akb.types import Question

FIELDS = Fields()
TOTAL = 2000
SUBCATEGORIES = 48
OPTIONS = 4
COUNTS = {
    "sound": 248,
    "paralinguistic": 594,
    "phonetic": 217,
    "music": 401,
    "audio quality": 196,
    "technical": 344,
}
CATEGORIES = tuple(name.replace(" ", "-") for name in COUNTS)  # as they are typed


def needs_data(name: str) -> AkbError:
    """The error for running the official task without the official file."""
    return AkbError(
        f"{name} is the study's question bank, which akb does not contain",
        where=f"task {name}",
        fix="If you have the file, name it with --data FILE (JSON, JSONL, CSV or Parquet). akb's own bank is akb-open.",
    )


def differences(questions: Sequence[Question]) -> list[str]:
    """How the questions differ from what is known of AKB-2000, a sentence each; empty if they do not.

    The counts are derived from the study's published percentages, all of which are k/n for these n.
    """
    found = []
    if len(questions) != TOTAL:
        found.append(f"{len(questions)} questions, {TOTAL} are known")
    counts = Counter(" ".join(q.category.replace("_", " ").replace("-", " ").split()).casefold() for q in questions)
    for category, wanted in COUNTS.items():
        if counts[category] != wanted:
            found.append(f"category {category}: {counts[category]} questions, {wanted} are known")
    if others := sorted(set(counts) - set(COUNTS)):
        found.append(f"unknown categories: {', '.join(repr(name) for name in others)}")
    subcategories = {(q.category, q.subcategory) for q in questions if q.subcategory}
    if len(subcategories) != SUBCATEGORIES:
        found.append(f"{len(subcategories)} subcategories, {SUBCATEGORIES} are known")
    if odd := sum(len(q.options) != OPTIONS for q in questions):
        found.append(f"{odd} questions do not have {OPTIONS} options")
    if double := sum(len({o.strip().casefold() for o in q.options}) < len(q.options) for q in questions):
        found.append(f"{double} questions have duplicate options")
    return found


def checked(questions: Sequence[Question], where: str, *, allow_partial: bool) -> Sequence[Question]:
    """The questions, if they are the bank that is known or the user accepts that they are not all of it.

    Raises:
        AkbError: they differ, and `allow_partial` is not set; the error lists every difference.
    """
    found = differences(questions)
    if found and not allow_partial:
        raise AkbError(
            "this is not AKB-2000 as it is known: " + "; ".join(found),
            where=where,
            fix="To run it all the same: --set task.allow_partial=true (the differences stay on the record).",
        )
    return questions
