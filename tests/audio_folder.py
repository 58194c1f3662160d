"""Folders with questions about audio, made for a test, and the tasks that they are."""

from __future__ import annotations

import hashlib
import json
import wave
from pathlib import Path
from typing import Any

from akb.registry import Registry
from akb.tasks.asking import Asking
from akb.tasks.folder import Folder, FolderTask
from akb.types import Question

ROOT = Path(__file__).resolve().parents[1]
Record = dict[str, Any]


def sound(path: Path, seed: str = "") -> str:
    """A second of audio that is like no other; returns the hash of its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes((hashlib.sha256((seed or str(path)).encode()).digest() * 250)[:8000])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def task(folder: Path, data: Path | None = None, *, listen: str = "audio") -> FolderTask:
    protocol, prompt = Registry().protocol("akb-v1-loglik")
    return FolderTask(
        Folder.read(folder), Asking(protocol, prompt, listen=listen, data=None if data is None else str(data))
    )


def own(tmp_path: Path, records: list[Record], **told: Any) -> Path:
    """A task's folder with a question file."""
    folder = tmp_path / "birds"
    folder.mkdir(parents=True, exist_ok=True)
    file = {"name": "birds", "version": "1", "questions": ["questions.jsonl"], "audio": {}, **told}
    (folder / "task.yaml").write_text(json.dumps(file), "utf-8")
    (folder / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    return folder


def record(number: int = 1, **more: Any) -> Record:
    return {"id": str(number), "question": f"Which bird is {number}?", "options": ["owl", "wren"], "answer": "wren",
            "audio": f"{number}.wav", **more}  # fmt: skip


def listed(made: FolderTask) -> list[Question]:
    return list(made.questions())
