"""Transcripts by Whisper (Radford et al. 2022, arXiv 2212.04356), through transformers.

    akb caption --task mmar --with whisper-large-v3

A transcript says what was spoken, in which language, and of sounds without speech that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from akb.adapters import hf_audio_loading as loading
from akb.adapters.cards import Card
from akb.adapters.generation import seed
from akb.adapters.hf_audio_hearing import Hearing, Listener, Ready, contents
from akb.cascades.whisper_model import Manner, Silence, Speech, Transcript
from akb.strict import parse
from akb.types import Capabilities, Decoding, Finish, Generate, Request, Response

if TYPE_CHECKING:
    from akb.audio import Policy

VERSION = "whisper/1"
WINDOW = 30.0  # seconds


class Args(Hearing):
    """Settings of Whisper, besides those of every model that hears.

    Attributes:
        language: spoken language by code or name ("de", "german"); null: as heard, clip by clip.
        task: the words as they are spoken, or their translation into English.
        no_speech: the probability of no speech from which, with a mean log-probability of the text below `logprob`, a
            window is taken to be without words (section 4.5 of the paper); null: every window has words.
        temperatures: one, or several to be tried in turn while the text repeats itself (its compression ratio is above
            `compression_ratio`) or is unlikely (`logprob`). The default is greedy, and the same always.
        condition_on_previous: a window of a long clip is decoded after the text of the one before.
    """

    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    no_speech: float | None = Field(default=0.6, ge=0, le=1)
    logprob: float = Field(default=-1.0, le=0)
    temperatures: tuple[float, ...] = Field(default=(0.0,), min_length=1)
    compression_ratio: float = Field(default=2.4, gt=0)
    condition_on_previous: bool = False


class Whisper(Listener):
    """A Whisper model as an adapter. It is sent a clip; words beside it are not read. `max_tokens` is for each window
    of 30 s. What is heard in the reply's notes: `language`; `no_speech`, the probability, where that made a window
    empty; `windows` and `silent_windows` of a long clip; `audio`, what was done to the clip."""

    capabilities = Capabilities(generate=True, audio=True)

    def __init__(self, card: Card, args: Args) -> None:
        super().__init__(card, args)
        self.settings = args

    @cached_property
    def policy(self) -> Policy:
        from akb.audio import Policy

        return Policy(longest=self.args.longest, beyond=self.args.beyond)

    def fingerprint(self) -> Mapping[str, Any]:
        told = dict(super().fingerprint())
        for name in ("template", "template_sha256", "reasoning"):  # it reads no prompt
            del told[name]
        names = ("language", "task", "no_speech", "logprob", "condition_on_previous", "temperatures")
        own = self.settings.model_dump(mode="json", include=set(names))
        if len(self.settings.temperatures) > 1:
            own["compression_ratio"] = self.settings.compression_ratio
        return {**told, "adapter": VERSION, **own}

    # -- what it is given --

    def need(self, request: Request, seconds: float) -> tuple[object, float]:
        windows = max(-(-seconds // WINDOW), 1)
        decoding = request.decoding if isinstance(request, Generate) else None
        return (decoding, windows > 1), windows * WINDOW

    @cached_property
    def processor(self) -> Any:
        return loading.processor(self.snapshot, "WhisperProcessor", self.where)

    def get_ready(self, batch: Sequence[Ready]) -> list[Ready]:
        return [self._with_features(ready) for ready in batch]

    def _with_features(self, ready: Ready) -> Ready:
        if len(ready.sounds) != 1:
            return replace(ready, error=f"Whisper transcribes one clip at a time; here are {len(ready.sounds)}")
        samples = ready.sounds[0].samples
        extractor = self.processor.feature_extractor
        long = len(samples) > extractor.n_samples
        told = extractor(
            samples,
            sampling_rate=extractor.sampling_rate,
            truncation=not long,
            padding="longest" if long else "max_length",
            return_tensors="pt",
        )
        return replace(ready, features=told["input_features"][0])

    @cached_property
    def model(self) -> Speech:
        args = self.args
        made = loading.model(
            self.snapshot,
            "WhisperForConditionalGeneration",
            dtype=self.base.dtype,
            device=self.device,
            where=self.where,
            attention=args.attention,
            threads=args.threads,
            role=self.card.role,
        )
        speech = Speech(made, self.where)
        if self.settings.language is not None:
            speech.mark(self.settings.language)
        return speech

    # -- asking --

    def respond(self, batch: Sequence[Ready]) -> list[Response]:
        found: dict[int, Transcript] = {}
        request = batch[0].request
        decoding = request.decoding if isinstance(request, Generate) else Decoding()
        manner = self._manner(decoding)
        short = [n for n, ready in enumerate(batch) if ready.features.shape[-1] <= self.model.frames and manner.greedy]
        rest = [number for number in range(len(batch)) if number not in short]
        if short:
            found |= zip(short, self._short([batch[n].features for n in short], manner), strict=True)
        for part in [rest] if manner.greedy else [[number] for number in rest]:  # what is drawn depends on none beside
            if part:
                found |= zip(part, self._long([batch[n] for n in part], manner), strict=True)
        return [self._response(found[number]) for number in range(len(batch))]

    def _manner(self, decoding: Decoding) -> Manner:
        own = self.settings
        return Manner(
            most=decoding.max_tokens,
            language=own.language,
            translate=own.task == "translate",
            silence=None if own.no_speech is None else Silence(own.no_speech, own.logprob),
            temperatures=own.temperatures if decoding.temperature == 0 else (decoding.temperature,),
            repeats=own.compression_ratio,
            after=own.condition_on_previous,
        )

    def _inputs(self, features: Any) -> Any:
        return features.to(self.model.model.device, self.model.model.dtype)

    def _short(self, features: Sequence[Any], manner: Manner) -> list[Transcript]:
        import torch

        return self.model.short(self._inputs(torch.stack(list(features))), manner)

    def _long(self, batch: Sequence[Ready], manner: Manner) -> list[Transcript]:
        import torch

        lengths = [ready.features.shape[-1] for ready in batch]
        features = torch.zeros(len(batch), batch[0].features.shape[0], max(lengths))
        mask = torch.zeros(len(batch), max(lengths), dtype=torch.long)
        for row, (ready, frames) in enumerate(zip(batch, lengths, strict=True)):
            features[row, :, :frames] = ready.features
            mask[row, :frames] = 1
        if manner.greedy:
            return self.model.long(self._inputs(features), self._inputs(mask).long(), manner)
        drawn, device = batch[0].request, self.model.model.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed(drawn, contents(drawn)) if isinstance(drawn, Generate) else 0)
            return self.model.long(self._inputs(features), self._inputs(mask).long(), manner)

    def _response(self, found: Transcript) -> Response:
        text = self.processor.tokenizer.decode(found.tokens, skip_special_tokens=True).strip()
        notes: dict[str, Any] = {"language": found.language} if found.language else {}
        if found.no_speech is not None:
            notes["no_speech"] = round(found.no_speech, 6)
        if found.windows > 1:
            notes |= {"windows": found.windows, "silent_windows": found.silent}
        return Response(
            text=text,
            finish=Finish.STOP if found.ended else Finish.LENGTH,
            completion_tokens=len(found.tokens),
            notes=notes,
        )


def build(card: Card, args: Mapping[str, Any]) -> Whisper:
    """The captioner for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting.
    """
    return Whisper(card, parse(Args, dict(args), f"{card.role} {card.name}"))
