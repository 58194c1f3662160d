"""Whether what is learned from is what will be tested on: the same audio, or a question that is nearly the same.

Audio is compared by the hash of its encoded bytes: that finds a copied file, and not one that was coded anew or cut.
Words are compared without case, punctuation and forms of one letter (NFKC): a training text holds a question if it has
nearly all of the question's three-word sequences. Where no spaces stand between words (Chinese, Japanese, Thai, Lao,
Khmer, Burmese) each letter counts as one. Questions are told of; only audio is a reason to refuse, for "What is heard?"
is asked anywhere.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from akb.errors import AkbError
from akb.types import Clip, Question

if TYPE_CHECKING:
    from akb.registry import Registry

TASKS = ("lab-audio", "mmau", "mmar")
NEARLY = 0.85  # of a question's three-word sequences
SHORTEST = 5  # words; a question of fewer is compared as a whole
VERSION = "2"  # of the way in which words are compared
_ALONE = (  # letters of scripts without spaces between words
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"(?=[{_ALONE}])[^\W_]|(?:(?![{_ALONE}])[^\W_])+")


class Match(NamedTuple):
    """A question that a text nearly asks."""

    question: str
    text: str


@dataclass
class Evaluated:
    """What evaluations hold.

    Attributes:
        clips: "task/question id" by the audio's hash.
        questions: "task/question id" and text of each.
        absent: for tasks that could not be compared, why.
        tasks: how many questions and clips of each were compared.
    """

    clips: dict[str, str] = field(default_factory=dict)
    questions: list[tuple[str, str]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, dict[str, int]] = field(default_factory=dict)
    _whole: dict[str, int] = field(default_factory=dict)
    _parts: dict[str, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("l")))
    _sizes: list[int] = field(default_factory=list)

    def add(self, task: str, questions: Iterable[Question], clips: Iterable[Clip]) -> None:
        """Take in a task's questions, and all of its clips."""
        count = 0
        for question in questions:
            count += 1
            name = f"{task}/{question.id}"
            for clip in question.audio:
                self.clips.setdefault(clip.sha256, name)
            self._index(name, question.text)
        for clip in clips:
            self.clips.setdefault(clip.sha256, task)
        self.tasks[task] = {"questions": count, "clips": sum(n.partition("/")[0] == task for n in self.clips.values())}

    def _index(self, name: str, text: str) -> None:
        words = normalised(text)
        key = " ".join(words)
        if not words or key in self._whole:
            return
        number = len(self.questions)
        self._whole[key] = number
        self.questions.append((name, text))
        parts = _threes(words) if len(words) >= SHORTEST else set()
        self._sizes.append(len(parts))
        for part in parts:
            self._parts[part].append(number)

    def asks(self, text: str) -> Match | None:
        """The question that a text nearly asks; None if there is none."""
        words = normalised(text)
        whole = self._whole.get(" ".join(words))
        if whole is not None:
            return Match(self.questions[whole][0], text)
        found = Counter(number for part in _threes(words) for number in self._parts.get(part, ()))
        best = max(found, key=lambda number: found[number] / self._sizes[number], default=None)
        if best is None or found[best] < NEARLY * self._sizes[best]:
            return None
        return Match(self.questions[best][0], text)

    def told(self) -> dict[str, Any]:
        """What was compared, for the report."""
        return {"compared": self.tasks, "not compared": self.absent}

    @property
    def digest(self) -> str:
        """The identity of all that is compared."""
        lines = [VERSION, *sorted(self.clips), *sorted(text for _, text in self.questions)]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def gather(registry: Registry, names: Sequence[str] | None = None) -> Evaluated:
    """What the evaluations of these names (default: `TASKS`) hold, as far as they are at hand on this machine."""
    from akb.evaluation import unmanned
    from akb.plan import RunConfig

    found = Evaluated()
    for name in TASKS if names is None else names:
        try:
            for selection in registry.select((name,)):
                plan = unmanned(RunConfig(model="none", task=(name,)), registry, selection)
                found.add(selection.task, plan.task.questions(), plan.clips())
        except AkbError as error:
            found.absent[name] = error.what
    return found


def normalised(text: str) -> list[str]:
    """A text's words, without case and punctuation, in one form of each letter.

    >>> normalised("Isn't it CAFE\u0301? 谁在说话？")
    ['isn', 't', 'it', 'café', '谁', '在', '说', '话']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _threes(words: Sequence[str]) -> set[str]:
    return {" ".join(words[at : at + 3]) for at in range(len(words) - 2)}
