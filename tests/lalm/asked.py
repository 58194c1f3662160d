"""Grounded models to be asked: folders with untrained ones, clips, and what a model says by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import yaml
from lalm_models import backbone, recipe, whisper

from akb.adapters import lalm
from akb.adapters.cards import Card
from akb.audio import clip_of, read
from akb.lalm import saving
from akb.types import Choose, Clip, Message

RATE, WINDOW = 16_000, 2  # Hz; seconds that the tiny encoder hears
STYLES = {"qwen2": "qwen", "llama": "llama", "gemma2": "qwen", "mamba": "olmo"}
PLACEHOLDERS = {"qwen": "<|video_pad|>", "llama": "<|reserved_special_token_87|>", "olmo": "<|extra_id_0|>"}
OPTIONS = (" A", " B", " a low hum", " a low hum that rises")


def grounded(folder: Path, kind: str = "qwen2", **changes: Any) -> Path:
    """The folder of a grounded model, as one is after training; its connector has the weights of the start."""
    backbone(folder / "llm", kind, STYLES[kind])
    whisper(folder / "ear")
    saving.untrained(recipe(folder, **changes)).save(folder / "lalms" / "tiny" / "model")
    return folder / "lalms" / "tiny" / "model"


def adapter(folder: Path, **args: Any) -> lalm.LALM:
    return lalm.build(Card(name="tiny", adapter="lalm", model=str(folder)), {"device": "cpu", **args})


def samples(seconds: float, number: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A sound of its own."""
    random = np.random.default_rng(number)
    time = np.arange(int(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * f * time) for f in random.uniform(100, 3000, 3))
    return np.asarray(0.2 * tones + 0.05 * random.normal(size=time.size), np.float32)


def clip(folder: Path, number: int = 0, seconds: float = 1.0) -> Clip:
    """The same in a file (float, so that nothing is lost)."""
    path = folder / f"{number}-{seconds}.wav"
    soundfile.write(path, samples(seconds, number), RATE, subtype="FLOAT")
    return clip_of(path)


def user(*parts: str | Clip) -> tuple[Message, ...]:
    return (Message("user", parts),)


def choose(*parts: str | Clip, options: tuple[str, ...] = OPTIONS) -> Choose:
    return Choose(user(*parts), tuple((text,) for text in options), "Answer:")


class ByHand:
    """A grounded model without any of the adapter: text is written out, embeddings are put together one by one."""

    def __init__(self, folder: Path, kind: str = "qwen2") -> None:
        self.made = saving.load(folder)
        self.model, self.tokenizer = self.made.model, self.made.prompting.tokenizer
        self.mark = PLACEHOLDERS[STYLES[kind]]
        self.mark_id = self.tokenizer.convert_tokens_to_ids(self.mark)

    def prompt(self, *parts: str | None) -> str:
        """A conversation of one turn as the template has it; None is a clip's block."""
        said = "".join(f"<start_audio>{self.mark}<end_audio>" if part is None else part for part in parts)
        told = [{"role": "user", "content": said}]
        return str(self.tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True))

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def vectors(self, sound: Any) -> torch.Tensor:
        assert self.model.encoder is not None
        with torch.no_grad():
            taps = self.model.encoder(self.model.encoder.features([sound]))
            found: torch.Tensor = self.model.connector(taps)[0]
        return found

    def embeds(self, text: str, blocks: Sequence[tuple[Any, str]]) -> torch.Tensor:
        """Embeddings of a text; a block is a sound and its transcript."""
        layer, rest, rows = self.model.llm.get_input_embeddings(), list(blocks), []
        for token in self.ids(text):
            if token == self.mark_id:
                sound, said = rest.pop(0)
                rows += [*self.vectors(sound), *layer(torch.tensor(self.ids(said)))]
            else:
                rows.append(layer(torch.tensor(token)))
        assert not rest
        return torch.stack(rows).detach()[None]

    def logprob(self, text: str, after: str, blocks: Sequence[tuple[Any, str]]) -> tuple[float, int]:
        """Of what comes after a text, and its tokens."""
        whole, before = self.ids(text + after), self.ids(text)
        split = next((n for n, (a, b) in enumerate(zip(whole, before, strict=False)) if a != b), len(before))
        with torch.no_grad():
            logits = self.model.llm(inputs_embeds=self.embeds(text + after, blocks)).logits[0]
        new = whole[split:]
        logs = logits[-len(new) - 1 : -1].float().log_softmax(-1)
        return float(logs.gather(1, torch.tensor(new)[:, None]).double().sum()), len(new)

    def reply(self, text: str, blocks: Sequence[tuple[Any, str]], tokens: int) -> str:
        """Greedy, token by token, nothing kept."""
        given, new = self.embeds(text, blocks), list[int]()
        layer = self.model.llm.get_input_embeddings()
        while len(new) < tokens:
            with torch.no_grad():
                new.append(int(self.model.llm(inputs_embeds=given).logits[0, -1].argmax()))
                given = torch.cat([given, layer(torch.tensor([[new[-1]]]))], 1)
            if new[-1] == self.made.prompting.end:
                break
        return str(self.tokenizer.decode(new, skip_special_tokens=True))


def heard(one: Clip) -> Any:
    return read(one.path).samples


def audio_task(folder: Path, count: int = 6) -> Path:
    """A task with so many questions, each with a clip of its own."""
    folder.mkdir(parents=True)
    told = {"name": "sounds", "version": "1", "format": "fields", "questions": ["q.jsonl"], "audio": {}}
    (folder / "task.yaml").write_text(yaml.safe_dump(told), "utf-8")
    rows = []
    for number in range(count):
        (folder / "audio").mkdir(exist_ok=True)
        soundfile.write(folder / "audio" / f"{number}.wav", samples(0.5 + 0.1 * number, number), RATE)
        rows.append({"id": f"q{number}", "audio": f"{number}.wav", "category": "sound", "answer": "rain",
                     "question": f"q{number}: what is heard?", "options": ["rain", "a bell", "a drum"]})  # fmt: skip
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder
