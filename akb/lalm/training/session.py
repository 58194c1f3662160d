"""A whole training: rows, clips and model are made ready, the loop runs, and what was trained is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from akb.adapters.loading import lacks_memory
from akb.errors import AkbError, missing_extra
from akb.files import explained, take_lock
from akb.lalm.data import rows as data_rows
from akb.lalm.recipe import Recipe
from akb.lalm.saving import Grounded, fill, untrained
from akb.lalm.training import batching, curves, features, memory, origin, record, rows, stored
from akb.lalm.training.checkpoints import Checkpoints
from akb.lalm.training.loop import Loop
from akb.lalm.training.outline import CHANGED, asked, held_out, outlined
from akb.lalm.training.record import ROOM
from akb.lalm.training.sharded import is_sharded
from akb.lalm.training.stopping import Stop
from akb.lalm.training.stored import Data
from akb.lalm.training.watching import Log, Silent, Watch
from akb.strict import read_jsonl

ROWS = "rows"  # the folder in which they are kept


@dataclass
class Session:
    """A training of a recipe.

    Attributes:
        data: the rows (akb.lalm.data.rows.read); `folder`: that of the recipe, in which `train` and `model` are made.
        own: the data is what `akb lalm data` made by the recipe, and must be of it.
        audio: the folder that the rows' paths are relative to; null: that of the data.
        taps: the folder in which what encoders make of clips is kept, for all recipes.
        device: "cpu", "cuda", or null: what Accelerate finds.
        fresh: begin anew; what stands is removed when all is there that the new one needs.
        log_with: a tracker of Accelerate's ("tensorboard", "wandb" ...).
    """

    recipe: Recipe
    data: Path
    folder: Path
    taps: Path
    own: bool = True
    audio: Path | None = None
    include: Sequence[Path] = ()
    device: str | None = None
    fresh: bool = False
    log_with: str | None = None
    watch: Watch = field(default_factory=Silent)

    @property
    def place(self) -> Path:
        return self.folder / "train"

    def run(self) -> record.Run:
        """Train to the end, from where it stands.

        Raises:
            AkbError: something is missing or does not suit, what stands was another training, or it went astray.
            KeyboardInterrupt: it was stopped; the same call goes on.
        """
        self.accelerator = _accelerator(self.device, self.log_with, self.place)
        main = self.accelerator.is_main_process
        with explained(self.place, ROOM):
            self.place.mkdir(parents=True, exist_ok=True)
        lock = take_lock(self.place, "Wait until it has ended.") if main else None
        try:
            with Stop(self.watch.note) as stop:
                return self._trained(stop)
        finally:
            if lock is not None:
                lock.release()

    def _trained(self, stop: Stop) -> record.Run:
        run = record.begun(self.recipe, self.data, self.include, own=self.own)
        if not self.fresh and (then := record.earlier(self.place)) is not None:
            record.check_same(run, then, self.place)
            if then.result is not None and (self.folder / "model").is_dir():
                return then
        for note in run.notes:
            self.watch.note(f"note: {note}")
        share = batching.share(self.recipe.train, self.accelerator.num_processes, self.recipe.where)
        device = str(self.accelerator.device)
        room = memory.Room(self.recipe, share, device, memory.free(device), self.include)
        if not is_sharded(self.accelerator):
            room.check()
        with room.explained():
            grounded = untrained(self.recipe, include=self.include, device=device)
        made = self._data(grounded, run)
        loop, run = self._loop(grounded, made, share, run, stop)
        started = time.monotonic()
        with room.explained():
            self._begin(loop, run)
            with stop.finishing():
                loop.run()
        return self._finished(loop, run, time.monotonic() - started)

    def _begin(self, loop: Loop, run: record.Run) -> None:
        """All is there that is needed: only now what stood gives way."""
        main = self.accelerator.is_main_process
        if self.fresh and main:
            record.clear(self.place)
        self.accelerator.wait_for_everyone()
        loop.prepare()
        if main:
            run.write(self.place)

    # -- what is made ready --

    def _data(self, grounded: Grounded, run: record.Run) -> Data:
        """Rows and clips, from disk where they are there; what is wrong with them is told before anything is computed.

        One process makes them.
        """
        folder, launch, main = self.place / ROWS, [uuid4().hex], self.accelerator.is_main_process
        if several := self.accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            broadcast_object_list(launch)
            if main:
                stored.tell(self.place, launch[0], stored.BEGUN)
            self.accelerator.wait_for_everyone()
        outcome = stored.FAILED
        try:
            made = stored.digest(run, grounded, self._audio)
            if main and not stored.is_whole(folder, made):
                stored.write(folder, made, self._tokenised(grounded, run))
            outcome = stored.MADE
        finally:
            if main and several:
                stored.tell(self.place, launch[0], outcome)
        if not main:
            stored.wait(self.place, launch[0])
        return stored.read(folder)

    @property
    def _audio(self) -> Path:
        """The folder that the rows' paths are relative to."""
        return self.audio or data_rows.home(self.data)

    def _tokenised(self, grounded: Grounded, run: record.Run) -> Data:
        """Rows from the file, which is read twice: once for what they hear, and once for what they say."""
        recipe, ear, seed = self.recipe, grounded.model.encoder, self.recipe.seeds.data
        assert ear is not None
        of = outlined(self._found(), ear.extractor.n_samples, ear.rate, spoken=recipe.data.shuffled)
        if not of.rows:
            raise AkbError("there is no row to train on", where=str(self.data))
        out = held_out(of, recipe.train.held_out, seed)
        told = asked(self._found(), of, out, seed if recipe.data.shuffled else None)
        train, held = rows.tokenised(told, grounded.prompting, recipe.train.max_length,
                                     lambda done: self.watch.stage("rows read", done, of.rows))  # fmt: skip
        if origin.sha256(self.data) != run.data_sha256:
            raise AkbError(CHANGED, where=str(self.data), fix="Give the same command again.")
        return Data(train, held, of.clips)

    def _found(self) -> Iterator[data_rows.Row]:
        return islice(data_rows.read(self.data, self._audio), self.recipe.data.rows)

    def _loop(self, grounded: Grounded, made: Data, share: batching.Share, run: record.Run, stop: Stop
              ) -> tuple[Loop, record.Run]:  # fmt: skip
        train, main = self.recipe.train, self.accelerator.is_main_process
        order = batching.Order(made.train.lengths, made.train.groups, train.batch, train.bucket, train.seed)
        steps = train.steps or order.steps(train.epochs)
        chunks = features.chunks_of(made.clips)
        cache, why = self._cache(grounded, made, chunks, order, steps, stop)
        ear, fill = grounded.model.encoder, grounded.prompting.fill
        assert ear is not None
        if cache is not None:
            grounded.model.encoder = None  # nothing is left for it to hear
        run = run.model_copy(update={
            "rows": len(made.train), "held_out": len(made.held), "clips": len(made.clips), "steps": steps,
            "cache": why, "cache_dtype": str(ear.dtype).removeprefix("torch.") if cache is not None else "",
            "devices": share.devices, "notes": (*run.notes, *_notes(self.recipe, made, steps)),
        })  # fmt: skip
        loop = Loop(
            self.accelerator, grounded,
            features.Reader(made.train, chunks, fill, ear, cache),
            features.Reader(made.held, chunks, fill, ear, cache),
            order, share, steps, Checkpoints(self.place / record.CHECKPOINTS), Log(self.place / record.LOG),
            self.watch if main else Silent(), stop, record.digest(run, (clip.sha256 for clip in made.clips.values())),
        )  # fmt: skip
        return loop, run

    def _cache(self, grounded: Grounded, made: Data, chunks: dict[str, features.Chunk], order: batching.Order,
               steps: int, stop: Stop) -> tuple[features.Cache | None, str]:  # fmt: skip
        """What the encoder makes of clips, filled; null where it is not kept; and why.

        Raises:
            AkbError: there is too little room, on disk or in memory, or a clip cannot be heard.
            KeyboardInterrupt: it was told to stop.
        """
        ear, train, accelerator = grounded.model.encoder, self.recipe.train, self.accelerator
        assert ear is not None
        wanted = [chunks[key] for key in _keys(made.train, order, steps)]
        wanted += [chunks[key] for key in made.held.keys]
        cache = None
        if not self.recipe.encoder.trained and train.cache != "off" and wanted:
            cache = features.Cache(self.taps, ear, grounded.encoder.revision)
            cache.refresh()
        missing = len(cache.missing(wanted)) if cache is not None else len(wanted)
        uses = max(1.0, steps * train.batch / len(order))
        choice = [features.choose(train.cache, ear, trained=self.recipe.encoder.trained, number=missing, uses=uses,
                                  folder=self.taps)]  # fmt: skip
        if accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            broadcast_object_list(choice)
        if not choice[0].on or cache is None:
            return None, choice[0].why
        try:
            with stop.finishing():
                features.fill(cache, ear, wanted, lambda done, of: self.watch.stage("clips encoded", done, of),
                              accelerator.process_index, accelerator.num_processes, lambda: stop.told)  # fmt: skip
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
            raise AkbError(f"{features.SHARD} clips at a time cannot be encoded in the memory of {accelerator.device}",
                           where=self.recipe.where, fix="Make room there, or set train.cache=off (--set): clips are "
                           "then encoded with the rows that hear them.") from None  # fmt: skip
        accelerator.wait_for_everyone()
        cache.refresh()
        return cache, choice[0].why

    # -- the end --

    def _finished(self, loop: Loop, run: record.Run, seconds: float) -> record.Run:
        lines = [line for _, line in read_jsonl(self.place / record.LOG)]
        best = loop.state.best
        result: dict[str, Any] = {
            "loss": lines[-1]["loss"],
            "eval_loss": lines[-1].get("eval_loss"),
            "best": None if best is None else {"eval_loss": best[0], "step": best[1]},
            "seconds": sum(line["seconds"] for line in lines),
            "tokens": sum(line["tokens"] for line in lines),
            "seconds_of_this_run": seconds,
            "memory_gb": max(line["memory_gb"] for line in lines),
            "model": str(self.folder / "model"),
        }
        run = run.model_copy(update={"result": result})
        if self.accelerator.is_main_process:
            self._keep(loop)
            title = f"{self.recipe.name}: {run.steps:,} steps of {self.recipe.train.batch} rows"
            result["drawn"] = curves.draw([curves.read(self.place / record.LOG)], self.place / record.PICTURE, title)
            run.write(self.place)
        loop.leave()
        return run

    def _keep(self, loop: Loop) -> None:
        """The trained model in `model/`, whole or not at all."""
        grounded = loop.grounded
        if is_sharded(self.accelerator):  # this process has a part of it; the last checkpoint has all
            grounded = untrained(self.recipe, include=self.include)
            fill(grounded.model, loop.checkpoints.read(loop.steps)[1], str(self.place))
        grounded.save(self.folder / "model")


def _keys(found: rows.Rows, order: batching.Order, steps: int) -> list[str]:
    """Keys of the chunks that so many steps hear."""
    if steps * order.batch >= len(order):
        return list(found.keys)
    numbers = {int(number) for step in range(steps) for number in order.rows(step)}
    return list(dict.fromkeys(key for number in sorted(numbers) for key in found[number].clips))


def _notes(recipe: Recipe, made: Data, steps: int) -> tuple[str, ...]:
    """What is odd about a training, and yet no error."""
    notes = []
    if recipe.train.warmup >= steps:
        notes.append(f"the warm-up of {recipe.train.warmup:,} steps is not over at the end, after {steps:,}")
    if not len(made.held):
        notes.append("no row is held out: there are too few clips")
    if not made.clips:
        notes.append("no row has audio")
    if long := sum(clip.chunks > 1 for clip in made.clips.values()):
        notes.append(f"{long:,} clips are longer than the encoder hears at once, and are heard in chunks")
    return tuple(notes)


def _accelerator(device: str | None, log_with: str | None, place: Path) -> Any:
    """Accelerate's, which neither casts nor accumulates: model and loop do."""
    try:
        import accelerate
        from accelerate.utils import DistributedDataParallelKwargs, GradientAccumulationPlugin
    except ImportError:
        raise missing_extra("accelerate", "lalm", needed_for="training") from None
    if device not in (None, "cpu", "cuda"):
        raise AkbError(f"{device!r} is no device", where="--device",
                       fix="Wanted: cpu or cuda; by default what is there. CUDA_VISIBLE_DEVICES=1 chooses a GPU.",
                       )  # fmt: skip
    try:
        made = accelerate.Accelerator(
            cpu=device == "cpu",
            mixed_precision="no",
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
            log_with=log_with,
            project_dir=str(place),
        )
        if log_with is not None:
            made.init_trackers("akb")
    except (ValueError, ImportError) as error:
        where = "--log-with" if log_with else "accelerate"
        raise AkbError(str(error).splitlines()[0], where=where) from None
    if device == "cuda" and made.device.type != "cuda":
        raise AkbError("torch finds no GPU here", where="--device cuda", fix="Leave it out, and the CPU trains.")
    if log_with is not None and not made.trackers and made.is_main_process:
        raise AkbError(f"the tracker {log_with!r} is not installed", where="--log-with", fix=f"pip install {log_with}")
    return made
