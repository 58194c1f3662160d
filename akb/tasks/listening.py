"""How a model hears an audio question: a setting of the run, not another task.

audio                   the clips themselves
none                    nothing: the question alone
silence                 silence of the same length
shuffled                the clips of another question of the task
caption:NAME            what a captioner says of them (a cascade)
shuffled-caption:NAME   what it says of another question's
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from akb.errors import AkbError
from akb.tasks.drawing import item_random
from akb.types import Clip, Question, fields_of

Key = TypeVar("Key", bound=Hashable)
Way = Literal["audio", "none", "silence", "shuffled", "caption", "shuffled-caption"]
WAYS = "audio, none, silence, shuffled, caption:NAME, shuffled-caption:NAME"


@dataclass(frozen=True)
class Listening:
    """A way of hearing; `captioner` is the name after the colon, empty for the ways without one."""

    way: Way
    captioner: str = ""

    @classmethod
    def parse(cls, text: str) -> Listening:
        """What a `--listen` setting says.

        Raises:
            ValueError: it says none of the known ways.
        """
        found = re.fullmatch(r"(audio|none|silence|shuffled)|(caption|shuffled-caption):(.+)", text, re.DOTALL)
        if found is None:
            raise ValueError(f"one of {WAYS} is wanted")
        way: Any = found[1] or found[2]
        return cls(way, (found[3] or "").strip())

    @property
    def of_another(self) -> bool:
        """Whether what is heard belongs to another question."""
        return self.way.startswith("shuffled")


class Described(Protocol):
    """What a captioner said of clips (akb.cascades.captions)."""

    def shown(self, clip: Clip) -> str:
        """The caption as a reader sees it.

        Raises:
            UndescribedError: there is none.
        """


class UndescribedError(AkbError):
    """A clip has no caption: it cannot be heard (`final`), or its captioner failed, and may not the next time."""

    def __init__(self, what: str, *, where: str = "", fix: str = "", final: bool = False) -> None:
        super().__init__(what, where=where, fix=fix)
        self.final = final


@dataclass
class Hearing:
    """What each question of a task is heard with.

    Attributes:
        task: the task's name; with `seed` it decides whose audio another question hears.
        questions: gives all questions of the task, in a fixed order.
        captions: what the captioner said; None where nobody was asked yet.
        another: gives the clips of another question, for a task that deals them out itself; every one of its questions
            has audio.
        absent: the task has audio, and none of it is at hand.
    """

    listening: Listening
    task: str
    seed: int
    questions: Callable[[], Iterable[Question]]
    captions: Described | None = None
    another: Callable[[Question], tuple[Clip, ...]] | None = None
    absent: bool = False

    def clips(self, question: Question) -> tuple[Clip, ...]:
        """The clips that are played or described for a question; none for one whose audio is missing."""
        if self.listening.way == "none" or "audio_missing" in question.meta:
            return ()
        if not self.listening.of_another:
            return question.audio
        if self.another is not None:
            return self.another(question)
        return self._others.get(_key(question.audio), ())

    def of_example(self, example: Question) -> dict[str, Any]:
        """How a worked example is heard: as its own clips or captions are, or in silence."""
        if not example.audio or self.listening.way in ("none", "audio", "shuffled"):
            return {}
        if self.listening.captioner:
            return {"captions": [self._caption(clip) for clip in example.audio]}
        return self.told(example)

    def told(self, question: Question) -> dict[str, Any]:
        """What a trial must hold for its question to be heard in another way than by its own clips: `clips` or
        `captions`, or under `unheard` why it cannot be heard at all, with `failed` if it may be another time.

        Raises:
            AkbError: no question of the task has audio, and none, silence or another's clips are wanted for it.
        """
        way = self.listening.way
        if way in ("none", "silence", "shuffled") and not self._audible:
            raise AkbError(f"no question of task {self.task} has audio: this would be a run of text by another name",
                           where=f"--listen {way}", fix="Leave --listen out.")  # fmt: skip
        if way == "none":
            return {}
        if "audio_missing" in question.meta:
            return {"unheard": f"the audio is missing: {question.meta['audio_missing']}"}
        try:
            if way == "silence":
                return {"clips": [fields_of(_silent(clip)) for clip in question.audio]}
            if way == "shuffled":
                return {"clips": [fields_of(clip) for clip in self.clips(question)]}
            if self.listening.captioner:
                return {"captions": [self._caption(clip) for clip in self.clips(question)]}
        except AkbError as error:
            if not isinstance(error, UndescribedError) and way != "silence":
                raise
            why = f"{Path(error.where).name}: {error.what}"  # a record says nothing of where files lay
            failed = isinstance(error, UndescribedError) and not error.final
            return {"unheard": why, "failed": True} if failed else {"unheard": why}
        return {}

    def _caption(self, clip: Clip) -> str:
        if self.captions is None:
            raise AkbError("nothing was described yet", where=f"--listen {self.listening.way}",
                           fix=f"Make the captions with: akb caption --task {self.task} "
                               f"--with {self.listening.captioner}")  # fmt: skip
        return self.captions.shown(clip)

    @cached_property
    def _others(self) -> Mapping[tuple[str, ...], tuple[Clip, ...]]:
        """For the clips of each question those that it hears in their place: one cycle through all that differ, so
        that nothing hears itself, whichever part of the task is asked. (Captions of different clips may be alike: how
        many are stands beside the control.)"""
        there = {_key(q.audio): q.audio for q in self.questions() if q.audio and "audio_missing" not in q.meta}
        ring = sorted(there)  # by hash: the order of the questions does not matter
        return {own: there[other] for own, other in dealt(ring, self.seed, self.task).items()}

    @cached_property
    def _audible(self) -> bool:
        """Whether any question of the task has audio, at hand or not."""
        there = self.absent or self.another is not None
        return there or any(q.audio or "audio_missing" in q.meta for q in self.questions())


def dealt(keys: Iterable[Key], seed: int, task: str) -> dict[Key, Key]:
    """For each key another one: one cycle through all, drawn from the seed and the task's name.

    Args:
        keys: different ones, in a fixed order.

    Raises:
        AkbError: there is only one.
    """
    ring = list(keys)
    if len(ring) == 1:
        raise AkbError("all questions have the same audio; there is no other item's", where=f"task {task}",
                       fix="Leave out the controls with --control none")  # fmt: skip
    item_random(seed, task, "another item's audio").shuffle(ring)
    return dict(zip(ring, ring[1:] + ring[:1], strict=True))


def _key(clips: Iterable[Clip]) -> tuple[str, ...]:
    return tuple(clip.sha256 for clip in clips)


def _silent(clip: Clip) -> Clip:
    from akb.audio.silence import silent_like

    silent: Clip = silent_like(clip)
    return silent


def heard(told: Mapping[str, Any], question: Question, listen: str) -> tuple[Clip, ...]:
    """The clips that a question is asked with: those that its trial names, else its own where audio is played (a worked
    example hears its own also where the questions do not)."""
    if "clips" in told:
        return tuple(Clip(**clip) for clip in told["clips"])
    return question.audio if listen in ("audio", "shuffled") else ()
