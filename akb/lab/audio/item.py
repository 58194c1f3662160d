"""An item of lab-audio, and on which side of the wall between benchmark and training its clip lies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from akb.errors import AkbError
from akb.lab.sound import Scene
from akb.lab.sound.scene import Event
from akb.lab.sound.source import Repeated
from akb.strict import Strict, parse, read_jsonl
from akb.types import Clip, Question


class AudioItem(Strict):
    """A question on a clip, one a line of tasks/lab-audio/questions.jsonl.

    Attributes:
        answer: index of the key, from 0.
        needs: "perception": hearing alone decides; "knowledge": what is heard must be matched with something known.
        scene: what sounds; the clip is made from it and from nothing else.
    """

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    question: str = Field(min_length=1)
    options: tuple[str, str, str, str]
    answer: int = Field(ge=0, le=3)
    category: Literal["sound", "music", "speech"]
    subcategory: str
    template_id: str
    needs: Literal["perception", "knowledge"]
    synthetic: Literal[True] = True
    scene: Scene

    @model_validator(mode="after")
    def _four_different(self) -> AudioItem:
        if len({option.casefold() for option in self.options}) != 4:
            raise ValueError("four different options are wanted")
        return self

    @property
    def key(self) -> str:
        return self.options[self.answer]

    def question_(self, clip: Clip | None = None) -> Question:
        """The item as a question of the contract; without a clip it is asked without audio."""
        return Question(
            id=self.id,
            text=self.question,
            options=self.options,
            answer=self.answer,
            category=self.category,
            subcategory=self.subcategory,
            audio=() if clip is None else (clip,),
            template_id=self.template_id,
            meta={"needs": self.needs, "synthetic": True},
        )

    def line(self) -> str:
        """The item as a line of JSON; of its scene only what is not as by default."""
        row = self.model_dump(mode="json", exclude={"scene"})
        return json.dumps(row | {"scene": scene_json(self.scene)}, ensure_ascii=False) + "\n"


def scene_json(scene: Scene) -> dict[str, Any]:
    """A scene without what is as by default."""
    told: dict[str, Any] = scene.model_dump(mode="json", exclude_defaults=True)
    for row in (told, *told["events"]):
        for effect, whole in zip(row.get("effects", ()), _effects(scene, row, told), strict=True):
            effect["kind"] = whole
    return told


def _effects(scene: Scene, row: dict[str, Any], told: dict[str, Any]) -> list[str]:
    """The kinds of the effects of the scene or of one of its events; they are defaults of their classes."""
    which = scene.effects if row is told else scene.events[told["events"].index(row)].effects
    return [effect.kind for effect in which]


def read(paths: Iterable[Path]) -> Iterator[tuple[str, AudioItem]]:
    """The items of JSONL files, each with "file:line".

    Raises:
        AkbError: with the wrong field named.
    """
    for path in paths:
        for number, row in read_jsonl(path):
            where = f"{path}:{number}"
            try:
                item = parse(AudioItem, row, where)
            except AkbError as error:  # of a source or its parameters
                told = error.what if error.where in ("", where) else f"{error.where}: {error.what}"
                raise AkbError(told, where=where, fix=error.fix) from None
            yield where, item


def key_of(scene: Scene) -> str:
    """What decides how a clip sounds, as a hash of 16 hex digits: its sources with the parameters that sound, effects,
    lengths and levels against one another, the gaps between their starts, the background. When the first one starts,
    how loud the whole is, its duration and its seed do not count: clips that differ in these alone have one key."""
    events = sorted(scene.events, key=lambda event: event.start)
    loudest = max((event.level_db for event in events), default=0.0)
    behind = scene.background
    told = [
        [_event(event, loudest) for event in events],
        [round(later.start - earlier.start, 2) for earlier, later in pairwise(events)],
        [effect.truth() for effect in scene.effects],
        None if behind is None else [behind.source, behind.made.sounding(), round(loudest - behind.level_db, 1)],
    ]
    return hashlib.sha256(json.dumps(_plain(told), sort_keys=True).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """The same with every number as a float, so that 1 and 1.0 are one, and a default is as if it were written."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value if isinstance(value, (bool, str)) or value is None else round(float(value), 4) + 0.0


def _event(event: Event, loudest: float) -> list[Any]:
    made, level = event.made, round(event.level_db - loudest, 1)
    longest = made.natural() if isinstance(made, Repeated) else event.seconds  # what follows then is silence
    length = round(min(event.seconds, longest), 2)
    return [event.source, made.sounding(), level, length, event.swell_db, [effect.truth() for effect in event.effects]]


def held_out(scene: Scene) -> bool:
    """Whether a clip with these parameters is kept for the benchmark. It follows from `key_of` alone: half of all
    combinations are on each side, whatever the seed."""
    return int(key_of(scene)[0], 16) < 8
