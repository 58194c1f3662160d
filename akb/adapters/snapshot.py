"""A model's files: where they are, which version they are, and what can be read from them without torch.

The identity of a model on the hub is its commit; of a folder, the hash of its files. Both are found without loading
the model, so that a finished run is recognised in no time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from akb.errors import AkbError, missing_extra
from akb.settings import cache_folder
from akb.strict import read_text

SMALL = ("*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken")
WEIGHTS = ("*.safetensors", "*.bin", "*.safetensors.index.json")
CODE = ("*.py",)
FETCHED = (*SMALL, *CODE)  # code is read by whoever set trust_remote_code, and by nobody else
INSTEAD = "--model /path/to/model"
COMMIT = re.compile(r"[0-9a-f]{40}")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


@dataclass(frozen=True)
class Snapshot:
    """One version of a model.

    Attributes:
        name: repository or folder name as the user gave it.
        folder: where the small files (configuration, tokenizer) are.
        revision: commit on the hub, or "sha256:..." of a folder's files.
        local: it is a folder of the user's, not one of the hub's cache.
        instead: how the user names a folder in its place.
    """

    name: str
    folder: Path
    revision: str
    local: bool
    instead: str = INSTEAD

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.json; read once, for it is asked for at every question.

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
        return _number(self._text, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length")

    @property
    def key_values(self) -> int | None:
        """How many numbers attention keeps of a token, over all layers; None where the configuration is silent."""
        text = self._text
        layers, heads = _number(text, "num_hidden_layers", "n_layer"), _number(text, "num_attention_heads", "n_head")
        width = _number(text, "hidden_size", "n_embd")
        if layers is None or heads is None or width is None:
            return None
        size = _number(text, "head_dim") or width // heads
        return 2 * layers * (_number(text, "num_key_value_heads") or heads) * size

    @property
    def _text(self) -> dict[str, Any]:
        """The part of the configuration that tells of the language model."""
        config = self.config
        nested = config.get("text_config")
        return nested if isinstance(nested, dict) else config

    @property
    def dtype(self) -> str:
        """The floating-point type in which the weights are kept, e.g. "bfloat16"."""
        config = self.config
        told = config.get("dtype") or config.get("torch_dtype") or "float32"
        return str(told).removeprefix("torch.")


def _number(config: Mapping[str, Any], *names: str) -> int | None:
    """The first of these entries that is a whole number."""
    return next((config[name] for name in names if isinstance(config.get(name), int)), None)


def find(name: str, revision: str | None = None, instead: str = INSTEAD) -> Snapshot:
    """The version of a model that a name and revision mean; the small files are fetched if it is on the hub.

    Args:
        instead: how the user names a folder in the model's place; for errors.

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
    return _from_hub(name, revision, instead)


