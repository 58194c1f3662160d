"""Grounded models, asked from audio and from text alone.

    akb eval --model lalm:desta-qwen2.5-7b --task mmau --listen audio        akb eval --model lalm:FOLDER ...

A grounded model is its backbone with more ids: those of a clip's vectors (akb.adapters.lalm_vectors). So it is scored
and decoded as the backbone is by `hf`, and without a clip it is that very model. While it is at one batch, the next
one's clips are decoded in threads; a clip is encoded once, whatever is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from akb import settings
from akb.adapters import hf, loading, snapshot
from akb.adapters.cards import Card
from akb.adapters.hf_audio_hearing import ahead, clips_of
from akb.adapters.lalm_files import folder_of, name_of, recipe_digest, version_of
from akb.adapters.lalm_hearing import Block, Decoded, decoded, key_of
from akb.adapters.rendering import Encoded
from akb.adapters.snapshot import Snapshot
from akb.errors import AkbError
from akb.files import file_sha256
from akb.lalm.kept import RECIPE, WEIGHTS, Kept, card_of, ear_of, kept_in
from akb.lalm.recipe import Recipe, read
from akb.strict import Strict, parse
from akb.types import Capabilities, Clip, Finish, Preview, Request, Response

if TYPE_CHECKING:
    from akb.adapters.batching import Need
    from akb.adapters.lalm_rendering import BlockRenderer
    from akb.adapters.lalm_vectors import Vectors
    from akb.audio import Policy
    from akb.lalm.prompting import Heard, Prompting
    from akb.lalm.saving import Grounded

VERSION = "lalm/1"
ENCODED, ENCODED_ON_CPU = 16, 4  # chunks that go through the encoder at once
KEPT = 1 << 28  # bytes of vectors that are kept for later batches


class Args(Strict):
    """Settings of a grounded model: `--set model.KEY=VALUE`.

    Attributes:
        device, batch_tokens, threads, engine: as of `hf`; one device.
        dtype: "auto" is as it was trained: bfloat16 or float32.
        longest: seconds of a clip that are heard; null: all. What the encoder cannot hear at once is heard in several
            blocks, one after another.
        beyond: what becomes of a longer clip: its beginning is heard, or it is refused; without `longest` one is
            refused that the encoder cannot hear at once.
        transcripts: a file with a transcript for each clip, by hash (captions.jsonl as `akb caption` leaves it); null:
            none, as of clips in which nobody speaks. A clip's transcript stands with its first block.
        backbone, encoder: folders of the models it was trained with, where they are no longer where they were.
    """

    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_tokens: int | None = Field(default=None, ge=1)
    threads: int | None = Field(default=None, ge=1)
    engine: Literal["auto", "plain"] = "auto"
    longest: float | None = Field(default=None, gt=0)
    beyond: Literal["truncate", "refuse"] = "truncate"
    transcripts: Path | None = None
    backbone: str | None = None
    encoder: str | None = None


class LALM(hf.HF):
    """A grounded model as an adapter.

    Args:
        folder: with what was trained.
    """

    capabilities = Capabilities(choose=True, generate=True, audio=True)

    def __init__(self, card: Card, args: Args, folder: Path) -> None:
        shared = args.model_dump(include={"device", "dtype", "batch_tokens", "threads", "engine"})
        super().__init__(card, hf.Args(**shared))
        self.settings, self.folder = args, folder
        self._chunks: dict[str, int] = {}
        self._features: dict[str, Any] = {}
        self._seen: dict[str, Mapping[str, Any]] = {}

    # -- what it is, without loading it --

    @cached_property
    def kept(self) -> Kept:
        return kept_in(self.folder)

    @cached_property
    def recipe(self) -> Recipe:
        return read(self.folder / RECIPE)

    @cached_property
    def backbone(self) -> Card:
        return card_of(self.recipe, known=self.kept.card, folder=self.settings.backbone)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The backbone's."""
        return version_of(self.backbone.model, self.kept.backbone.revision)

    @cached_property
    def ear(self) -> Snapshot:
        """The encoder's."""
        return version_of(self.settings.encoder or ear_of(self.recipe), self.kept.encoder.revision)

    @cached_property
    def template(self) -> Literal["chat", "plain"]:
        return "chat"

    @cached_property
    def dtype(self) -> str:
        trained = {"bf16": "bfloat16", "fp32": "float32"}[self.recipe.train.precision]
        return trained if self.settings.dtype == "auto" else self.settings.dtype

    @property
    def context(self) -> int | None:
        return self.backbone.context or self.snapshot.context

    @cached_property
    def block(self) -> Block:
        """What its encoder hears at once."""
        return Block(self.kept.samples, self.kept.rate)

    @cached_property
    def policy(self) -> Policy:
        """How clips are decoded, before they are cut."""
        from akb.audio import Policy

        longest, beyond = self.settings.longest, self.settings.beyond
        if longest is None and beyond == "refuse":
            longest = self.block.seconds
        return Policy(rate=self.block.rate, longest=longest, beyond=beyond)

    def fingerprint(self) -> Mapping[str, Any]:
        text = self.settings.transcripts
        return {
            **super().fingerprint(),
            "adapter": VERSION,
            "model": self.recipe.name,
            "revision": snapshot.folder_identity(self.folder, (WEIGHTS,)),
            "recipe_sha256": recipe_digest(self.recipe),
            "backbone": {"model": name_of(self.recipe.backbone), "revision": self.kept.backbone.revision},
            "encoder": {"model": name_of(self.recipe.encoder.model), "revision": self.kept.encoder.revision},
            "reasoning": self.backbone.reasoning.model_dump(mode="json"),
            "decoding": f"{self.policy.told()}; blocks of {self.block.seconds:.12g} s",
            "transcripts": None if text is None else file_sha256(text),
        }

    # -- reading and planning --

    @cached_property
    def prompting(self) -> Prompting:
        from akb.lalm.saving import prompting_of

        return prompting_of(self.recipe, self.backbone, self.snapshot)

    @cached_property
    def renderer(self) -> BlockRenderer:
        from akb.adapters.lalm_rendering import BlockRenderer

        return BlockRenderer(self.prompting, self._heard)

    @cached_property
    def transcripts(self) -> Mapping[str, str]:
        """Of clips, by hash."""
        from akb.cascades.human import Human

        file = self.settings.transcripts
        if file is None:
            return {}
        known = {key: text for key, text in Human(file).captions.items() if len(key) == 64}
        if not known:
            raise AkbError("no transcript names its clip by the sha256 of its bytes", where=str(file),
                           fix="`akb caption` leaves such a file: captions.jsonl.")  # fmt: skip
        return known

    def _heard(self, clip: Clip) -> Heard:
        """A clip as it stands in a prompt: of as many chunks as its header tells, until it was decoded."""
        from akb.lalm.prompting import Heard

        key = key_of(clip)
        if key not in self._chunks:
            self._chunks[key] = self.block.chunks(clip, self.policy)
        return Heard(key, (self.transcripts.get(clip.sha256), *[None] * (self._chunks[key] - 1)))

    def preview(self, request: Request) -> Preview:
        """What the backbone would read; vectors are shown as placeholders."""
        from akb.adapters.lalm_vectors import BEYOND

        found = super().preview(request)
        ids = (self.prompting.placeholder if token >= BEYOND else token for token in found.ids)
        return replace(found, ids=tuple(ids))

    def _need(self, request: Request) -> Need:
        try:
            return super()._need(request)
        except AkbError as error:
            if not clips_of(request):
                raise
            raise AkbError(error.what, where=error.where, fix=f"{self._hear_less}, or: {error.fix}") from None

    @property
    def _hear_less(self) -> str:
        return f"Hear less of each clip (--set model.longest={self.block.seconds:g})"

    # -- the model --

    @cached_property
    def _grounded(self) -> Grounded:
        import torch

        from akb.lalm import saving

        if self.settings.threads is not None:
            torch.set_num_threads(self.settings.threads)
        precision = {"bfloat16": "bf16", "float32": "fp32"}[self.dtype]
        train = self.recipe.train.model_copy(update={"precision": precision, "checkpointing": False})
        made = saving.untrained(
            self.recipe.model_copy(update={"train": train}),
            device=self.devices[0],
            exact=True,
            backbone=self.settings.backbone,
            encoder=self.settings.encoder,
            known=self.kept,
        )
        file = self.folder / WEIGHTS
        with loading.explained_load(str(file), "weights"):
            from safetensors.torch import load_file

            state = load_file(str(file))
        saving.fill(made.model, state, str(file))
        return made

    @cached_property
    def _vectors(self) -> Vectors:
        from akb.adapters.lalm_vectors import Vectors

        return Vectors(self.recipe.connector.queries, KEPT)

    @cached_property
    def _model(self) -> Any:
        """The backbone, whose input layer knows the vectors of audio."""
        llm = self._grounded.model.llm
        self._vectors.put_into(llm.get_input_embeddings())
        return llm

    def close(self) -> None:
        super().close()
        if self.__dict__.pop("_grounded", None) is not None:
            self._vectors.forget()

    # -- asking --

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, (batch, found) in enumerate(ahead(self._once_loaded(batches), self._decoded)):
            yield number, self._respond(batch, found)

    def _once_loaded(self, batches: Iterable[Sequence[Request]]) -> Iterator[Sequence[Request]]:
        for batch in batches:
            _ = self._model, self._vectors  # before the thread that decodes wants its encoder
            yield batch

    def _decoded(self, batch: Sequence[Request]) -> tuple[Sequence[Request], dict[str, Decoded]]:
        """A batch with those of its clips decoded whose vectors are not there; in a thread."""
        clips = [clip for request in batch for clip in clips_of(request) if not self._known(clip)]
        return batch, self._hear(clips)

    def _hear(self, clips: Sequence[Clip]) -> dict[str, Decoded]:
        ear = self._grounded.model.encoder
        return decoded(clips, self.policy, ear) if clips and ear is not None else {}

    def _known(self, clip: Clip) -> bool:
        return key_of(clip) in self._seen and all(key in self._vectors for key in self._heard(clip).chunks)

    def _respond(self, batch: Sequence[Request], found: dict[str, Decoded]) -> list[Response]:
        clips = [clip for request in batch for clip in clips_of(request)]
        found |= self._hear([clip for clip in clips if key_of(clip) not in found and not self._known(clip)])
        errors = {key: one.error for key, one in found.items() if one.error}
        self._take({key: one for key, one in found.items() if not one.error}, batch)
        why = [next((errors[k] for k in map(key_of, clips_of(request)) if k in errors), "") for request in batch]
        fit = [request for request, error in zip(batch, why, strict=True) if not error]
        answers = iter(self.answer(fit) if fit else ())
        self._features = {}
        return [
            Response(finish=Finish.ERROR, error=error) if error else self._with_notes(request, next(answers))
            for request, error in zip(batch, why, strict=True)
        ]

    def _take(self, found: Mapping[str, Decoded], batch: Sequence[Request]) -> None:
        """Make features ready for the encoder; where a header told of another length, prompts are written again."""
        from akb.lalm.prompting import Heard

        wrong = {key: len(one.features) for key, one in found.items() if self._chunks.get(key) != len(one.features)}
        if wrong:
            self._chunks |= wrong
            self._encode(batch)
        for key, one in found.items():
            self._seen[key] = one.notes
            self._features |= zip(Heard(key, (None,) * len(one.features)).chunks, one.features, strict=True)

    def _with_notes(self, request: Request, response: Response) -> Response:
        clips = clips_of(request)
        told = [dict(self._seen[key_of(clip)]) for clip in clips]
        if self.transcripts:
            for clip, notes in zip(clips, told, strict=True):
                notes |= {} if clip.sha256 in self.transcripts else {"transcript": None}
        if not any(told):
            return response
        return replace(response, notes={"audio": told[0] if len(told) == 1 else told, **response.notes})

    def _in_tokens(self, requests: Sequence[Request]) -> tuple[list[Encoded], int]:
        found = super()._in_tokens(requests)
        self._listen([key for request in requests for clip in clips_of(request) for key in self._heard(clip).chunks])
        return found

    def _listen(self, keys: Sequence[str]) -> None:
        """Encode those of these chunks that have no vectors yet, and let the input layer know them all."""
        import torch

        from akb.lalm.prompting import Row, collate

        missing = [key for key in dict.fromkeys(keys) if key not in self._vectors]
        some, queries, model = ENCODED_ON_CPU if self._on_cpu else ENCODED, self._vectors.queries, self._grounded.model
        for start in range(0, len(missing), some):
            part = missing[start : start + some]
            rows = [Row((0,) * queries, (), (0,), (key,)) for key in part]
            with torch.inference_mode():
                heard = model.audio(collate(rows, 0, features=self._features).to(self.devices[0]))
            for key, vectors in zip(part, heard, strict=True):
                self._vectors.put(key, vectors.clone())
        self._vectors.use(keys)

    def _split_on_oom(self, batch: list[Request]) -> list[Response]:
        try:
            return super()._split_on_oom(batch)
        except AkbError as error:
            if len(batch) > 1:  # it was told of one of them
                raise
            fix = f"{self._hear_less}, or use --dtype bfloat16."
            raise AkbError(error.what, where=error.where, fix=fix) from None


def build(card: Card, args: Mapping[str, Any]) -> LALM:
    """The adapter for a card (its `model` is a recipe's name or a folder) and its settings.

    Raises:
        AkbError: an unknown or wrong setting, or there is no such model.
    """
    told = parse(Args, dict(args), f"model {card.name}")
    if "," in told.device:
        raise AkbError("a model that hears runs on one device", where=f"model {card.name}", fix="E.g. device=cuda:0")
    if told.transcripts is not None and not told.transcripts.is_file():
        raise AkbError("there is no such file of transcripts", where=str(told.transcripts))
    return LALM(card, told, folder_of(card.model, settings.load()))
