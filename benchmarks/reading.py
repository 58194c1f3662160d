"""How well replies are read: precision and coverage on labelled replies, beside the rules that others use.

    python benchmarks/reading.py [FILE.jsonl ...] [--show]

Each line of a file is a reply, the options as shown, and the option that a careful reader says it means
(tests/replies/README.md). Precision is the share of the read replies that are read as meant; a reply that means no
option and is read all the same counts against it. Its bound is the one-sided 95 % one of Clopper and Pearson (1934).
Coverage is the share of the readable replies that are read.
"""

from __future__ import annotations

import argparse
import json
import re
import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scipy import stats

from akb.extraction import extract
from akb.types import Option

REPLIES = Path(__file__).resolve().parents[1] / "tests" / "replies"
COLUMNS = {"replies": 8, "readable": 9, "read": 6, "wrong": 6, "precision": 11, "95 % bound": 11, "coverage": 10}
Reader = Callable[[str, Sequence[Option]], int | None]


class Quality(NamedTuple):
    """Counts over a set of replies.

    Attributes:
        readable: replies that mean an option.
        read, right: replies that were read, and read as meant.
    """

    replies: int
    readable: int
    read: int
    right: int
    mistakes: list[tuple[dict[str, Any], int | None]]

    @property
    def precision(self) -> float:
        return self.right / self.read if self.read else 1.0

    @property
    def bound(self) -> float:
        """One-sided 95 % lower bound of the precision."""
        wrong = self.read - self.right
        return float(stats.beta.ppf(0.05, self.right, wrong + 1)) if self.right else 0.0

    @property
    def coverage(self) -> float:
        return self.right / self.readable if self.readable else 1.0


def akb(rule: str) -> Reader:
    """One of akb's rules."""
    return lambda reply, options: extract(reply, options, rule).place


def first_letter(reply: str, options: Sequence[Option]) -> int | None:
    """The first capital that is a label: what many scripts do."""
    found = re.search(r"\b([A-Z])\b", reply)
    return _place(found[1], options) if found else None


def answer_is(reply: str, options: Sequence[Option]) -> int | None:
    """The pattern of MMLU-Pro's tasks in lm-eval."""
    found = re.search(r"answer is \(?([A-Z])\)?", reply)
    return _place(found[1], options) if found else None


def lm_eval(reply: str, options: Sequence[Option]) -> int | None:
    """lm-eval's filter for multiple choice, with the pattern of its zero-shot BBH tasks."""
    from lm_eval.filters.extraction import MultiChoiceRegexFilter

    rule = MultiChoiceRegexFilter(
        regex_pattern=r"(\([A-Z]\))", group_select=0, ignore_case=True, ignore_punctuation=True
    )
    doc = {"choices": [option.text for option in options]}
    ((found,),) = rule.apply([[reply]], [doc])
    letter = re.search(r"[A-Z]", str(found))
    return _place(letter[0], options) if letter and str(found) != "[invalid]" else None


def _place(letter: str, options: Sequence[Option]) -> int | None:
    return next((place for place, option in enumerate(options) if option.label == letter), None)


def labelled(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file."""
    return (json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip())


def measure(path: Path, reader: Reader) -> Quality:
    """How well a reader reads the replies of a file."""
    replies = readable = read = right = 0
    mistakes = []
    for record in labelled(path):
        options = [Option(label, text) for label, text in zip(string.ascii_uppercase, record["options"], strict=False)]
        place, meant = reader(record["reply"], options), record["meant"]
        replies, readable, read = replies + 1, readable + (meant is not None), read + (place is not None)
        right += place is not None and place == meant
        if place != meant:
            mistakes.append((record, place))
    return Quality(replies, readable, read, right, mistakes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=sorted(REPLIES.glob("*.jsonl")))
    parser.add_argument("--show", action="store_true", help="print each reply that akb-1 does not read as meant")
    args = parser.parse_args()
    readers = {"akb-1": akb("akb-1"), "strict-letter": akb("strict-letter"), "first letter": first_letter,
               '"answer is X"': answer_is, "lm-eval filter": lm_eval}  # fmt: skip
    for path in args.files:
        print(f"\n{path.name}")
        print(" " * 16 + "".join(f"{head:>{width}}" for head, width in COLUMNS.items()))
        for name, reader in readers.items():
            q = measure(path, reader)
            shares = f"{q.precision:>11.2%}{q.bound:>11.2%}{q.coverage:>10.2%}"
            print(f"{name:16}{q.replies:>8}{q.readable:>9}{q.read:>6}{q.read - q.right:>6}{shares}")
            for record, place in q.mistakes if args.show and name == "akb-1" else ():
                print(f"  {record['id']}: meant {record['meant']}, read {place}: {record['reply'][:100]!r}")


if __name__ == "__main__":
    main()
