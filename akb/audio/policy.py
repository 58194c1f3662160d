"""How audio is decoded: a declared policy, which stands in the fingerprint of whoever hears by it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

from akb.errors import AkbError, missing_extra

RATES = (1_000, 1_000_000)  # Hz: from below the telephone's to above what records bats
QUALITY = "HQ"


@dataclass(frozen=True, slots=True)
class Policy:
    """The declared decoding policy.

    Attributes:
        rate: samples a second after resampling (soxr, quality HQ); 0: the file's own.
        channels: "mono" is the mean of the channels, taken before resampling; "keep" leaves them as they are.
        longest: seconds that are heard at most; None: no limit.
        beyond: what becomes of a longer clip: its beginning is heard, it is heard in several pieces, or not at all.

    Raises:
        AkbError: a value that makes no sense.
    """

    rate: int = 16_000
    channels: Literal["mono", "keep"] = "mono"
    longest: float | None = 30.0
    beyond: Literal["truncate", "chunk", "refuse"] = "truncate"

    def __post_init__(self) -> None:
        if self.rate != 0 and not RATES[0] <= self.rate <= RATES[1]:
            raise AkbError(f"rate is {self.rate}; {RATES[0]} to {RATES[1]} Hz is wanted, or 0", where=_WHERE)
        if self.channels not in ("mono", "keep"):
            raise AkbError(f"channels is {self.channels!r}; mono or keep is wanted", where=_WHERE)
        if self.longest is not None and not 0.1 <= self.longest < float("inf"):
            raise AkbError(f"longest is {self.longest}; at least 0.1 s is wanted, or none", where=_WHERE)
        if self.beyond not in _BEYOND:
            raise AkbError(f"beyond is {self.beyond!r}; {', '.join(_BEYOND)} is wanted", where=_WHERE)

    def told(self) -> str:
        """The policy and the versions of its decoders in words; it goes into fingerprints.

        Raises:
            AkbError: soundfile or soxr is not installed.

        >>> Policy(rate=0, channels="keep", longest=None).told()  # doctest: +ELLIPSIS
        'own rate, all channels, of any length; soundfile ... (libsndfile ...)'
        """
        rate = f"{self.rate} Hz" if self.rate else "own rate"
        channels = "mono (mean of channels)" if self.channels == "mono" else "all channels"
        length = "of any length" if self.longest is None else f"at most {self.longest:.12g} s ({_BEYOND[self.beyond]})"
        sf = soundfile()
        by = f"soundfile {sf.__version__} (libsndfile {sf.__libsndfile_version__})"
        if self.rate:
            soxr()
            by += f", soxr {metadata.version('soxr')} {QUALITY}"
        return f"{rate}, {channels}, {length}; {by}"


_WHERE = "decoding policy"
_BEYOND = {"truncate": "truncated", "chunk": "in chunks", "refuse": "longer is refused"}


def soundfile() -> Any:
    """The package soundfile.

    Raises:
        AkbError: it is not installed, or its library is not.
    """
    try:
        import soundfile
    except ImportError:
        raise missing_extra("soundfile", "audio", needed_for="reading audio") from None
    except OSError as error:  # the package without the C library
        raise AkbError(f"reading audio needs libsndfile: {error}", fix="Install libsndfile1.") from None
    return soundfile


def soxr() -> Any:
    """The package soxr.

    Raises:
        AkbError: it is not installed.
    """
    try:
        import soxr
    except ImportError:
        raise missing_extra("soxr", "audio", needed_for="resampling audio") from None
    return soxr
