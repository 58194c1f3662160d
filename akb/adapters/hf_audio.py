"""Any audio-text model of transformers (`AutoModelForMultimodalLM`), asked through its processor's chat template.

    akb caption --task mmau --with qwen3-omni-captioner        akb eval --model hf-audio:ORG/NAME --task mmau

Text and clips go to the model in the order in which the message has them. What one of these models makes of audio is
its processor's to say: its sampling rate, windows and placeholders are not known here. What it leaves out of a clip is
found out, and told in the reply's notes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from akb.adapters import hf_audio_loading as loading
from akb.adapters.cards import Card
from akb.adapters.generation import Replies, room, seed
from akb.adapters.hf_audio_hearing import Hearing, Listener, Ready, clips_of, contents
from akb.adapters.hf_audio_inputs import Asked, Inputs
from akb.adapters.hf_audio_window import Window
from akb.adapters.rendering import Encoded, Renderer
from akb.adapters.scoring import response as scored
from akb.errors import AkbError
from akb.strict import parse
from akb.types import Capabilities, Choose, Finish, Generate, Request, Response

if TYPE_CHECKING:
    from akb.audio import Policy, Sound

VERSION = "hf-audio/2"
TEXT_SECONDS = 1.0  # what the text of a request counts for in a batch


class Args(Hearing):
    """Settings of an audio-text model, besides those of every model that hears.

    Attributes:
        device_map: spreads one model over several devices (accelerate), e.g. "auto"; instead of `device`.
        trust_remote_code: run code that comes with the model.
        rate: Hz at which clips are given to the processor; null: as its feature extractor says.
    """

    device_map: str | None = None
    trust_remote_code: bool = False
    rate: int | None = None


class HFAudio(Listener):
    """An audio-text model as an adapter."""

    SECONDS, SECONDS_ON_CPU = 480.0, 60.0
    capabilities = Capabilities(choose=True, generate=True, audio=True)

    def __init__(self, card: Card, args: Args) -> None:
        super().__init__(card, args, args.trust_remote_code)
        self.settings = args
        self._checked = False  # that the processor writes by the chat template

    # -- what it is --

    @cached_property
    def policy(self) -> Policy:
        from akb.audio import Policy

        told = self.settings.rate or loading.sampling_rate(self.snapshot)  # known without loading anything
        rate = told or int(loading.extractor(self.processor).sampling_rate)
        return Policy(rate=rate, longest=self.args.longest, beyond=self.args.beyond)

    @cached_property
    def processor(self) -> Any:
        made = loading.processor(self.snapshot, "AutoProcessor", self.where, self.settings.trust_remote_code)
        made.tokenizer.padding_side = "left"
        if made.tokenizer.pad_token is None:
            made.tokenizer.pad_token = made.tokenizer.eos_token
        return made

    @cached_property
    def inputs(self) -> Inputs:
        return Inputs(self.processor, self.card.reasoning, self.where)

    @cached_property
    def window(self) -> Window:
        return Window(self.inputs, self.policy.rate)

    def fingerprint(self) -> Mapping[str, Any]:
        told = {**super().fingerprint(), "adapter": VERSION}
        for name in ("device_map", "trust_remote_code", "attention"):
            if getattr(self.settings, name):
                told[name] = getattr(self.settings, name)
        return told

    @cached_property
    def model(self) -> Any:
        args = self.settings
        made = loading.model(
            self.snapshot,
            loading.hearing_class(self.snapshot),
            dtype=self.base.dtype,
            device=self.device,
            where=self.where,
            attention=args.attention,
            threads=args.threads,
            device_map=args.device_map,
            code=args.trust_remote_code,
            exact=True,
            role=self.card.role,
        )
        from transformers import GenerationConfig

        ends = getattr(made.generation_config, "eos_token_id", None)
        # transformers fills whatever a request leaves open from here: the model's own penalties and temperatures
        made.generation_config = GenerationConfig(eos_token_id=ends)
        return made

    @cached_property
    def replies(self) -> Replies:
        from akb.adapters.loading import end_ids

        own = copy.deepcopy(self.processor.tokenizer)  # the other one is at work in the thread that makes inputs
        renderer = Renderer(own, "plain", self.card.reasoning, self.where)
        return Replies(renderer, end_ids(self.model, self.processor.tokenizer))

    # -- batches --

    def need(self, request: Request, seconds: float) -> tuple[object, float]:
        if isinstance(request, Choose):
            return "choose", seconds + TEXT_SECONDS
        return (request.decoding, bool(clips_of(request))), seconds + TEXT_SECONDS

    def get_ready(self, batch: Sequence[Ready]) -> list[Ready]:
        """What the model is given: for greedy replies of all requests together, else of each by itself."""
        _ = self.inputs.template  # a model that cannot be asked at all is no single request's error
        self._checked = self._checked or self.inputs.check(self._asked(batch[0]))
        told = [self._within_window(ready) for ready in batch]
        fit = [ready for ready in told if not ready.error]
        parts = [fit] if fit and _together(batch[0].request) else [[ready] for ready in fit]
        made = iter([ready for part in parts for ready in self._prepared(part)])
        return [ready if ready.error else next(made) for ready in told]

    def _within_window(self, ready: Ready) -> Ready:
        """A request whose clips' notes tell what the processor leaves out of them; refused where that is asked for."""
        try:
            unheard = self.window.unheard(self._asked(ready))
        except AkbError as error:
            return replace(ready, error=str(error))
        if not any(unheard):
            return ready
        if self.args.beyond == "refuse":
            said = f"the model's processor leaves out the last {max(unheard):.2f} s of the clip"
            refused = AkbError(said, where=self.where, fix="Cut the clip, or leave beyond=refuse out.")
            return replace(ready, error=str(refused), unhearable="too_long")
        pairs = zip(ready.sounds, unheard, strict=True)
        return replace(ready, sounds=tuple(_cut(sound, seconds) for sound, seconds in pairs))

    def _prepared(self, part: Sequence[Ready]) -> list[Ready]:
        try:
            told = self.inputs.of([self._asked(ready) for ready in part])
        except AkbError as error:
            if len(part) == 1:
                return [replace(part[0], error=str(error))]
            return [ready for one in part for ready in self._prepared([one])]
        return [replace(ready, features=(told, len(part))) for ready in part]

    def _asked(self, ready: Ready) -> Asked:
        return Asked(ready.request, tuple(sound.samples for sound in ready.sounds))

    def respond(self, batch: Sequence[Ready]) -> list[Response]:
        if isinstance(batch[0].request, Choose):
            return [self._choose(ready) for ready in batch]
        parts = [batch] if _together(batch[0].request) else [[ready] for ready in batch]
        return [response for part in parts for response in self._generate(part)]

    def _generate(self, batch: Sequence[Ready]) -> Iterator[Response]:
        import torch
        from transformers import StoppingCriteriaList

        requests = [ready.request for ready in batch if isinstance(ready.request, Generate)]
        told, many = batch[0].features
        if many != len(batch):  # another of them could not be taken, or memory could not hold all
            told = self.inputs.of([self._asked(ready) for ready in batch])
        decoding = requests[0].decoding
        prompts = self._prompts(told)
        start = told["input_ids"].shape[1]
        how: dict[str, Any] = {"do_sample": False}
        if decoding.temperature > 0:
            how = {"do_sample": True, "temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
        over = _over([self.replies.watch(request.decoding) for request in requests], start)
        device = self.model.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed(requests[0], [*prompts[0], *contents(requests[0])]))
            found = self.model.generate(
                **self.inputs.on(told, self.model),
                max_new_tokens=room(decoding, self.replies.renderer),
                pad_token_id=self.processor.tokenizer.pad_token_id,
                stopping_criteria=StoppingCriteriaList([over]),
                **how,
            )
        for row, (request, prompt) in enumerate(zip(requests, prompts, strict=True)):
            new = found[row, start:].tolist()[: over.lengths[row]]
            yield self.replies.response(request, prompt, new)

    @staticmethod
    def _prompts(told: Mapping[str, Any]) -> list[list[int]]:
        mask = told["attention_mask"].bool()
        return [ids[kept].tolist() for ids, kept in zip(told["input_ids"], mask, strict=True)]

    def _choose(self, ready: Ready) -> Response:
        """Log-probabilities of continuations after the prompt with its audio.

        Prompt and continuation are tokenised as one text. A forward for each different text that comes before a scored
        token: a single one where every continuation is one token.
        """
        request = ready.request
        assert isinstance(request, Choose)
        asked = self._asked(ready)
        texts = [text for group in request.continuations for text in group]
        try:
            whole = {text: self.inputs.of([asked], text) for text in dict.fromkeys(texts)}
        except AkbError as error:
            return Response(finish=Finish.ERROR, error=str(error))
        prompt = self._prompts(ready.features[0])[0]
        ids = {text: self._prompts(told)[0] for text, told in whole.items()}
        split = min(_common(prompt, found) for found in ids.values())
        if any(len(found) <= split for found in ids.values()):
            return Response(finish=Finish.ERROR, error="a continuation has no tokens of its own")
        logs: dict[tuple[int, ...], Any] = {}
        sums = {}
        for text, found in ids.items():
            before = tuple(found[:-1])
            if before not in logs:
                logs[before] = self._logs(self.inputs.cut(whole[text], len(before)), split)
            chosen = (float(logs[before][place, token]) for place, token in enumerate(found[split:]))
            sums[text] = sum(chosen)
        encoded = Encoded(
            tuple(prompt[:split]), tuple(tuple(tuple(ids[t][split:]) for t in g) for g in request.continuations)
        )
        values = {(a, b): sums[text] for a, g in enumerate(request.continuations) for b, text in enumerate(g)}
        return scored(request, encoded, values)

    def _logs(self, told: Mapping[str, Any], split: int) -> Any:
        """Log-probabilities of all tokens after each from the last of the prompt on, in fp32."""
        logits = self.model(**self.inputs.on(told, self.model), use_cache=False).logits[0, split - 1 :]
        return logits.float().log_softmax(-1)


