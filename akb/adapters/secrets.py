"""The key of an API: read when it is first needed, and kept out of all that is shown, logged or written down."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from akb.errors import AkbError

_LOGGERS = (  # those that tell a reply's headers, errors or addresses
    *(f"httpcore{n}.{part}" for n in ("", "2") for part in ("connection", "http11", "http2", "proxy", "socks")),
    *("httpx", "httpx2", "openai._base_client", "anthropic._base_client", "google_genai._api_client"),
)


class Secret(logging.Filter):
    """A key and, for the loggers of the SDKs and of what is below them, the filter that keeps it out of their lines.

    Args:
        where: what the key is for, as errors say it.
        file: a file that holds the key and nothing else; goes before `names`.
        names: of environment variables that may hold the key; the first that does counts.
        needed: without a key nothing is asked.
        role: with what the settings of whom it is for begin.
    """

    def __init__(self, where: str, file: Path | None, names: Sequence[str], *, needed: bool = True,
                 role: str = "model") -> None:  # fmt: skip
        super().__init__()
        self.where, self.file, self.names, self.needed, self.role = where, file, names, needed, role
        self._key = ""

    def read(self) -> str:
        """The key; from now on it is also kept out of the logs.

        Raises:
            AkbError: there is none, or it is none.
        """
        if self.file is not None:
            try:
                key, source = self.file.expanduser().read_text("utf-8").strip(), "the file of key_file"
            except (OSError, UnicodeDecodeError) as error:
                told = getattr(error, "strerror", None) or "it is not text"
                raise AkbError(f"the file of key_file cannot be read: {told}", where=self.where) from None
        else:
            source = next((name for name in self.names if os.environ.get(name, "").strip()), self.names[0])
            key = os.environ.get(source, "").strip()
        if not key and not self.needed:
            key = "none"  # a server of one's own seldom wants one; one that does says so
        if not key:
            fix = f"Set it, or name another by key_env or key_file: --set {self.role}.key_env=NAME"
            raise AkbError(f"there is no key: {source} is not set or empty", where=self.where, fix=fix)
        if not re.fullmatch(r"[!-~]+", key):  # as a header it would be refused, in an error that shows it
            raise AkbError(f"what {source} holds is no key: it has spaces or letters beyond ASCII", where=self.where)
        self._key = key
        for logger in _LOGGERS:
            logging.getLogger(logger).addFilter(self)
        return key

    def forget(self) -> None:
        for logger in _LOGGERS:
            logging.getLogger(logger).removeFilter(self)
        self._key = ""

    def redacted(self, text: str) -> str:
        """A text without the key, in whatever spelling a server sends it back."""
        key = self._key
        if len(key) >= 8:  # a shorter one is the "none" of a local server
            for spelled in {key, repr(key)[1:-1], json.dumps(key)[1:-1], quote(key), quote(key, safe="")}:
                text = text.replace(spelled, "[key]")
        return text

    def clean(self, value: Any) -> Any:
        """A value without the key in its texts, also those of a dictionary."""
        if isinstance(value, str):
            return self.redacted(value)
        return {self.redacted(k): self.clean(v) for k, v in value.items()} if isinstance(value, dict) else value

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every line pass, without the key and without the error that may hold it."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        record.msg, record.args = self.redacted(f"{record.getMessage()} {kind}".rstrip()), ()
        record.exc_info = record.exc_text = None
        return True
