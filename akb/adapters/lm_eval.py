"""Any model of EleutherAI's lm-evaluation-harness as an adapter.

    akb eval --model lm-eval:hf,pretrained=ORG/NAME,dtype=bfloat16 --protocol akb-v1-loglik ...

What follows `lm-eval:` is lm-eval's own name of a model and its settings, as `lm_eval --model NAME --model_args ...`
takes them; lm-eval loads the model, tokenises and scores. Two things that lm-eval does silently are errors here,
because both change the question: it cuts a prompt that is too long from the left, and it leaves out a system message
that the chat template does not take (here the message then goes in front of the user's).
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from akb.adapters import snapshot
from akb.adapters.cards import Card
from akb.adapters.rendering import dated, plain
from akb.errors import AkbError, missing_extra, unknown
from akb.strict import Strict, parse
from akb.types import Capabilities, Choose, Clip, Finish, Generate, Message, Request, Response, Score

VERSION = "lm-eval/1"


class Args(Strict):
    """Settings of an lm-eval model besides its own, which stand in its name.

    Attributes:
        template: "chat", "plain"; null for chat where the model has a chat template that works.
        batch: requests that are handed to lm-eval together; lm-eval makes its own batches of them.
        device, dtype, batch_size: as in lm-eval's own settings; null for its defaults.
    """

    template: Literal["chat", "plain"] | None = None
    batch: int = Field(default=256, ge=1)
    device: str | None = None
    dtype: str | None = None
    batch_size: int | str | None = None


class LmEval:
    """A model of lm-eval as an adapter."""

    capabilities = Capabilities(choose=True, generate=True)

    def __init__(self, card: Card, args: Args) -> None:
        self.card, self.args = card, args
        self.where = f"model {card.name}"
        name, _, rest = card.model.partition(",")
        self.name = name.strip()
        self.settings = {**_settings(rest, self.where), **_given(args)}
        _check_name(self.name, self.where)

    # -- what it is, without loading it --

    def fingerprint(self) -> Mapping[str, Any]:
        return {
            "adapter": VERSION,
            "model": self.card.model,
            "lm_eval": version("lm_eval"),
            "template": self._wanted or "auto",
            "contents": self._contents,
            **_given(self.args),
        }

    @cached_property
    def _contents(self) -> dict[str, str]:
        """What the settings name, by content: folders and files by their hash, `pretrained` on the hub by its
        commit. A model string alone does not tell whether the weights behind it have changed."""
        told: dict[str, str] = {}
        for key, value in self.settings.items():
            path = Path(value) if isinstance(value, str) and value else None
            if path is not None and path.is_dir():
                part = self.settings.get("subfolder")
                told[key] = snapshot.folder_identity(path, ("*", f"{part}/*") if part else ("*",))
            elif path is not None and path.is_file():
                told[key] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
            elif key == "pretrained" and value:
                told[key] = snapshot.find(str(value), self.settings.get("revision")).revision
        return told

    @property
    def _wanted(self) -> Literal["chat", "plain"] | None:
        return self.args.template or ("plain" if self.card.template == "plain" else None)

    # -- asking --

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        size = self.args.batch
        return [range(start, min(start + size, len(requests))) for start in range(0, len(requests), size)]

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            started = time.perf_counter()
            with _quiet(), _explained(self.where, "cannot answer"):
                responses = self._answer(batch)
            each = (time.perf_counter() - started) / max(len(batch), 1)
            yield number, [replace(response, seconds=each) for response in responses]

    def _answer(self, batch: Sequence[Request]) -> list[Response]:
        chosen = iter(self._choose([r for r in batch if isinstance(r, Choose)]))
        written = iter(self._generate([r for r in batch if isinstance(r, Generate)]))
        return [next(chosen) if isinstance(request, Choose) else next(written) for request in batch]

    def _choose(self, requests: Sequence[Choose]) -> list[Response]:
        contexts = [self.context(request) for request in requests]
        asks = [
            (context, text)
            for request, context in zip(requests, contexts, strict=True)
            for group in request.continuations
            for text in group
        ]
        found = iter(self._call("loglikelihood", asks))
        responses = []
        for request, context in zip(requests, contexts, strict=True):
            head = self._count(context)
            groups = [
                tuple(self._score(next(found), head, context, text) for text in group)
                for group in request.continuations
            ]
            responses.append(Response(scores=tuple(groups), prompt_tokens=head))
        return responses

    def _score(self, found: tuple[float, bool], head: int, context: str, text: str) -> Score:
        whole = self._count(context + text)
        if whole and self._longest and whole > self._longest + 1:
            raise self._too_long(whole, context)
        # the white space before a continuation is scored with it, also where the context brings it
        start = head if context == context.rstrip() else self._count(context.rstrip())
        return Score(min(float(found[0]), 0.0), max(whole - start, 0), len(text.strip()))

    def _generate(self, requests: Sequence[Generate]) -> list[Response]:
        contexts = [self.context(request) for request in requests]
        for request, context in zip(requests, contexts, strict=True):
            needed = self._count(context) + request.decoding.max_tokens
            if self._longest and needed > self._longest:
                raise self._too_long(needed, context)
        asks = [(c, self._decoding(r)) for r, c in zip(requests, contexts, strict=True)]
        if any(request.decoding.temperature > 0 for request in requests):
            _seed(asks, requests)
        texts = self._call("generate_until", asks)
        return [self._reply(r, c, t) for r, c, t in zip(requests, contexts, texts, strict=True)]

    def _decoding(self, request: Generate) -> dict[str, Any]:
        decoding = request.decoding
        if decoding.thinking != "off":
            raise AkbError(
                "lm-eval does not keep a budget for reasoning",
                where=self.where,
                fix="Ask with thinking off, or use the hf adapter: --model hf:ORG/NAME",
            )
        told: dict[str, Any] = {"until": list(decoding.stop), "max_gen_toks": decoding.max_tokens}
        if decoding.temperature > 0:
            return told | {
                "do_sample": True, "temperature": decoding.temperature, "top_p": decoding.top_p,
            }  # fmt: skip
        return told | {"do_sample": False, "temperature": 0.0}

    def _reply(self, request: Generate, context: Any, text: str) -> Response:
        """lm-eval does not say why a reply ended: one that fills its budget counts as cut."""
        used = self._count(text)
        finish = Finish.LENGTH if used >= request.decoding.max_tokens else Finish.STOP
        return Response(text=text, finish=finish, prompt_tokens=self._count(context), completion_tokens=used)

    # -- reading --

    def context(self, request: Request) -> Any:
        """What lm-eval is given to read: text, or for chat servers the conversation in lm-eval's own wrapping."""
        _no_audio(request.messages, self.where)
        start = request.reply_start if isinstance(request, Choose) else ""
        if not self._chat:
            return plain(request.messages, start)
        rendered = self._templated(request.messages)
        if not start:
            return rendered
        if not isinstance(rendered, str):
            raise AkbError(
                "a chat server cannot be given the start of its reply, and this prompt has one",
                where=self.where,
                fix="Use a protocol that lets it reply in words: --protocol akb-v1",
            )
        return rendered + start

    def _templated(self, messages: Sequence[Message]) -> Any:
        turns = [{"role": m.role, "content": m.text} for m in messages]
        try:
            rendered = self._lm.apply_chat_template(turns)
        except Exception:
            if turns[0]["role"] != "system":
                raise
            rendered = ""
        if turns[0]["role"] == "system" and isinstance(rendered, str):
            system, (first, *rest) = turns[0]["content"].strip(), turns[1:]
            if system not in rendered:  # left out: lm-eval does so where the template refuses it
                first = {"role": first["role"], "content": f"{system}\n\n{first['content']}"}
                return self._lm.apply_chat_template([first, *rest])
        return rendered

    @cached_property
    def _chat(self) -> bool:
        if self._wanted == "plain":
            return False
        try:
            self._lm.apply_chat_template([{"role": "user", "content": "a"}])
        except Exception as error:
            if self._wanted == "chat":
                raise AkbError(
                    f"the model has no chat template that works: {_first_line(error)}",
                    where=self.where,
                    fix="Ask it as plain text: --set model.template=plain",
                ) from None
            return False
        return True

    def _count(self, text: Any) -> int:
        """Tokens of a text as lm-eval counts them; 0 where the model does not say."""
        encode = getattr(self._lm, "tok_encode", None)
        if encode is None or not isinstance(text, str) or not text:
            return 0
        ids = encode(text)
        return len(ids) if all(isinstance(token, int) for token in ids) else 0

    @cached_property
    def _longest(self) -> int | None:
        """The most tokens that lm-eval gives the model before it cuts."""
        told = getattr(self._lm, "max_length", None)
        return told if isinstance(told, int) and told > 0 else None

    def _too_long(self, tokens: int, context: str) -> AkbError:
        return AkbError(
            f"a question takes {tokens} tokens with its reply, the model takes {self._longest}",
            where=self.where,
            fix="Ask with fewer shots or a smaller max_tokens, or tell lm-eval that it takes more "
            f"(max_length=N in the model's name); the prompt begins: {str(context)[:80]!r}",
        )

    # -- the model --

    @cached_property
    def _lm(self) -> Any:
        from lm_eval.api.registry import get_model

        with _explained(self.where, "cannot be loaded"):
            kind = get_model(self.name)  # imports what it needs, so that it can be quieted
            with _quiet():
                told = {**_on_cpu(kind, self.settings), **_thinking_off(kind), **self.settings}
                made = kind.create_from_arg_obj(told)
            tokenizer = vars(made).get("tokenizer")  # some look for one only when asked
            if tokenizer is not None and isinstance(getattr(tokenizer, "chat_template", None), str):
                tokenizer.chat_template = dated(tokenizer.chat_template, self.where)
            return made

    def _call(self, method: str, asks: Sequence[tuple[Any, Any]]) -> Sequence[Any]:
        if not asks:
            return []
        from lm_eval.api.instance import Instance

        instances = [Instance(method, {}, ask, number) for number, ask in enumerate(asks)]
        called = getattr(self._lm, method)
        silent = "disable_tqdm" in inspect.signature(called).parameters
        answers: Sequence[Any] = called(instances, **({"disable_tqdm": True} if silent else {}))
        if len(answers) != len(asks):
            raise AkbError(f"lm-eval gave {len(answers)} answers to {len(asks)} requests", where=self.where)
        return answers

    def close(self) -> None:
        """Drop the model and give its memory back."""
        for name in ("_lm", "_chat", "_longest"):
            self.__dict__.pop(name, None)
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def build(card: Card, args: Mapping[str, Any]) -> LmEval:
    """The adapter for a card and its settings.

    Raises:
        AkbError: lm-eval is not installed, does not know the model, or a setting is wrong.
    """
    return LmEval(card, parse(Args, dict(args), f"model {card.name}"))


