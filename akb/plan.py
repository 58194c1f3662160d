"""A run before it starts: its settings, and everything looked up that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from akb import records
from akb.cascades.captions import Captions
from akb.errors import AkbError
from akb.files import file_name
from akb.registry import Selection
from akb.strict import Strict
from akb.tasks.folder import FolderTask
from akb.tasks.listening import Listening
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.protocol import Prompt, Protocol
from akb.types import Adapter, Clip, Question, Task, Trial


class RunConfig(Strict):
    """The settings of a run, as `akb eval --config run.yaml` reads them and every record keeps them.

    Attributes:
        model: a registered name, `ADAPTER:MODEL`, or a folder.
        task: names or globs.
        protocol: its name; `protocol_args` changes fields of it, under a name that says so.
        model_args, task_args, captioner_args: settings of the adapter, of the task, and of a cascade's captioner.
        limit: the first so many questions alone.
        shard: "2/4": every fourth of them, from the second on; `akb merge` puts the four runs together.
        seed: of everything that is drawn (option orders, sampling).
        listen: how audio is heard: "audio", "none", "caption:NAME" ... (`akb.tasks.listening`).
        control: "choices-only" withholds the question.
        data: the file with the questions, for tasks that need one.
    """

    model: str
    task: tuple[str, ...] = Field(min_length=1)
    protocol: str = "akb-v1"
    protocol_args: dict[str, Any] = Field(default_factory=dict)
    model_args: dict[str, Any] = Field(default_factory=dict)
    task_args: dict[str, Any] = Field(default_factory=dict)
    captioner_args: dict[str, Any] = Field(default_factory=dict)
    limit: int | None = Field(default=None, ge=1)
    seed: int = 0
    listen: str = "audio"
    control: Literal["none", "choices-only"] = "none"
    data: Path | None = None
    shard: str | None = None

    @field_validator("listen")
    @classmethod
    def _is_a_way_of_hearing(cls, listen: str) -> str:
        Listening.parse(listen)
        return listen

    @field_validator("shard")
    @classmethod
    def _is_a_shard(cls, shard: str | None) -> str | None:
        if shard is not None:
            shard_place(shard)
        return shard


def shard_place(shard: str) -> tuple[int, int]:
    """Which shard of how many: (2, 4) of "2/4".

    Raises:
        ValueError: it is not of that form.
    """
    found = re.fullmatch("([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", shard)
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError("I/N is wanted, with I from 1 to N, e.g. 2/4")
    return int(found[1]), int(found[2])


def shard_suffix(shard: str) -> str:
    """What a shard's folder is called, after the name of the whole run's."""
    number, of = shard_place(shard)
    return f".shard-{number}-of-{of}"


@dataclass
class Plan:
    """A run that is ready to start: everything looked up, nothing asked yet.

    Attributes:
        parties: who is asked, by the name in `Request.to`.
        protocol, prompt: None for tasks that ask in a way of their own.
        categories: the task's categories and category/subcategory, in the order in which tables show them.
        captions: of a cascade, what the captioner said; None before it was asked.
    """

    config: RunConfig
    model: str
    selection: Selection
    task: Task
    parties: Mapping[str, Adapter]
    protocol: Protocol | None = None
    prompt: Prompt | None = None
    categories: tuple[str, ...] = ()
    captions: Captions | None = None

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that can move a number of the run; asks the adapters for their fingerprints."""
        found: dict[str, Any] = {
            "parties": {name: adapter.fingerprint() for name, adapter in self.parties.items()},
            "task": self.task.describe(),
            "parts": self.selection.parts,
            "protocol": None if self.protocol is None else self.protocol.model_dump(mode="json"),
            "prompt": None if self.prompt is None else self.prompt.model_dump(mode="json"),
            "categories": self.categories,
            **{name: getattr(self.config, name) for name in ("seed", "limit", "listen", "control", "task_args")},
        }
        shard = {} if self.config.shard is None else {"shard": self.config.shard}
        return records.as_json(found | shard | self._cascade())

    def _cascade(self) -> dict[str, Any]:
        """What a cascade's numbers rest on: who described the clips, and the words that the model is shown."""
        if self.captions is None:
            return {}
        own = {"name": self.captions.card.name, **self.captions.identity, "sha256": self.captions.digest(self.clips())}
        return {"captions": own}

    def clips(self) -> list[Clip]:
        """Every clip that is played or described in this run; of a shard, in the whole that it is a part of.

        Raises:
            AkbError: no question is selected.
        """
        if not isinstance(self.task, MultipleChoice):
            return []
        if not (wanted := list(self._wanted())):
            raise self._nothing_selected()
        return list(self.task.clips(wanted))

    @property
    def protocol_label(self) -> str:
        """The protocol's name, with whatever else of the settings makes its numbers another kind of number."""
        name = self.protocol.name if self.protocol else ""
        usual = RunConfig.model_fields
        told = [
            f"{setting}={getattr(self.config, setting)}"
            for setting in ("control", "listen", "seed")
            if getattr(self.config, setting) != usual[setting].default
        ]
        return name + ("," if "+" in name else "+") * bool(told) + ",".join(told)

    @property
    def model_label(self) -> str:
        """The model's name, with the settings that make it another model than the card says."""
        plain = (
            "device",
            "device_map",
            "batch_tokens",
            "threads",
            "revision",
            "key_env",
            "key_file",
            "concurrency",
            "timeout",
            "engine_args",
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "gpu_memory_utilization",
            "enforce_eager",
            "prices",
        )
        told = [f"{name}={value}" for name, value in sorted(self.config.model_args.items()) if name not in plain]
        return self.model + "+" * bool(told) + ",".join(told)

    @property
    def task_label(self) -> str:
        """What was asked."""
        pairs = {"first": self.config.limit, "shard": self.config.shard}
        told = ", ".join(f"{name} {value}" for name, value in pairs.items() if value is not None)
        return self.selection.label + (f" ({told})" if told else "")

    @property
    def folder_name(self) -> str:
        """The run's folder below the runs folder: a run of the same identity finds the same place, and the shards of a
        run lie beside it."""
        whole = {name: value for name, value in self.identity.items() if name != "shard"}
        shard = "" if self.config.shard is None else shard_suffix(self.config.shard)
        task = file_name(self.selection.label.replace("/", "."))
        protocol = file_name(self.protocol_label or "own")
        return f"{file_name(self.model)}/{task}.{protocol}.{records.digest(whole)[:8]}{shard}"

    def questions(self) -> Iterator[Question]:
        """The selected questions, as many as are wanted: with a shard, every n-th of these.

        Raises:
            AkbError: there are more shards than questions.
        """
        if self.config.shard is None:
            return self._wanted()
        number, of = shard_place(self.config.shard)
        there = sum(1 for _ in self._wanted())
        if 0 < there < of:
            raise AkbError(f"there are {there} questions for {of} shards", where=f"task {self.selection.task}",
                           fix=f"Use at most {there} shards.")  # fmt: skip
        return islice(self._wanted(), number - 1, None, of)

    def _wanted(self) -> Iterator[Question]:
        """The selected questions up to the limit."""
        keeps = self.selection.keeps
        if isinstance(self.task, FolderTask):
            return self.task.some(keeps, self.config.limit)
        chosen = (q for q in self.task.questions() if keeps(q.category, q.subcategory))
        return islice(chosen, self.config.limit)

    def trials(self) -> Iterator[Trial]:
        """The selected questions as they will be asked.

        Raises:
            AkbError: there are none, or one id is used twice.
        """
        seen = set[str]()
        for question in self.questions():
            trial = self.task.trial(question)
            if trial.id in seen:
                raise AkbError(f"the id {trial.id!r} is used twice", where=f"task {self.selection.task}")
            seen.add(trial.id)
            yield trial
        if not seen:
            raise self._nothing_selected()

    def _nothing_selected(self) -> AkbError:
        categories = sorted({q.category for q in self.task.questions() if q.category})
        parts = ", ".join(self.selection.parts) or "it"
        return AkbError(
            f"no question of task {self.selection.task} is in {parts}",
            fix=f"Its categories: {', '.join(categories)}." if categories else "It has no categories.",
        )
