"""Pools of prompts (lalm/prompts/*.yaml): what a backbone is asked about a description, and how it is put to it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from akb import content
from akb.errors import AkbError, unknown
from akb.strict import Strict, read_named
from akb.tasks.drawing import item_random

Type = Literal["describe", "question", "reason", "role-play", "rewrite"]
AUDIO = "<|AUDIO|>"  # where the audio stands in a message of the DeSTA schema


@dataclass(frozen=True)
class Prompt:
    """A prompt and where it fits.

    Attributes:
        id: from its text, so that it does not change when others come or go.
        needs: names of attributes, "text" (words are spoken) or "several" (several segments), of which the description
            must have one; empty: none.
        reasoning: it asks for reasons.
    """

    id: str
    text: str
    kinds: tuple[str, ...]
    type: Type
    reasoning: bool = False
    needs: tuple[str, ...] = ()

    def fits(self, kind: str, known: Collection[str]) -> bool:
        """Whether it can be asked of a clip of this kind of which these things are known."""
        there = kind in self.kinds or "any" in self.kinds
        return there and (not self.needs or any(need in known for need in self.needs))


class Group(Strict):
    """Prompts that share their tags."""

    kinds: tuple[Literal["speech", "sound", "music", "any"], ...] = Field(min_length=1)
    type: Type
    reasoning: bool = False
    needs: tuple[str, ...] = ()
    prompts: tuple[str, ...] = Field(min_length=1)

    @field_validator("needs")
    @classmethod
    def _in_lower_case(cls, needs: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(need.casefold() for need in needs)


class Template(Strict):
    """How a description stands in for audio.

    Attributes:
        system: told to whoever answers; empty: nothing is. {start} and {end} are the recipe's marks around audio.
        user: the message with {description} and {prompt}.
        trained: the message that the trained model is sent, with {clip} where the audio stands and {prompt}.
    """

    name: str
    system: str = ""
    user: str
    trained: str

    @model_validator(mode="after")
    def _has_its_places(self) -> Template:
        for field, places in (("user", ("{description}", "{prompt}")), ("trained", ("{clip}", "{prompt}"))):
            if missing := [place for place in places if place not in getattr(self, field)]:
                raise ValueError(f"{field}: {' and '.join(missing)} must stand in it")
        if self.trained.count("{clip}") > 1 or AUDIO in self.trained:
            raise ValueError(f"trained: {{clip}} must stand in it once, and {AUDIO} not at all")
        return self

    def shown(self, field: Literal["system", "user"], start: str, end: str, description: str = "",
              prompt: str = "") -> str:  # fmt: skip
        """A message to whoever answers."""
        return _filled(getattr(self, field), {"start": start, "end": end, "description": description, "prompt": prompt})

    def asked(self, prompt: str) -> str:
        """The trained model's message."""
        return _filled(self.trained, {"clip": AUDIO, "prompt": prompt})


def _filled(text: str, values: dict[str, str]) -> str:
    """A template with its places filled; what is filled in is never taken for a place."""
    import re

    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)


class Pool(Strict):
    """A pool of prompts with its template; `name` and `version` stand in every data set made with it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    version: str
    template: Template
    groups: tuple[Group, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Pool:
        seen: set[str] = set()
        for prompt in self.prompts:
            if not prompt.text.strip():
                raise ValueError("a prompt is empty")
            if AUDIO in prompt.text:
                raise ValueError(f"a prompt holds {AUDIO}, which marks where audio stands: {prompt.text!r}")
            if prompt.id in seen:
                raise ValueError(f"a prompt is there twice: {prompt.text!r}")
            seen.add(prompt.id)
        return self

    @cached_property
    def prompts(self) -> tuple[Prompt, ...]:
        """All prompts, in the file's order."""
        return tuple(
            Prompt(_id(text), text, group.kinds, group.type, group.reasoning, group.needs)
            for group in self.groups for text in group.prompts
        )  # fmt: skip

    @cached_property
    def sha256(self) -> str:
        """The identity of all that it says."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def _fitting(self, kind: str, known: frozenset[str]) -> dict[str, list[Prompt]]:
        """The prompts that can be asked, by type; found once for clips of which the same is known."""
        if (kind, known) not in self._found:
            found: dict[str, list[Prompt]] = {}
            for prompt in self.prompts:
                if prompt.fits(kind, known):
                    found.setdefault(prompt.type, []).append(prompt)
            self._found[kind, known] = found
        return self._found[kind, known]

    @cached_property
    def _found(self) -> dict[tuple[str, frozenset[str]], dict[str, list[Prompt]]]:
        return {}

    def draw(self, clip: str, kind: str, known: Collection[str], count: int, seed: int) -> Sequence[Prompt]:
        """Different prompts for a clip: which ones depends on the clip's id and the seed alone.

        Types are drawn first and then prompts, so that a type with many prompts is not asked more often; fewer than
        `count` where fewer fit. The first of more prompts are those that fewer would have been.
        """
        random = item_random(seed, self.name, clip)
        left = {name: list(prompts) for name, prompts in self._fitting(kind, frozenset(known)).items()}
        drawn: list[Prompt] = []
        while left and len(drawn) < count:
            kinds = sorted(left)
            chosen = random.choice(kinds)
            drawn.append(left[chosen].pop(random.randrange(len(left[chosen]))))
            left = {name: prompts for name, prompts in left.items() if prompts}
        return drawn


def asked(text: str, kind: str) -> Prompt:
    """A clip's own question."""
    return Prompt(_id(text), text, (kind,), "question")


def _id(text: str) -> str:
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()[:12]


def pools(roots: Sequence[Path]) -> dict[str, Pool]:
    """The pools of all content folders, by name."""
    return read_named(Pool, content.files(roots, "lalm", "prompts/*.yaml"))


def find(name: str, roots: Sequence[Path]) -> Pool:
    """The pool of this name.

    Raises:
        AkbError: there is none; with "did you mean".
    """
    known = pools(roots)
    if name not in known:
        raise unknown("pool of prompts", name, known, see=f"There are: {', '.join(sorted(known)) or 'none'}.")
    return known[name]


def check_fits(pool: Pool, kinds: Collection[str]) -> None:
    """Whether something can be asked of every kind of audio, whatever is known of it.

    Raises:
        AkbError: nothing can.
    """
    for kind in sorted(kinds):
        if not any(prompt.fits(kind, ()) for prompt in pool.prompts):
            raise AkbError(f"no prompt fits {kind} of which nothing is known", where=f"pool {pool.name}",
                           fix="Add prompts without needs, for this kind or for any.")  # fmt: skip
