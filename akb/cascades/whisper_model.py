"""Whisper's own way from features to tokens: what language it is, whether anybody speaks, and what is said.

A clip of one window (30 s) goes through the encoder once: the first step of the decoder tells language and silence and
is where decoding begins. Longer clips are transcribed by transformers' sequential long-form generation, which would
encode each window up to three times (language, silence, text); here it is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from akb.errors import AkbError


@dataclass(frozen=True)
class Silence:
    """When a window counts as without speech (Radford et al. 2022, arXiv 2212.04356, section 4.5).

    Attributes:
        above: the probability of the no-speech token that must be exceeded; the paper's is 0.6.
        below: the mean log-probability of the tokens that must not be reached; the paper's is -1.
    """

    above: float = 0.6
    below: float = -1.0


@dataclass(frozen=True)
class Manner:
    """How clips are transcribed.

    Attributes:
        most: tokens of a window, at most.
        language: a code ("de") or name ("german"); None: as heard in the first window.
        translate: into English, in place of the words as they are spoken.
        silence: None: every window has words.
        temperatures: tried in turn while a text repeats itself or is unlikely; a single 0 is greedy, and the same
            always. With several, `repeats` is the compression ratio from which a text counts as a loop.
        after: a window is decoded after the text of the one before.
    """

    most: int
    language: str | None = None
    translate: bool = False
    silence: Silence | None = Silence()
    temperatures: tuple[float, ...] = (0.0,)
    repeats: float = 2.4
    after: bool = False

    @property
    def greedy(self) -> bool:
        return self.temperatures == (0.0,)


@dataclass(frozen=True)
class Transcript:
    """What a clip says.

    Attributes:
        tokens: of the text; timestamps among them where there are several windows.
        language: the code; empty for models that know one.
        no_speech: the largest probability of silence of a window that was left out for it; None: none was.
        likelihood: mean log-probability of the tokens; None where it is not computed.
        ended: the text came to its end within `most` tokens, in every window.
        windows, silent: how many were heard, and how many of them were without speech.
    """

    tokens: tuple[int, ...]
    language: str
    no_speech: float | None = None
    likelihood: float | None = None
    ended: bool = True
    windows: int = 1
    silent: int = 0


class Window(NamedTuple):
    """A window of a long clip.

    Attributes:
        no_speech: the probability of silence; left_out: for it.
        cut: its text had not ended when its budget of tokens did.
    """

    no_speech: float
    left_out: bool
    cut: bool


@dataclass
class Speech:
    """A Whisper model of transformers, asked by windows.

    Attributes:
        model: WhisperForConditionalGeneration, in eval mode.
        where: names it in errors.
    """

    model: Any
    where: str
    languages: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        config = self.model.generation_config
        if not hasattr(config, "no_timestamps_token_id"):
            raise AkbError("generation_config.json does not name Whisper's tokens (no_timestamps_token_id ...)",
                           where=self.where, fix="Take the file from the model's repository.")  # fmt: skip
        many = getattr(config, "is_multilingual", True) and getattr(config, "lang_to_id", None)
        self.languages = dict(config.lang_to_id) if many else {}

    @property
    def frames(self) -> int:
        """Frames of features of a window."""
        encoder = self.model.get_encoder()
        return int(self.model.config.max_source_positions * encoder.conv1.stride[0] * encoder.conv2.stride[0])

    def room(self, after: bool = False) -> int:
        """The most tokens of a window's text, beside the 4 with which it begins; `after` the text of the window before,
        which may take half of all."""
        most = int(self.model.config.max_target_positions)
        return most - 4 - (most // 2 if after else 0)

    def mark(self, language: str) -> str:
        """The token of a language, given by code or name.

        Raises:
            AkbError: the model does not know it.
        """
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        wanted = language.lower()
        found = f"<|{TO_LANGUAGE_CODE.get(wanted, wanted)}|>"
        if found in self.languages:
            return found
        known = ", ".join(sorted(mark.strip("<|>") for mark in self.languages)) or "English alone"
        raise AkbError(f"the model does not know the language {language!r}", where=self.where, fix=f"It knows {known}.")

    # -- one window --

    def short(self, features: Any, manner: Manner) -> list[Transcript]:
        """Transcribe clips of one window each, greedily.

        Args:
            features: (clips, mel bands, frames of a window).
        """
        import torch
        from transformers import GenerationConfig, GenerationMixin

        config, rows = self.model.generation_config, len(features)
        encoded = self._encoded(features)
        marks, silence, cache = self._first(encoded, rows, manner)
        first = torch.tensor([self._init(mark, manner) for mark in marks], device=features.device)
        how = GenerationConfig(
            eos_token_id=config.eos_token_id,
            pad_token_id=config.pad_token_id,
            suppress_tokens=config.suppress_tokens,
            begin_suppress_tokens=config.begin_suppress_tokens,
            min_new_tokens=config.min_new_tokens,
            max_new_tokens=min(manner.most, self.room()),
            do_sample=False,
        )
        watch = _watch(first.shape[1], _ends(config))
        found = GenerationMixin.generate(
            self.model,
            encoder_outputs=encoded,
            past_key_values=cache,
            decoder_input_ids=first,
            decoder_attention_mask=torch.ones_like(first),
            generation_config=how,
            logits_processor=[watch],
        )
        new = found[:, first.shape[1] :].tolist()
        each = zip(new, marks, silence, watch.means(), strict=True)
        return [self._transcript(ids, mark, p, mean, manner) for ids, mark, p, mean in each]

    def _encoded(self, features: Any) -> Any:
        """What the encoder makes of windows. A CPU takes one at a time: its caches do not hold more of them."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        encoder = self.model.get_encoder()
        if features.device.type != "cpu":
            return encoder(features)
        return BaseModelOutput(torch.cat([encoder(window)[0] for window in features.split(1)]))

    def _first(self, encoded: Any, rows: int, manner: Manner) -> tuple[list[str], list[float], Any]:
        """The decoder's first step: each clip's language and probability of silence, and what is kept of the step."""
        import torch
        from transformers import DynamicCache, EncoderDecoderCache

        config = self.model.generation_config
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        start = torch.full((rows, 1), config.decoder_start_token_id, device=encoded[0].device)
        told = self.model(encoder_outputs=encoded, decoder_input_ids=start, past_key_values=cache, use_cache=True)
        logits = told.logits[:, -1].float()
        silence = logits.softmax(-1)[:, config.no_timestamps_token_id - 1].tolist()
        if manner.language is not None:
            marks = [self.mark(manner.language)] * rows
        elif self.languages:
            known = list(self.languages)
            chosen = logits[:, list(self.languages.values())].argmax(-1).tolist()
            marks = [known[place] for place in chosen]
        else:
            marks = [""] * rows
        return marks, silence, cache

    def _init(self, mark: str, manner: Manner) -> list[int]:
        """The tokens with which a text begins."""
        config = self.model.generation_config
        task = [self.languages[mark], config.task_to_id[_task(manner)]] if mark else []
        return [config.decoder_start_token_id, *task, config.no_timestamps_token_id]

    def _transcript(self, ids: list[int], mark: str, p: float, mean: float, manner: Manner) -> Transcript:
        ends = _ends(self.model.generation_config)
        end = next((place for place, token in enumerate(ids) if token in ends), None)
        language, rule = mark.strip("<|>"), manner.silence
        if rule is not None and p > rule.above and mean < rule.below:
            return Transcript((), language, p, mean, silent=1)
        return Transcript(tuple(ids[:end]), language, None, mean, ended=end is not None)

    # -- several windows --

    def long(self, features: Any, mask: Any, manner: Manner) -> list[Transcript]:
        """Transcribe clips of any length, by transformers' long-form generation.

        Args:
            features: (clips, mel bands, frames), padded to the longest, one window at the least.
            mask: (clips, frames); 1 where a clip is.
        """
        import torch

        config, rule, rows = self.model.generation_config, manner.silence, len(features)
        fallback = len(manner.temperatures) > 1
        log: list[list[Window]] = [[] for _ in range(rows)]
        most = min(manner.most, self.room(manner.after))
        with _remembered(self.model.get_encoder()), _logged(self.model, most, log):
            encoded = self.model.get_encoder()(features[:, :, : self.frames])
            marks = self._first(encoded, rows, manner)[0]
            told = {"language": marks, "task": _task(manner)} if self.languages else {}
            found = self.model.generate(
                features,
                attention_mask=mask,
                return_timestamps=features.shape[-1] > self.frames,
                return_segments=True,
                condition_on_prev_tokens=manner.after,
                temperature=manner.temperatures if fallback else manner.temperatures[0],
                compression_ratio_threshold=manner.repeats if fallback else None,
                logprob_threshold=rule.below if rule is not None else -1.0 if fallback else None,
                no_speech_threshold=None if rule is None else rule.above,
                max_new_tokens=most,
                num_beams=1,
                **told,
            )
        transcripts = []
        for mark, segments, windows in zip(marks, found["segments"], log, strict=True):
            tokens = torch.cat([torch.zeros(0, dtype=torch.long), *(s["tokens"].cpu() for s in segments)])
            ends = _ends(config)
            ids = tuple(token for token in tokens.tolist() if token not in ends)
            silent = [window.no_speech for window in windows if window.left_out]
            ended = not any(window.cut and not window.left_out for window in windows)
            quiet = max(silent, default=None)
            transcripts.append(
                Transcript(ids, mark.strip("<|>"), quiet, ended=ended, windows=len(windows), silent=len(silent))
            )
        return transcripts