def _cut(sound: Sound, unheard: float) -> Sound:
    """A sound, of which so many seconds at the end are not heard, beside those that were cut before."""
    if not unheard:
        return sound
    before = sound.notes.get("cut_seconds", 0.0)
    return replace(sound, notes={**sound.notes, "cut_seconds": None if before is None else before + unheard})


def _together(request: Request) -> bool:
    """Whether replies are generated side by side: what is drawn is to depend on nothing that was asked beside it."""
    return isinstance(request, Generate) and request.decoding.temperature == 0


def _over(watches: Sequence[Any], start: int) -> Any:
    """Ends each reply when its watch says so, and notes how many tokens it then had."""
    import torch
    from transformers import StoppingCriteria

    class Over(StoppingCriteria):  # type: ignore[misc]
        def __init__(self) -> None:
            self.lengths: list[int | None] = [None] * len(watches)

        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
            for row, watch in enumerate(watches):
                if self.lengths[row] is None and watch.over(new := input_ids[row, start:].tolist()):
                    self.lengths[row] = len(new)
            return torch.tensor([length is not None for length in self.lengths], device=input_ids.device)

    return Over()


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def build(card: Card, args: Mapping[str, Any]) -> HFAudio:
    """The adapter for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting.
    """
    return HFAudio(card, parse(Args, dict(args), f"{card.role} {card.name}"))
