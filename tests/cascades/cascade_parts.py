"""A small benchmark with audio, captions of it, a reader that looks for words, and a captioner that counts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tones import write_tone

from akb.types import Capabilities, Clip, Finish, Message, Request, Response

SOUNDS = ("rain", "a bell", "a dog", "an engine")


def audio_task(folder: Path, count: int = 12, name: str = "sounds") -> Path:
    """A task of so many questions, each with a clip of its own; the key of number n is SOUNDS[n % 4]."""
    folder.mkdir(parents=True, exist_ok=True)
    told = f'name: {name}\nversion: "1"\nformat: fields\nquestions: [questions.jsonl]\naudio: {{}}\n'
    (folder / "task.yaml").write_text(told, "utf-8")
    rows = []
    for number in range(count):
        write_tone(folder / "audio" / f"{number:02}.wav", 200 + 10 * number)
        of = {"id": f"q{number:02}", "audio": f"{number:02}.wav", "category": ("sound", "music")[number % 2]}
        asked = {"question": f"q{number:02}: what is heard?", "options": list(SOUNDS), "answer": SOUNDS[number % 4]}
        rows.append({**of, **asked})
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def captions_file(path: Path, count: int = 12) -> Path:
    """True captions of the task's clips, by file name."""
    rows = [{"audio": f"{n:02}.wav", "caption": f"One hears {SOUNDS[n % 4]} for a while."} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def clips_in(messages: Iterable[Message]) -> list[Clip]:
    """The clips of a conversation."""
    return [part for message in messages for part in message.parts if isinstance(part, Clip)]


class Reader:
    """Replies with the label of the option that stands in the first lines of the prompt, else with the first."""

    capabilities = Capabilities(generate=True, audio=True)

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "reader/1", "model": "reader"}

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        return [[number] for number in range(len(requests))]

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            self.asked += batch
            yield number, [self._reply(request) for request in batch]

    def _reply(self, request: Request) -> Response:
        told = request.messages[-1].text.partition("(A)")[0]
        found = [option.label for option in request.options if option.text in told]
        return Response(text=f"({(found or ['A'])[0]})")

    def close(self) -> None:
        """Nothing to give back."""


class Counting(Reader):
    """A captioner that tells the file's name, and leaves a line in a log for each clip; it fails, says nothing or
    refuses for the clips that it is told to."""

    capabilities = Capabilities(generate=True, audio=True)

    def __init__(self, log: Path, told: Mapping[str, str] | None = None, pause: float = 0.0) -> None:
        super().__init__()
        self.log, self.told, self.pause = log, dict(told or {}), pause

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "counting/1", "model": "counting"}

    def _reply(self, request: Request) -> Response:
        (clip,) = clips_in(request.messages)
        name = Path(clip.path).stem
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        time.sleep(self.pause)
        fate = self.told.get(name, "")
        if fate == "error":
            return Response(finish=Finish.ERROR, error="the microphone is broken")
        if fate == "refused":
            return Response(text="", finish=Finish.REFUSAL)
        if fate == "cut":
            return Response(text="One hears much of", finish=Finish.LENGTH, cost=0.25)
        text = "" if fate == "empty" else f"One hears {SOUNDS[int(name) % 4]} ({name})."
        return Response(text=text, cost=0.25, completion_tokens=7)


def build(card: Any, args: Mapping[str, Any]) -> Counting:
    """The plugin's factory."""
    told = {str(name): str(fate) for name, fate in dict(args.get("told") or {}).items()}
    return Counting(Path(args["log"]), told, float(args.get("pause", 0.0)))


def reader(card: Any, args: Mapping[str, Any]) -> Reader:
    """The plugin's factory."""
    return Reader()
