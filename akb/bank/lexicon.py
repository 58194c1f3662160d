"""The words from which templates of the category phonetic draw: shipped records, made by `akb.bank.wordlist`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from akb import content
from akb.bank.checks.phonetics import base_of, is_vowel
from akb.strict import Strict, parse, read_jsonl

Use = Literal["count", "place", "stress", "sounds", "silent"]


class Word(Strict):
    """A word and what it may be used for.

    Attributes:
        phones: ARPAbet with stress digits, General American, as the CMU Pronouncing Dictionary has it.
        uses: count: nobody disputes how many syllables it has; place: nor which bears the stress; stress: which follows
            from its ending as well; sounds: of one syllable, and nobody disputes its sounds; silent: it has a silent
            letter.
    """

    word: str
    phones: str
    uses: tuple[Use, ...]

    @cached_property
    def sounds(self) -> tuple[str, ...]:
        """Its symbols without stress digits."""
        return tuple(base_of(phone) for phone in self.phones.split())

    @cached_property
    def digits(self) -> str:
        """The stress digits of its vowels."""
        return "".join(phone[-1] for phone in self.phones.split() if is_vowel(phone))

    @cached_property
    def syllables(self) -> int:
        return len(self.digits)

    @cached_property
    def stressed(self) -> int:
        """The number, from 1, of the syllable with primary stress."""
        return self.digits.index("1") + 1

    @cached_property
    def ending(self) -> str:
        """Its letters from the first vowel letter on; of one syllable, what its spelling has of a rhyme."""
        start = next(
            (at for at, letter in enumerate(self.word) if letter in "aeiou" and self.word[at - 1 : at] != "q"), 0
        )
        return self.word[start:] or self.word

    @cached_property
    def rime(self) -> tuple[str, ...]:
        """Its sounds from the first vowel on."""
        sounds = self.sounds
        return sounds[next(at for at, sound in enumerate(sounds) if is_vowel(sound)) :]

    @cached_property
    def onset(self) -> tuple[str, ...]:
        """Its sounds before the first vowel."""
        return self.sounds[: len(self.sounds) - len(self.rime)]


@dataclass(frozen=True)
class Lexicon:
    """Words by use."""

    words: tuple[Word, ...]

    @classmethod
    def read(cls, path: Path) -> Lexicon:
        """The records of a file, whose first line is no word but a notice.

        Raises:
            AkbError: a line is damaged or no record.
        """
        rows = ((number, row) for number, row in read_jsonl(path) if "word" in row)
        return cls(tuple(parse(Word, row, f"{path}:{number}") for number, row in rows))

    @cached_property
    def _by_use(self) -> dict[str, list[Word]]:
        found: dict[str, list[Word]] = defaultdict(list)
        for word in self.words:
            for use in word.uses:
                found[use].append(word)
        return found

    def of(self, use: Use) -> list[Word]:
        """The words that may be used so."""
        return self._by_use[use]

    def grouped(self, use: Use, by: Callable[[Word], Hashable]) -> dict[Hashable, list[Word]]:
        """The words that may be used so, by something that they have."""
        found: dict[Hashable, list[Word]] = defaultdict(list)
        for word in self.of(use):
            found[by(word)].append(word)
        return dict(found)


def pron(words: Iterable[Word]) -> str:
    """The argument `pron` of a check, as text."""
    return repr({word.word: word.phones for word in words})


def builtin() -> Lexicon:
    """The words that come with akb."""
    return Lexicon.read(content.builtin() / "tasks" / "akb-fresh" / "words.jsonl")
