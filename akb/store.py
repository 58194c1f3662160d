"""The response cache: what was asked of a model before, by the request's key. Disposable; records are the truth.

SQLite, one file for all models: the key takes in the model's fingerprint, so one model's answer is never another's.
Errors are never kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from akb.errors import AkbError
from akb.jsonable import dumps, response_from, response_to
from akb.types import Finish, Response

SCHEMA = 1
_CHUNK = 500  # SQLite allows at least 999 parameters in a statement


class Cache:
    """Responses by key, in an SQLite file. Several processes may use one file at the same time.

    Args:
        write_only: know nothing, and remember everything: for a run that is to ask anew.
    """

    def __init__(self, path: Path, *, write_only: bool = False) -> None:
        self.path, self.write_only = path, write_only
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, SCHEMA):
                raise AkbError(
                    f"the cache was written by another version of akb (schema {version}, wanted {SCHEMA})",
                    where=str(path),
                    fix="Delete it (records are not touched), or run with --no-cache.",
                )
            self._db.execute("CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, response TEXT NOT NULL)")
            self._db.execute(f"PRAGMA user_version={SCHEMA}")

    def get(self, keys: Sequence[str]) -> dict[str, Response]:
        """The responses that are there, by key."""
        found: dict[str, Response] = {}
        if self.write_only:
            return found
        with self._explained():
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT key, response FROM responses WHERE key IN ({marks})"
                for key, text in self._db.execute(query, list(chunk)):
                    found[key] = self._parsed(key, text)
        return found

    def put(self, responses: Mapping[str, Response]) -> None:
        """Keep responses by key, all of them or none; those that are errors are not kept."""
        rows = [(key, dumps(response_to(r))) for key, r in responses.items() if r.finish != Finish.ERROR]
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT OR REPLACE INTO responses VALUES (?, ?)", rows)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # of a full disk SQLite has rolled back by itself
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _parsed(self, key: str, text: str) -> Response:
        try:
            return response_from(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._damaged(f"response {key[:12]}: {error}") from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise AkbError(
                f"the response cache cannot be used: {error}",
                where=str(self.path),
                fix="Make room or give write access there, or run with --no-cache.",
            ) from None
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from None
        except OSError as error:
            raise AkbError(
                f"the response cache cannot be made: {error.strerror}",
                where=str(self.path),
                fix="Run with --no-cache.",
            ) from None

    def _damaged(self, what: str) -> AkbError:
        return AkbError(
            f"the response cache is damaged ({what})",
            where=str(self.path),
            fix="Delete it: nothing is lost, the records of your runs are elsewhere. Or run with --no-cache.",
        )
