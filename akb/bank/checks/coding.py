"""Proofs for questions on file formats, speech recognition and sound event detection.

>>> ctc_decodes(["oo-od-d", "o-dd--"], text="odd")
[False, False]
"""

from collections.abc import Callable, Sequence
from itertools import groupby

from akb.bank.checks.signals import match, one_of
from akb.bank.checks.technical import judge

_LOSSY = {
    "FLAC": False,
    "ALAC": False,
    "Monkey's Audio": False,
    "WAV": False,
    "AIFF": False,
    "MP3": True,
    "AAC": True,
    "Ogg Vorbis": True,
    "Opus": True,
}
_ERRORS = {
    "Two substitutions": (2, 0, 0),
    "One substitution and one deletion": (1, 1, 0),
    "One substitution and one insertion": (1, 0, 1),
    "One deletion and one insertion": (0, 1, 1),
}


def equal_bit_rate(options: Sequence[str], *, rate_khz: int, bits: int, channels: int) -> list[bool]:
    """Whether a PCM format has this format's bit rate: second by second, the same number of bits."""
    right = []
    for option in options:
        rate, depth, layout = match(r"(\d+) kHz, (\d+) bits, (mono|stereo)", option).groups()
        own = int(rate) * 1000 * int(depth) * {"mono": 1, "stereo": 2}[layout]
        right.append(own == rate_khz * 1000 * bits * channels)
    return right


def stream_size(options: Sequence[str], *, megabytes: float) -> list[bool]:
    """Whether a stream of constant bit rate fills this many millions of bytes."""
    right = []
    for option in options:
        minutes, rate = match(r"(\d+) minutes at (\d+) kbit/s", option).groups()
        size = int(minutes) * 60 * int(rate) * 1000 / 8 / 1e6
        if 0.001 < abs(size / megabytes - 1) < 0.1:
            raise ValueError(f"too close to call: {option!r}")
        right.append(abs(size / megabytes - 1) <= 0.001)
    return right


def first_loss(options: Sequence[str], *, chain: Sequence[str]) -> list[bool]:
    """The first of several conversions that loses information."""
    lossy = [step for step in chain if _LOSSY[step]]
    if len(set(chain)) != len(chain) or not lossy:
        raise ValueError("no one step is the first that loses")
    places = ("The first one", "The second one", "The third one", "The fourth one")
    return [chain[places.index(one_of(places, option))] == lossy[0] for option in options]


def error_kinds(options: Sequence[str], *, reference: str, hypothesis: str) -> list[bool]:
    """Substitutions, deletions and insertions of every cheapest alignment; ValueError if these differ in kind."""
    best = _alignments(tuple(reference.split()), tuple(hypothesis.split()))
    if len(best) != 1:
        raise ValueError(f"several cheapest alignments: {sorted(best)}")
    return [_ERRORS[one_of(tuple(_ERRORS), option)] in best for option in options]


def _alignments(reference: Sequence[str], hypothesis: Sequence[str]) -> set[tuple[int, int, int]]:
    """The (substitutions, deletions, insertions) of all alignments with the fewest errors."""
    rows = [[{(0, 0, n)} for n in range(len(hypothesis) + 1)]]
    for i, word in enumerate(reference, 1):
        row = [{(0, i, 0)}]
        for j, heard in enumerate(hypothesis, 1):
            differs = int(word != heard)
            ways = {(s + differs, d, n) for s, d, n in rows[-1][j - 1]}
            ways |= {(s, d + 1, n) for s, d, n in rows[-1][j]} | {(s, d, n + 1) for s, d, n in row[j - 1]}
            fewest = min(map(sum, ways))
            row.append({way for way in ways if sum(way) == fewest})
        rows.append(row)
    return rows[-1][-1]


def detector_share(options: Sequence[str], *, wanted: str, present: int, reported: int, correct: int) -> list[bool]:
    """Precision or recall of a detector, counted event by event."""
    reports = [True] * correct + [False] * (reported - correct)
    events = [True] * correct + [False] * (present - correct)
    counted = {"precision": reports, "recall": events}[wanted]
    return judge(options, sum(counted) / len(counted), {"%": 0.01})


def ctc_decodes(options: Sequence[str], *, text: str) -> list[bool]:
    """Whether frame labels give a text by the rule of CTC: merge what repeats, then drop the blanks."""
    right = []
    for option in options:
        match(r"[a-z-]+", option)
        right.append("".join(label for label, _ in groupby(option) if label != "-") == text)
    return right


CHECKS: dict[str, Callable[..., list[bool]]] = {
    check.__name__: check
    for check in (
        equal_bit_rate,
        stream_size,
        first_loss,
        error_kinds,
        detector_share,
        ctc_decodes,
    )
}
