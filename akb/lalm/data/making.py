"""Making a recipe's data: descriptions, the backbone's responses, and what of them is kept, in one folder.

descriptions.jsonl  a line a clip (prepared.json says of what it was made)
run.json, trials.jsonl, responses.jsonl   the record of the responses, as every run leaves it
train.jsonl         the rows that are kept (akb.lalm.data.rows)
report.json         what was read, asked, kept and dropped, and why
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from akb import records
from akb.calling import Budget
from akb.engine import Engine, Progress, check_capabilities
from akb.environment import environment, now, version
from akb.errors import AkbError
from akb.files import LockedError, explained, file_sha256, write_whole
from akb.lalm.data import describing, filtering, trainable
from akb.lalm.data.contamination import Evaluated, gather
from akb.lalm.data.pool import Pool, Prompt, check_fits, find
from akb.lalm.data.preparing import AGAIN, Contaminated, Prepared, Preparing, Wanted, wanted
from akb.lalm.data.responding import Responding
from akb.lalm.data.rows import Row, Sounding, Turn
from akb.records import Manifest, Record
from akb.store import Cache
from akb.types import MODEL, Adapter, Decoding, Priced
from akb.usage import spent

if TYPE_CHECKING:
    from akb.lalm.recipe import Recipe
    from akb.registry import Registry

TRAIN, REPORT, LOCK = "train.jsonl", "report.json", ".making.lock"
Watch = Callable[[str, Path], AbstractContextManager[Progress]]


@dataclass
class Tally:
    """What became of the rows.

    Attributes:
        drops: those that are not kept, and why.
        kept: how many are, by kind of audio and type of prompt.
        like: for prompts that nearly ask a question of an evaluation, which one: the pool's by their ids, a clip's own
            by that of its row.
        rows: how many of the kept rows have such a prompt.
    """

    drops: list[dict[str, str]] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    like: dict[str, str] = field(default_factory=dict)
    rows: int = 0


@dataclass
class Making:
    """A recipe's data, and how it is to be made.

    Attributes:
        folder: where it lies.
        writer: who answers, as `--model` names it; the backbone, or a server that runs the same weights.
        model_args: settings of the writer's adapter.
        limit: the first so many rows alone.
        skip_faulty: leave out records that cannot be used.
        contaminated: what to do with clips of evaluations.
        cache: use earlier responses; fresh: ask and read everything anew.
        evaluated: what is compared; by default the evaluations at hand.
    """

    recipe: Recipe
    registry: Registry
    folder: Path
    writer: str = ""
    model_args: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    skip_faulty: bool = False
    contaminated: Contaminated = "refuse"
    cache: bool = True
    fresh: bool = False
    budget: Budget | None = None
    evaluated: Evaluated | None = None

    def __post_init__(self) -> None:
        data = self.recipe.data
        self.writer = self.writer or self.recipe.backbone
        self.sources = data.manifests
        self.pool: Pool = find(data.prompts, self.registry.roots)
        made = data.generation
        decoding = Decoding(made.max_tokens, made.temperature, made.top_p, seed=made.seed)
        marks = (self.recipe.prompt.start, self.recipe.prompt.end)
        self.task = Responding(self.pool.template, decoding, marks, filtering.chosen(data.filters), self.rows)

    def prepare(self) -> Prepared:
        """Read the manifests.

        Raises:
            AkbError: as of `Preparing.prepare`, the recipe could not be trained, or no prompt fits a kind of audio.
        """
        trainable.prompting_for(self.recipe, self.registry.roots[1:])
        if self.evaluated is None:
            self.evaluated = gather(self.registry)
        with explained(self.folder, AGAIN):
            self.folder.mkdir(parents=True, exist_ok=True)
        preparing = Preparing(self.sources, Path.cwd(), self.folder, self.evaluated, self.contaminated,
                              self.skip_faulty)  # fmt: skip
        found = preparing.prepare(fresh=self.fresh)
        check_fits(self.pool, found.clips)
        return found

    def rows(self) -> Iterator[Wanted]:
        """The rows to be made, as many as are wanted now."""
        data, seed = self.recipe.data, self.recipe.seeds.data
        found = wanted(self.folder, self.sources, self.pool, data.per_clip, data.rows, seed)
        return islice(found, self.limit)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else makes these data meanwhile."""
        with explained(self.folder, AGAIN):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(str(self.folder / LOCK), timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise LockedError("another akb process is making these data", where=str(self.folder),
                                  fix="Wait until it has ended.") from None  # fmt: skip
        try:
            yield
        finally:
            lock.release()

    def _check_rows(self) -> None:
        """That the rows can be trained on. (A backbone of the hub is on this machine once its adapter was made.)"""
        prompting = trainable.prompting_for(self.recipe, self.registry.roots[1:])
        if prompting is not None:
            trainable.check_rows(prompting, self.recipe, (self._row(row, "-") for row in self.rows()))

    def foreseen(self) -> dict[str, Any]:
        """What would be asked, what it would take, and the first request as text; nobody is asked."""
        with self._alone():
            return self._foreseen()

    def _foreseen(self) -> dict[str, Any]:
        from akb.adapters.pricing import estimate
        from akb.adapters.rendering import shown

        prepared = self.prepare()
        count = prompt = reply = 0
        cost: float | None = 0.0
        first = ""
        with closing(self._adapter()) as adapter:
            for question in self.task.questions():
                (request,) = self.task.requests(self.task.trial(question), ())
                if not count:
                    check_capabilities(MODEL, adapter, [request])
                    first = shown(request.messages)
                told = adapter.estimate(request) if isinstance(adapter, Priced) else estimate(request)
                count, prompt, reply = count + 1, prompt + told.prompt_tokens, reply + told.reply_tokens
                cost = None if cost is None or told.cost is None else cost + told.cost
            self._check_rows()
        return {
            **self._named(),
            "clips": prepared.clips,
            "hours": prepared.hours,
            "clips over 30 s": prepared.long,
            "requests": count,
            "prompt tokens, about": prompt,
            "reply tokens, at most": reply,
            "cost at most, $": None if cost is None else round(cost, 4),
            "first": first,
        }

    def make(self, watch: Watch) -> dict[str, Any]:
        """Have every row answered, and write train.jsonl and report.json.

        Returns:
            The report.

        Raises:
            AkbError: the data cannot be prepared, another process is making them, the writer cannot do its work, or
                no row is kept. What was answered is kept.
        """
        with self._alone():
            report = self._made(watch)
        if not report["rows"]["kept"] and not incomplete(report):
            why = ", ".join(f"{count:,} {reason}" for reason, count in sorted(report["dropped"].items()))
            raise AkbError(f"not one of {report['rows']['wanted']:,} rows is kept; dropped are {why}",
                           where=str(self.folder / REPORT),
                           fix="`drops` there names each; see data.filters of the recipe, and what the backbone says.",
                           )  # fmt: skip
        return report

    def _made(self, watch: Watch) -> dict[str, Any]:
        prepared = self.prepare()
        with closing(self._adapter()) as adapter:
            manifest = self._manifest(adapter)
            self._check_same(manifest)
            self._check_rows()
            store = Cache(self.registry.settings.cache_file, write_only=self.fresh) if self.cache else None
            try:
                record = Record.open(self.folder, manifest, fresh=self.fresh, grows=True)
                try:
                    report = self._answered(record, adapter, store, prepared, watch)
                except BaseException:
                    record.discard_if_empty()
                    raise
                finally:
                    record.close()
            finally:
                if store is not None:
                    store.close()
        return report

    def _check_same(self, manifest: Manifest) -> None:
        """Whether what lies in the folder was made by the same model in the same way."""
        if self.fresh or not (self.folder / records.MANIFEST).is_file():
            return
        known = records.read_manifest(self.folder)
        if changes := records.changed_fields(known.identity, manifest.identity):
            raise AkbError(f"these data were made otherwise; they differ in {'; '.join(changes[:6])}",
                           where=str(self.folder),
                           fix="Make them anew with --fresh, or give the recipe another name.")  # fmt: skip

    def _answered(self, record: Record, adapter: Adapter, store: Cache | None, prepared: Prepared,
                  watch: Watch) -> dict[str, Any]:  # fmt: skip
        started = time.perf_counter()
        if self.budget is not None:
            self.budget.spent += spent(records.read_responses(self.folder))
        record.write_trials(self.task.trial(question) for question in self.task.questions())
        tally = Tally()
        with watch(f"{self.recipe.name}: {self.writer} answering", self.folder) as progress:
            progress.total(sum(1 for _ in records.read_trials(self.folder)))
            engine = Engine(self.task, {MODEL: adapter}, record, store, progress, budget=self.budget)
            write_whole(self.folder / TRAIN, self._kept(engine, tally), AGAIN)
        told: dict[str, Any] = getattr(adapter, "environment", dict)()
        record.finish(now(), time.perf_counter() - started, errors=engine.errors, devices={MODEL: told} if told else {})
        report = self._report(record, prepared, tally)
        write_whole(self.folder / REPORT, json.dumps(report, indent=1, ensure_ascii=False) + "\n", AGAIN)
        return report

    def _kept(self, engine: Engine, tally: Tally) -> Iterator[str]:
        """The lines of train.jsonl, as the rows are answered."""
        evaluated, pool = self.evaluated or Evaluated(), {prompt.id for prompt in self.pool.prompts}

        def asks(prompt: Prompt) -> str | None:
            return None if (match := evaluated.asks(prompt.text)) is None else match.question

        tally.like = {prompt.id: asked for prompt in self.pool.prompts if (asked := asks(prompt)) is not None}
        answered = engine.run(records.read_trials(self.folder))
        for row, (trial, outcome) in zip(self.rows(), answered, strict=True):
            response, dropped = self.task.replies.pop(trial.id, (None, None))
            if response is None or dropped is not None:
                reason, seen = dropped or ("error", outcome.reason)
                tally.drops.append({"id": row.id, "reason": reason, "seen": seen})
                continue
            tally.kept[f"{row.clip.kind}/{row.prompt.type}"] += 1
            if row.prompt.id not in pool and (asked := asks(row.prompt)) is not None:
                tally.like[row.id] = asked
            tally.rows += row.prompt.id in tally.like or row.id in tally.like
            yield self._row(row, (response.text or "").strip()).line()

    def _row(self, row: Wanted, response: str) -> Row:
        """A training row."""
        clip, content = row.clip, self.pool.template.asked(row.prompt.text)
        return Row(
            id=row.id,
            dataset=clip.dataset,
            seed_description=clip.description,
            prompt=row.prompt.text,
            messages=(Turn(role="user", content=content, audios=(Sounding(audio=clip.audio, text=clip.text),)),),
            response=response,
            kind=clip.kind,
            type=row.prompt.type,
            duration=clip.seconds,
            audio_sha256=(clip.sha256,),
        )

    def _report(self, record: Record, prepared: Prepared, tally: Tally) -> dict[str, Any]:
        evaluated, part = self.evaluated or Evaluated(), self.recipe.prompt
        rows = {"kept": sum(tally.kept.values()), "dropped": len(tally.drops)}
        return {
            "schema": 1,
            **self._named(),
            "manifests": [source.model_dump(mode="json") for source in self.sources],
            "generation": self.recipe.data.generation.model_dump(mode="json"),
            "marks": [part.start, part.end],
            "per_clip": self.recipe.data.per_clip,
            "seed": self.recipe.seeds.data,
            "revision": record.manifest.identity["parties"][MODEL].get("revision"),
            "limit": self.limit,
            "identity": records.digest(record.manifest.identity),
            "clips": prepared.clips,
            "hours": prepared.hours,
            "clips over 30 s": prepared.long,
            "faults": [dict(zip(("where", "kind", "what"), fault, strict=True)) for fault in prepared.faults],
            "rows": {"wanted": sum(rows.values()), **rows},
            "kept": dict(sorted(tally.kept.items())),
            "dropped": dict(Counter(one["reason"] for one in tally.drops)),
            "filters": {"version": filtering.VERSION, "names": list(self.task.filters)},
            "contamination": {
                **evaluated.told(),
                "clips": [dict(zip(("id", "file", "question"), one, strict=True)) for one in prepared.contaminated],
                "clips are": {"refuse": "none", "drop": "left out", "keep": "kept"}[self.contaminated],
                "descriptions": [dict(zip(("id", "question", "text"), one, strict=True)) for one in prepared.questions],
                "prompts": tally.like,
                "rows": tally.rows,
            },
            "usage": {name: party.model_dump() for name, party in record.manifest.usage.items()},
            "seconds": round(record.manifest.seconds, 1),
            "train_sha256": file_sha256(self.folder / TRAIN),
            "drops": tally.drops,
        }

    def _named(self) -> dict[str, Any]:
        """By what it is made."""
        told = {
            "recipe": self.recipe.name,
            "backbone": self.recipe.backbone,
            "writer": self.writer,
            "pool": {"name": self.pool.name, "version": self.pool.version, "sha256": self.pool.sha256},
            "template": self.pool.template.name,
            "descriptions": describing.VERSION,
            "folder": str(self.folder),
        }
        other = {"note": "the writer is named otherwise than the backbone; text of another model teaches less well"}
        return told | (other if self.writer != self.recipe.backbone else {})

    def _adapter(self) -> Adapter:
        return self.registry.adapter(self.registry.card(self.writer), self.model_args)

    def _manifest(self, adapter: Adapter) -> Manifest:
        identity = {"parties": {MODEL: adapter.fingerprint()}, "task": self.task.describe()}
        return Manifest(schema=1, akb=version("akb"), model=self.writer, task=self.task.name,
                        protocol=self.pool.template.name, identity=records.as_json(identity), started=now(),
                        config={"recipe": self.recipe.model_dump(mode="json"), "model_args": dict(self.model_args)},
                        environment=environment())  # fmt: skip


def data_folder(registry: Registry, name: str) -> Path:
    """Where a recipe's data lies."""
    return registry.settings.lalms / name / "data"


def incomplete(report: Mapping[str, Any]) -> bool:
    """Whether some rows had no response to be had, which the same command asks for again."""
    return bool(report["dropped"].get("error"))