def _settings(text: str, where: str) -> dict[str, Any]:
    """lm-eval's own settings, read as lm-eval reads them."""
    wrong = [part for part in text.split(",") if part.strip() and "=" not in part]
    if wrong:
        raise AkbError(
            f"{wrong[0]!r} is not a setting of an lm-eval model",
            where=where,
            fix="It is lm-eval:NAME,KEY=VALUE,KEY=VALUE, e.g. lm-eval:hf,pretrained=ORG/NAME,dtype=float32",
        )
    try:
        from lm_eval.utils import simple_parse_args_string
    except ImportError:
        raise missing_extra("lm_eval", "lm-eval", needed_for=where) from None
    return dict(simple_parse_args_string(text))


def _check_name(name: str, where: str) -> None:
    import lm_eval.models  # noqa: F401  it registers the names; no model's code is imported yet
    from lm_eval.api.registry import model_registry

    known = sorted(model_registry.keys())
    if name not in known:
        raise unknown("lm-eval model", name, known, see=f"lm-eval {version('lm_eval')} has: {', '.join(known)}.")


def _given(args: Args) -> dict[str, Any]:
    """The settings of lm-eval's that were given apart from the model's name."""
    return args.model_dump(include={"device", "dtype", "batch_size"}, exclude_none=True)