def _task(manner: Manner) -> str:
    return "translate" if manner.translate else "transcribe"


def _ends(config: Any) -> frozenset[int]:
    told = config.eos_token_id
    return frozenset(told if isinstance(told, list) else [told])


def _watch(begin: int, ends: Sequence[int] | frozenset[int]) -> Any:
    """A logits processor that changes nothing and adds up what greedy tokens are worth, the end's included."""
    import torch
    from transformers import LogitsProcessor

    class Watch(LogitsProcessor):  # type: ignore[misc]
        def __init__(self) -> None:
            self.open: Any = None
            self.total: Any = 0.0
            self.count: Any = 0

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if self.open is None or input_ids.shape[1] == begin:
                self.open = torch.ones(len(scores), dtype=torch.bool, device=scores.device)
            else:
                for end in ends:
                    self.open = self.open & (input_ids[:, -1] != end)
            best = scores.float().max(-1).values - scores.float().logsumexp(-1)
            self.total = self.total + torch.where(self.open, best, 0.0)
            self.count = self.count + self.open.long()
            return scores

        def means(self) -> list[float]:
            found: list[float] = (self.total / self.count).tolist()
            return found

    return Watch()


@contextmanager
def _remembered(encoder: Any) -> Iterator[None]:
    """Within it the encoder gives for the features that it was given last what it gave for them."""
    import torch

    known: list[tuple[Any, Any]] = []
    own = encoder.__dict__.get("forward")  # where somebody has put in another than its class's
    forward: Callable[..., Any] = encoder.forward

    def remembered(input_features: Any, *args: Any, **told: Any) -> Any:
        if known and known[0][0].shape == input_features.shape and torch.equal(known[0][0], input_features):
            return known[0][1]
        known[:] = [(input_features, forward(input_features, *args, **told))]
        return known[0][1]

    encoder.forward = remembered
    try:
        yield
    finally:
        del encoder.forward
        if own is not None:
            encoder.forward = own


@contextmanager
def _logged(model: Any, most: int, log: list[list[Window]]) -> Iterator[None]:
    """Within it each window of long-form generation, of at most so many tokens, is noted for its clip.
    The logits of all its tokens, which transformers would keep until the clip's end, are let go."""
    from transformers.generation.logits_process import WhisperNoSpeechDetection

    decode: Callable[..., Any] = model.generate_with_fallback

    def logged(*args: Any, **told: Any) -> Any:
        sequences, outputs, skip, *rest = decode(*args, **told)
        detectors = (one for one in told["logits_processor"] or () if isinstance(one, WhisperNoSpeechDetection))
        detector = next(detectors, None)
        found = [0.0] * len(skip) if detector is None else [float(p) for p in detector.no_speech_prob]
        if len(found) != len(skip):  # only some were tried again, at another temperature
            found = [1.0 if left_out else 0.0 for left_out in skip]
        for place, p, left_out, tokens in zip(told["batch_idx_map"], found, skip, sequences, strict=True):
            log[place].append(Window(p, bool(left_out), len(tokens) >= most))  # the end's token is taken off
        return sequences, [None] * len(outputs), skip, *rest

    model.generate_with_fallback = logged
    try:
        yield
    finally:
        del model.generate_with_fallback
