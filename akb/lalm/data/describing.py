"""Seed descriptions: what is known of a clip, written for a backbone to read in place of the audio.

    [00:00-00:05] Hello world (Gender: Female, Emotion: Happy, Duration: 5s)
    [00:00-00:10] (There is the sound of a truck.)
    [00:00-00:30] (Genre: reggae, Duration: 30s)

The form is that of DeSTA2.5-Audio (arXiv 2507.02768). A line a stretch of the clip: when, what is said, and in
parentheses what else is known. What it leaves open is settled so:

- Times are whole seconds, halves upwards, so that stretches that meet still meet; one that rounds to nothing gets a
  second. Minutes go on beyond 59. A duration below one second is told with one decimal.
- Of a clip with segments, what is known of the whole comes first, in a line over all of the clip; then a line a
  segment, in the order of time. What tells nothing gets no line.
- Duration is told of speech and music, as in the examples above, and not of sounds that a caption describes. It is the
  stretch's own: an attribute of that name makes it told, but what it says is not; it could only be the same or wrong.
- What is empty or unknown (akb.lalm.data.values) is not told.
- The brackets are the form's own. In texts, captions and values they are written as braces, and line breaks as
  spaces; so whatever stands in brackets is the form, and can be looked for in a reply (akb.lalm.data.filtering). What
  looks like a mark, <end_audio> or <|im_end|>, gets braces too, so that no clip's words can end the audio or the turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from akb.lalm.data.manifest import Entry, Heard, Part, rounded
from akb.lalm.data.values import said

VERSION = "2"
DURATION = "Duration"
_BRACES = str.maketrans("[](){}", "{}{}{}")
_MARK = re.compile(r"<([^<>\s][^<>]*)>")


def describe(heard: Heard) -> str:
    """The seed description of a clip.

    Examples:
        >>> from pathlib import Path
        >>> entry = Entry(audio="a.wav", kind="music", attributes={"Genre": "reggae"})
        >>> describe(Heard("a", entry, Path("a.wav"), "", 29.7))
        '[00:00-00:30] (Genre: reggae, Duration: 30s)'
    """
    entry = heard.entry
    if entry.description.strip():
        return entry.description.strip()
    seconds = entry.duration or heard.seconds
    spoken = (
        "" if any(part.text.strip() for part in entry.segments) else entry.text
    )  # where both tell it, the segments do
    lines = [_line(entry, entry, 0.0, seconds, text=spoken)]
    parts = sorted(entry.segments, key=lambda part: (part.start, part.end))
    lines += [_line(entry, part, part.start, part.end, text=part.text) for part in parts]
    return "\n".join(filter(None, lines)) or f"[{span(0.0, seconds)}] ({DURATION}: {lasting(seconds)})"


def known(entry: Entry) -> frozenset[str]:
    """The names of attributes that a description of this record tells, casefolded."""
    return frozenset(name.casefold() for part in (entry, *entry.segments) for name, _ in _values(part))


def transcript(entry: Entry) -> str:
    """The words that are spoken in a clip; empty where none are known."""
    if entry.text.strip() or not entry.segments:
        return plain(entry.text)
    parts = sorted(entry.segments, key=lambda part: (part.start, part.end))
    return " ".join(text for part in parts if (text := plain(part.text)))


def plain(text: str) -> str:
    """A text on one line, in which nothing looks like a mark."""
    return _MARK.sub(r"{\1}", " ".join(text.split()))


def span(start: float, end: float) -> str:
    """A stretch of time, "00:00-00:05"; from and to in seconds."""
    first = rounded(start)
    return f"{_clock(first)}-{_clock(max(rounded(end), first + 1))}"


def lasting(seconds: float) -> str:
    """A duration, "5s"; below one second with a decimal."""
    return f"{rounded(seconds)}s" if seconds >= 1 else f"{max(seconds, 0.1):.1f}s"


def _clock(seconds: int) -> str:
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


def _line(entry: Entry, part: Part, start: float, end: float, *, text: str) -> str:
    """A line of a description; empty where nothing is known of the stretch."""
    told, caption = _safe(text), _safe(said(part.caption))
    values = [f"{name}: {value}" for name, value in _values(part)]
    if labels := list(dict.fromkeys(label for one in part.labels if (label := _safe(said(one))))):
        values.insert(0, f"Sounds: {', '.join(labels)}")
    timed = any(_is_duration(name) for name in part.attributes)
    if not (told or caption or values or timed):
        return ""
    if entry.kind != "sound" or timed or (values and not caption):
        values.append(f"{DURATION}: {lasting(end - start)}")
    brackets = [f"({words})" for words in (caption, ", ".join(values)) if words]
    return " ".join(filter(None, [f"[{span(start, end)}]", told, *brackets]))


def _values(part: Part) -> Iterator[tuple[str, str]]:
    """The attributes that say something, as they are written."""
    for name, value in part.attributes.items():
        if (title := _safe(name)) and (words := _safe(said(value))) and not _is_duration(name):
            yield title, words


def _is_duration(name: str) -> bool:
    return name.strip().casefold() == DURATION.casefold()


def _safe(text: str) -> str:
    return plain(text).translate(_BRACES)
