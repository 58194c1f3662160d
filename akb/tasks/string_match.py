"""MMAU's official judge of replies, beside our own: for comparison with published numbers, its quirks kept.

MMAU (Sakshi et al., ICLR 2025; its evaluation.py, and MMAR's, which is the same) looks at sets of words: lower case,
letters, digits and underscores. A reply is right if it holds all words of the key, and none that only a wrong option
has. It knows neither labels nor order, so that

- "B" or "(B)" alone is wrong, however right;
- "ninety-one" is right where the key is "ninety" and no other option has "one"; "From far to near" where it is "From
  near to far";
- "The answer is X" is wrong where a wrong option has the word "the", "answer" or "is" and the key has not;
- a reply that weighs the other options before it answers is wrong.

The script drops records without a prediction from its denominator; here a reply that is missing or empty is wrong,
like everywhere in akb. It is given the reply without its reasoning, as the authors' own model outputs are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

NAME = "mmau-string-match"
_WORD = re.compile(r"\w+")  # \b\w+\b finds the same


def string_match(reply: str, options: Sequence[str], key: str) -> bool:
    """Whether a reply is right by MMAU's rule.

    Args:
        options: the options' texts.
        key: the text of the right one.

    Examples:
        >>> string_match("a dog barking loudly", ["a dog barking", "a cat"], "a dog barking")
        True
        >>> string_match("(A)", ["a dog barking", "a cat"], "a dog barking")
        False
    """
    said, wanted = _words(reply), _words(key)
    foreign = set().union(*(_words(option) for option in options)) - wanted
    return bool(said) and wanted <= said and not said & foreign


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


JUDGES: dict[str, Callable[[str, Sequence[str], str], bool]] = {NAME: string_match}
"""Second judges by name: from a reply, the options and the key to right or wrong."""
