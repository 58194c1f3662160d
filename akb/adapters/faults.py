"""What an error of a call to an API means: what the server said, whether it may pass, whether it ends the run.

An error is known by its status, by the server's own word for it, or by where it was raised. What cannot be told apart
from a mistake of ours is fatal; what is the network's, or a reply cut short or of a wrong form, may pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import ValidationError

from akb.types import Fault

_READ = 10_000  # characters of a reply that is no JSON
_TRANSPORTS = {"httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "anyio"}
_KEY_LIKE = re.compile(r"\b(?:sk-|AIza)[\w*.-]{4,}")
_TOO_LONG = re.compile(
    r"context.?(length|window)|maximum.{0,30}tokens|(prompt|input|request).{0,20}too (long|large)", re.I
)
_SPENT = {"insufficient_quota", "billing_hard_limit_reached"}
_NO_CREDIT = re.compile(r"credit balance is too low", re.I)
_STATUSES = {  # what the words of an error mean that a server sends as a success
    "rate_limit_exceeded": 429, "rate_limit_error": 429, "too_many_requests": 429, "resource_exhausted": 429,
    "insufficient_quota": 429, "overloaded_error": 529, "server_error": 500, "api_error": 500, "internal": 500,
    "unavailable": 503, "timeout_error": 504, "invalid_api_key": 401, "authentication_error": 401,
    "billing_error": 402, "permission_error": 403, "not_found_error": 404, "model_not_found": 404,
    "request_too_large": 413, "context_length_exceeded": 400, "invalid_request_error": 400, "content_filter": 400,
    "invalid_argument": 400,
}  # fmt: skip


class UnreadableError(Exception):
    """The server's reply is not of the form that its API has."""


class ToldError(Exception):
    """An error that a server sends as a success: a reply with status 200 that holds an error's words.

    Attributes:
        status_code: as the words have it; None where they say none.
        code: the server's word or number for it.
    """

    def __init__(self, told: Any) -> None:
        self.body: dict[str, Any] = told if isinstance(told, dict) else {"message": str(told)}
        named = [self.body.get(name) for name in ("code", "type", "status")]
        words = [str(name) for name in named if isinstance(name, str | int) and not isinstance(name, bool)]
        numbers = [int(word) for word in words if re.fullmatch(r"[45]\d\d", word)]
        known = [_STATUSES[word.lower()] for word in words if word.lower() in _STATUSES]
        self.status_code = next(iter(numbers + known), None)
        self.code = next(iter(words), None)
        super().__init__(str(self.body.get("message") or self.code or "an error without a message"))


class CallError(Exception):
    """A call that failed. Nothing else is known of it: what the SDK raised may hold the key."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def fault(error: Exception, model: str, timeout: float, after: float | None, redacted: Callable[[str], str]) -> Fault:
    """What an error of a call means.

    Args:
        after: seconds after which the server wants to be asked again, where it said so.
        redacted: takes the key out of a text.
    """
    if isinstance(error, TimeoutError):
        return Fault.transient(f"no answer within {timeout:g} s")
    status = _status(error)
    said = _short(_KEY_LIKE.sub("[key]", redacted(_said(error))))
    told = f"({status}): {said}"
    if status == 429 and not ends_the_run(error):
        return Fault.rate_limit(f"too many requests {told}", after)
    if status == 529 or (status == 503 and after is not None):  # too many for the server, if not by its own count
        return Fault.rate_limit(f"the server is overloaded {told}", after)
    if status in (408, 409, 425) or (status or 0) >= 500:
        return Fault("transient", f"the server failed {told}", after)
    if status is not None and 300 <= status < 400:
        return Fault.fatal(f"the server sends to another address, and the key is for this one alone {told}")
    if status is None or status < 400:
        return Fault.transient(said) if _passing(error) else Fault.fatal(f"{type(error).__name__}: {said}")
    if status == 401 or _wrong_key(error):  # what a server says about a wrong key may hold parts of it
        return Fault.fatal(f"the server does not accept the key ({status})")
    told = f"{model} {told}"
    if status == 413 or (status == 400 and _TOO_LONG.search(said)):
        return Fault.fatal(f"the request is too long for {told}")
    kinds = {402: "there is no credit for", 403: "the key does not give access to",
             404: "the server does not know", 429: "there is no credit for"}  # fmt: skip
    return Fault.fatal(f"{kinds.get(status, 'the server refuses the request to')} {told}")


def stumbled(error: Exception) -> Exception:
    """The error, or for a mistake within the SDK what it means: a reply that the SDK did not expect."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    ours = place is None or str(place.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == "akb"
    mistake = isinstance(error, AttributeError | LookupError | TypeError | ValueError)
    if ours or not mistake or _passing(error):
        return error
    return UnreadableError(f"the server's reply is not of the form that this API has ({type(error).__name__})")


def ends_the_run(error: Exception) -> bool:
    """No question will fare better; were it recorded, it would count as a wrong answer of the model."""
    if _status(error) in (401, 402) or getattr(error, "code", None) in _SPENT or _wrong_key(error):
        return True
    return _status(error) in (400, 403) and _NO_CREDIT.search(_said(error)) is not None


def _wrong_key(error: Exception) -> bool:
    """Google says so with status 400."""
    return "API_KEY_INVALID" in str(getattr(error, "details", ""))


def _passing(error: Exception) -> bool:
    """An error without a status: of the network, or a reply cut short or of a wrong form."""
    kinds = type(error).__mro__
    sdk = any(kind.__name__ in ("APIConnectionError", "APIResponseValidationError") for kind in kinds)
    wrong = (OSError, UnreadableError, ToldError, json.JSONDecodeError, UnicodeDecodeError, ValidationError)
    return sdk or _of_transport(error) or isinstance(error, (*wrong, RecursionError))


def _of_transport(error: Exception) -> bool:
    return any(kind.__module__.partition(".")[0] in _TRANSPORTS for kind in type(error).__mro__)


def _status(error: Exception) -> int | None:
    if _of_transport(error):  # aiohttp's say 400 of what is no HTTP at all
        return None
    for name in ("status_code", "code"):
        if isinstance(found := getattr(error, name, None), int):
            return found
    return None


def _said(error: Exception) -> str:
    """What the server said, in one line; else what the error says, and what lay below it."""
    if isinstance(error, ValidationError):  # its own words quote the reply, cut in the middle
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in found)
    if isinstance(error, json.JSONDecodeError):
        begins = " ".join(error.doc[:_READ].split())  # far more than is shown: a key that is cut would not be known
        return sound_text(f"the reply is not JSON; it begins: {begins}" if begins else "the reply is empty")
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else getattr(error, "message", None)
    told = [str(said or error or ""), str(error.__cause__ or "")]
    return sound_text(" ".join(" - ".join(part for part in told if part).split())) or type(error).__name__


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:297] + "..."


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header, which holds them or a date; None for none, or one that is past."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            seconds = float(milliseconds) / 1000
        else:
            seconds = float(headers.get("retry-after", "0"))
    except ValueError:
        try:
            date = parsedate_to_datetime(headers.get("retry-after", ""))
        except ValueError:
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - datetime.now(UTC)).total_seconds()
    return seconds if 0 < seconds < float("inf") else None


def sound_text(text: str) -> str:
    """Text that can be written as UTF-8: a server may send half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")