def _from_hub(name: str, revision: str | None, instead: str) -> Snapshot:
    with _asking(name, revision, instead):
        if revision is not None and COMMIT.fullmatch(revision) and (known := _on_disk(name, revision)) is not None:
            return Snapshot(name, known, revision, local=False, instead=instead)
        from huggingface_hub import HfApi, constants, snapshot_download

        gone: Exception | None = None
        try:  # one question without retries: a hub that is not there is known at once
            HfApi().model_info(name, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        except Exception as error:
            if not _unreachable(error):
                raise
            gone = error
        try:
            folder = Path(
                snapshot_download(name, revision=revision, allow_patterns=list(FETCHED), local_files_only=bool(gone))
            )
        except OSError as error:
            raise error if gone is None else gone from None
    return Snapshot(name, folder, folder.name, local=False, instead=instead)


def weights(snapshot: Snapshot) -> Path | None:
    """The folder with the model's weights in it, of just this commit; those of the hub are fetched if need be.

    None for weights under names that transformers alone knows how to find.

    Raises:
        AkbError: they cannot be fetched, or a file is not as long as the hub says.
    """
    if snapshot.local:
        return snapshot.folder
    if "transformers_weights" in snapshot.config or (snapshot.folder / "adapter_config.json").is_file():
        return None
    with _asking(snapshot.name, instead=snapshot.instead):
        sizes = _sizes(snapshot)
        wanted = _weight_files(snapshot.folder, sizes)
        if any(not (snapshot.folder / file).is_file() for file in wanted):
            from huggingface_hub import snapshot_download

            snapshot_download(snapshot.name, revision=snapshot.revision, allow_patterns=wanted)
    for file in wanted:
        found, told = (snapshot.folder / file).stat().st_size, sizes[file]
        if told is not None and found != told:
            raise AkbError(
                f"the file was cut off: it is {found} bytes long, on the hub {told}",
                where=str(snapshot.folder / file),
                fix="Remove it (and what it links to), and run the same again.",
            )
    return snapshot.folder if wanted else None


def _weight_files(folder: Path, names: Iterable[str]) -> list[str]:
    """Which of a commit's files hold the weights that transformers would choose; none: it is not told by names."""
    for whole in ("model.safetensors", "pytorch_model.bin"):
        if whole in names:
            return [whole]
        if (folder / f"{whole}.index.json").is_file():
            parts = _json(folder / f"{whole}.index.json").get("weight_map")
            found = sorted(set(parts.values())) if isinstance(parts, dict) else []
            return found if set(found) <= set(names) else []
    return []


def _sizes(snapshot: Snapshot) -> dict[str, int | None]:
    """The files of a commit, with their length where the hub has told it."""
    from huggingface_hub import HfApi

    if (listed := _listing(snapshot.name, snapshot.revision)) is not None:
        return dict(listed)
    on_disk = [str(f.relative_to(snapshot.folder)) for f in snapshot.folder.rglob("*") if f.is_file()]
    if _weight_files(snapshot.folder, on_disk):
        return dict.fromkeys(on_disk)
    info = HfApi().model_info(snapshot.name, revision=snapshot.revision, files_metadata=True)
    return {file.rfilename: file.size for file in info.siblings or ()}


def _listing(name: str, commit: str) -> dict[str, int] | None:
    """The files of a commit as the hub once listed them; None if that is not remembered here."""
    try:
        from huggingface_hub import get_cached_repo_tree
        from huggingface_hub.errors import CachedRepoTreeNotFoundError
    except ImportError:  # before 2.0
        return None
    try:
        return {file.path: file.size for file in get_cached_repo_tree(name, revision=commit)}
    except CachedRepoTreeNotFoundError:
        return None


def _on_disk(name: str, commit: str) -> Path | None:
    """The folder of a commit whose small files are all on this machine; the hub need not be asked about it.

    All: without tokenizer_config.json, say, a chat model would be taken for one without a template.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if _listing(name, commit) is None:
        return None
    try:
        return Path(snapshot_download(name, revision=commit, allow_patterns=list(FETCHED), local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _unreachable(error: Exception) -> bool:
    """Whether an error says that the hub is out of reach (or out of order), and nothing about the model."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    if isinstance(error, HfHubHTTPError):
        return bool(error.response.status_code == 429 or error.response.status_code >= 500)
    return isinstance(error, HTTPError | OfflineModeIsEnabled)


@contextmanager
def _asking(name: str, revision: str | None = None, instead: str = INSTEAD) -> Iterator[None]:
    """Ask the hub without its warnings and bars on the terminal; what it refuses is an AkbError that says why."""
    where = f"model {name}"
    try:
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, LocalEntryNotFoundError
    except ImportError:
        raise missing_extra("huggingface_hub", "hf", needed_for=where) from None
    try:
        with silent():
            yield
    except HFValidationError:
        raise AkbError("neither a folder nor the name of a repository (ORG/NAME)", where=where) from None
    except (HTTPError, LocalEntryNotFoundError, ConnectionError) as error:
        cause = error if isinstance(error, HfHubHTTPError) else error.__cause__
        if isinstance(cause, HfHubHTTPError) and not _unreachable(cause):
            raise _refused(cause, where, revision) from None
        told = f" (HTTP {cause.response.status_code})" if isinstance(cause, HfHubHTTPError) else ""
        raise AkbError(
            f"the model is not (wholly) on this machine, and the Hugging Face hub cannot be reached{told}",
            where=where,
            fix=f"Connect and try again, or give the folder of a copy: {instead}",
        ) from None
    except OSError as error:
        raise AkbError(f"cannot be fetched: {str(error).splitlines()[0]}", where=where) from None
    except (ValueError, TypeError, KeyError) as error:
        raise AkbError(
            f"what answers in place of the hub cannot be understood: {type(error).__name__}: {error}",
            where=where,
            fix="A proxy or a login page may be in between; HF_ENDPOINT names the hub.",
        ) from None


def _refused(error: Any, where: str, revision: str | None) -> AkbError:
    from huggingface_hub.errors import GatedRepoError, RevisionNotFoundError

    status = f"(HTTP {error.response.status_code})"
    if isinstance(error, RevisionNotFoundError):
        return AkbError(f"the repository has no revision {revision!r} {status}", where=where)
    if isinstance(error, GatedRepoError):
        fix = "Ask for access on its page at the hub, then set HF_TOKEN to a token of your account."
        return AkbError(f"the repository is gated {status}", where=where, fix=fix)
    if error.response.status_code in (401, 403):
        fix = "Check the name; for a private or gated one set HF_TOKEN to a token that may read it."
        return AkbError(f"there is no such repository, or it may not be read {status}", where=where, fix=fix)
    if error.response.status_code == 404:
        fix = "Check the name (ORG/NAME); for a private one set HF_TOKEN to a token that may read it."
        return AkbError(f"the hub has no such repository {status}", where=where, fix=fix)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return AkbError(f"the hub does not give it {status}: {lines[0][:200]}", where=where)


@contextmanager
def silent() -> Iterator[None]:
    """Keep the hub's warnings (of each retry) and bars off the terminal; bars that the user's settings demand stay."""
    from huggingface_hub import constants
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    level = logging.get_verbosity()
    bars = constants.HF_HUB_DISABLE_PROGRESS_BARS is None and not are_progress_bars_disabled()
    logging.set_verbosity_error()
    if bars:
        disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            enable_progress_bars()


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