def _on_cpu(kind: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """lm-eval's transformers model takes CUDA for granted; without it the CPU is meant."""
    device = inspect.signature(kind).parameters.get("device")
    if "device" in settings or device is None or device.default != "cuda":
        return {}
    import torch

    return {} if torch.cuda.is_available() else {"device": "cpu"}


def _thinking_off(kind: Any) -> dict[str, Any]:
    """Thinking is off where it can be, as under every protocol that does not ask for it."""
    return {"enable_thinking": False} if "enable_thinking" in inspect.signature(kind).parameters else {}


def _no_audio(messages: Sequence[Message], where: str) -> None:
    if any(isinstance(part, Clip) for message in messages for part in message.parts):
        raise AkbError("an lm-eval model cannot be given audio", where=where, fix="Ask without it: --listen none")


def _seed(asks: Sequence[tuple[Any, Any]], requests: Sequence[Generate]) -> None:
    """Sampling depends on the batch's own content and seeds, not on what was asked before."""
    torch = sys.modules.get("torch")
    if torch is not None:
        told = repr([(ask, request.decoding) for ask, request in zip(asks, requests, strict=True)])
        torch.manual_seed(int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big") >> 1)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


@contextlib.contextmanager
def _explained(where: str, what: str) -> Iterator[None]:
    """Whatever lm-eval's model raises, as an error that names the model; the cause stays attached."""
    try:
        yield
    except AkbError:
        raise
    except NotImplementedError as error:
        raise AkbError(
            f"this lm-eval model does not do what the protocol asks for: {_first_line(error)}",
            where=where,
            fix="akb-v1 asks for replies in words, akb-v1-loglik for log-probabilities.",
        ) from error
    except ImportError as error:
        raise AkbError(f"it {what}: {error}", where=where, fix="Install what lm-eval asks for.") from error
    except Exception as error:
        raise AkbError(f"it {what}: {_first_line(error)}", where=where) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the notes and bars of lm-eval and transformers off the terminal."""
    levels = {name: logging.getLogger(name).level for name in ("lm_eval", "transformers", "accelerate")}
    bars: Any = getattr(sys.modules.get("transformers"), "utils", None)
    showed = bars is not None and bars.logging.is_progress_bar_enabled()
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    if showed:
        bars.logging.disable_progress_bar()
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if showed:
            bars.logging.enable_progress_bar()
