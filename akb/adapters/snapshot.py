"""A model's files: where they are, which version they are, and what can be read from them without torch.

The identity of a model on the hub is its commit; of a folder, the hash of its files. Both are found without loading
the model, so that a finished run is recognised in no time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akb.errors import AkbError, missing_extra
from akb.settings import cache_folder
from akb.strict import read_text

SMALL = ("*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken")
WEIGHTS = ("*.safetensors", "*.bin", "*.safetensors.index.json")
CODE = ("*.py",)
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


@dataclass(frozen=True)
class Snapshot:
    """One version of a model.

    Attributes:
        name: repository or folder name as the user gave it.
        folder: where the small files (configuration, tokenizer) are.
        revision: commit on the hub, or "sha256:..." of a folder's files.
        local: it is a folder of the user's, not one of the hub's cache.
    """

    name: str
    folder: Path
    revision: str
    local: bool

    @property
    def config(self) -> dict[str, Any]:
        """config.json.

        Raises:
            AkbError: it is missing or damaged.
        """
        return _json(self.folder / "config.json", needed=True)

    @property
    def chat_template(self) -> str | None:
        """The tokenizer's chat template; None for models without one."""
        file = self.folder / "chat_template.jinja"
        if file.is_file():
            return read_text(file)
        template = _json(self.folder / "tokenizer_config.json").get("chat_template")
        if isinstance(template, list):
            named = {t.get("name"): t.get("template") for t in template}
            template = named.get("default")
        return template if isinstance(template, str) else None

    @property
    def context(self) -> int | None:
        """The longest sequence, in tokens, that the configuration allows; None where it does not say."""
        config = self.config
        nested = config.get("text_config")
        text: dict[str, Any] = nested if isinstance(nested, dict) else config
        for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
            if isinstance(text.get(name), int):
                return int(text[name])
        return None

    @property
    def dtype(self) -> str:
        """The floating-point type in which the weights are kept, e.g. "bfloat16"."""
        config = self.config
        told = config.get("dtype") or config.get("torch_dtype") or "float32"
        return str(told).removeprefix("torch.")


def find(name: str, revision: str | None = None) -> Snapshot:
    """The version of a model that a name and revision mean; the small files are fetched if it is on the hub.

    Raises:
        AkbError: there is no such folder or repository, or it cannot be reached.
    """
    folder = Path(name)
    if folder.is_dir():
        if revision is not None:
            raise AkbError("a folder has no revisions", where=f"model {name}", fix="Leave the revision out.")
        if not (folder / "config.json").is_file():
            raise AkbError("the folder holds no model: config.json is missing", where=name)
        return Snapshot(name, folder, folder_identity(folder), local=True)
    return _from_hub(name, revision)


def _from_hub(name: str, revision: str | None) -> Snapshot:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise missing_extra("huggingface_hub", "hf", needed_for=f"model {name}") from None
    if revision is not None and (known := _pinned(name, revision)) is not None:
        return Snapshot(name, known, revision, local=False)
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(SMALL)))
    except HFValidationError:
        raise AkbError("neither a folder nor the name of a repository (ORG/NAME)", where=f"model {name}") from None
    except LocalEntryNotFoundError:
        raise AkbError(
            "the model is not on this machine, and the Hugging Face hub cannot be reached",
            where=f"model {name}",
            fix="Connect and try again, or give the folder of a copy: --model /path/to/model",
        ) from None
    except HfHubHTTPError as error:
        gated = "; set HF_TOKEN if it is gated or private" if "401" in str(error) or "403" in str(error) else ""
        raise AkbError(
            f"the hub does not give it: {str(error).splitlines()[0]}{gated}", where=f"model {name}"
        ) from None
    except OSError as error:
        raise AkbError(f"cannot be fetched: {error}", where=f"model {name}") from None
    return Snapshot(name, folder, folder.name, local=False)


def _pinned(name: str, revision: str) -> Path | None:
    """The folder of a full commit that is on this machine already; the hub need not be asked about it."""
    from huggingface_hub import try_to_load_from_cache

    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        return None
    try:
        config = try_to_load_from_cache(name, "config.json", revision=revision)
    except ValueError:  # not the name of a repository
        return None
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if any((folder / tokenizer).is_file() for tokenizer in TOKENIZERS) else None


def folder_identity(folder: Path, patterns: Iterable[str] = (*SMALL, *WEIGHTS, *CODE)) -> str:
    """The sha256 over the names and contents of a folder's files.

    Hashing gigabytes takes a while, so each large file's hash is remembered with its size and time of change.
    """
    files = sorted({f for pattern in patterns for f in folder.glob(pattern) if f.is_file()})
    total = hashlib.sha256()
    known = _Known()
    for file in files:
        total.update(f"{file.name}\0{known.sha256(file)}\n".encode())
    known.save()
    return f"sha256:{total.hexdigest()}"


class _Known:
    """Hashes of large files by path, size and time of change; disposable."""

    def __init__(self, above: int = 50_000_000) -> None:
        self.above, self.path = above, cache_folder() / "file-hashes.json"
        self.changed = False
        try:
            self.hashes: dict[str, str] = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            self.hashes = {}

    def sha256(self, file: Path) -> str:
        try:
            stat = file.stat()
            key = f"{file.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ino}"
            if stat.st_size > self.above and key in self.hashes:
                return self.hashes[key]
            with file.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise AkbError(f"cannot be read: {error.strerror}", where=str(file)) from None
        if stat.st_size > self.above:
            self.hashes[key], self.changed = found, True
        return found

    def save(self) -> None:
        if not self.changed:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.hashes), "utf-8")
        except OSError:
            pass  # it is only a memory aid


def _json(path: Path, *, needed: bool = False) -> dict[str, Any]:
    if not path.is_file() and not needed:
        return {}
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise AkbError(f"not valid JSON: {error.msg}", where=f"{path}:{error.lineno}") from None
    if not isinstance(data, dict):
        raise AkbError("an object is wanted", where=str(path))
    return data


def text_sha256(text: str) -> str:
    """The hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
