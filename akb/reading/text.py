"""A reply's text made plain: no reasoning, no marks of Markdown or TeX, one form for each sign.

What a renderer would show stays; what it would not show goes. Options go through `plain` as well, so that both sides
of a comparison are written alike.
"""

from __future__ import annotations

import json
import re
import unicodedata

_BLOCK = re.compile(r"<(think|thinking|thought|reasoning|scratchpad)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_CLOSE = re.compile(r"\A.*</(?:think|thinking|thought|reasoning)>", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(r"<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_END_OF_TURN = re.compile(
    r"<\|[^|>\n]{1,40}\|>|</?s>|<end_of_turn>|\[/?INST\]|<eo[a-z]>|\[UNUSED_TOKEN_\d+\]|<\|endoftext\|>"
)
_NEXT_TURN = re.compile(
    r"\n[ \t]*(?:#+[ \t]*|\*\*)?(?:question|q|human|user|instruction|problem|next question|example)\s*\d*\s*(?:\*\*)?:"
    r"|\n[^\n]*\?[ \t]*\n\s*[(\[]?A[.)\]]",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"\A\s*(?:assistant|model|ai|bot|system|chatgpt|output|response)\s*:\s*", re.IGNORECASE)
_FOOTNOTE = re.compile(r"^\[\^\w+\]:.*\Z", re.MULTILINE | re.DOTALL)
_STRUCK = re.compile(r"~~[^~\n]+~~|<(del|s|strike)>.*?</\1>", re.IGNORECASE)
_TEX_WORDS = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|it|sf|tt)|mbox|quad|displaystyle|left|right|,|;|!)\b"
)
_TEX_FENCES = re.compile(r"\\[()\[\]]|\$+")
_EMPHASIS = re.compile(r"(?<!\w)[*_`]+|[*_`]+(?!\w)|\*\*|__|`")
_HEADING = re.compile(r"^[ \t]*(?:#+[ \t]+|>[ \t]+)", re.MULTILINE)
_TAG = re.compile(r"</?\s*(answer|choice|option|final_?answer|final|response|result)\s*>", re.IGNORECASE)
_FENCE = re.compile(r"```[\w+-]*\n?")
_PRINTED = re.compile(r"\bprint\(\s*[\"']([^\"'\n]+)[\"']\s*\)")
_ANSWER_KEY = re.compile(
    r"(?:final|correct|selected|chosen|my|best|the)?_?(?:answer|choice|option|label|letter|response|prediction)"
)
_CUT_JSON = re.compile(rf"\"{_ANSWER_KEY.pattern}\"\s*:\s*\"([^\"\n]*)\"", re.IGNORECASE)
_SIGNS = {
    **dict.fromkeys(map(ord, "‘’‚ʼ′`"), "'"),
    **dict.fromkeys(map(ord, "“”„«»「」『』〝〞"), '"'),
    **dict.fromkeys(map(ord, "−‒‐‑﹣"), "-"),
    **dict.fromkeys(map(ord, "\u00a0\u2009\u202f\u3000\u200a"), " "),
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff\ufe0f\u200e\u200f"), None),
    ord("⟦"): "[", ord("⟧"): "]",  # they mark mentions, later on
    ord("。"): ". ", ord("、"): ", ", ord("؟"): "?", ord("،"): ",", ord("।"): ". ", ord("【"): "[", ord("】"): "]",
    ord("🅰"): "A", ord("🅱"): "B", ord("🅾"): "O",
}  # fmt: skip


def plain(text: str) -> str:
    """Text with one form for each sign: letters in a circle or of full width are letters, all dashes before a number
    are a minus; what changes a meaning (powers, accents, sharps) stays."""
    letters = text if text.isascii() else "".join(map(_letter, text))
    return letters.translate(_SIGNS)


def _letter(character: str) -> str:
    code = ord(character)
    if 0xFF01 <= code <= 0xFF5E or 0x24B6 <= code <= 0x24E9 or 0x1D400 <= code <= 0x1D7FF:
        return unicodedata.normalize("NFKC", character)
    if 0x1F130 <= code <= 0x1F149 or 0x1F150 <= code <= 0x1F169 or 0x1F170 <= code <= 0x1F189:
        return chr(ord("A") + (code - 0x1F130) % 0x20)
    return character


def without_reasoning(reply: str) -> str | None:
    """The reply without its reasoning; None if the reasoning does not end and nothing comes before it."""
    text = _BLOCK.sub("\n", reply)
    text = _CLOSE.sub("", text)
    if (cut := _OPEN.search(text)) is not None:
        text = text[: cut.start()]
        if not text.strip():
            return None
    return text


def own_turn(text: str) -> str:
    """The part up to where a base model goes on with somebody else's turn, or with another question."""
    for mark in (_END_OF_TURN, _NEXT_TURN):
        while (cut := mark.search(text)) is not None:
            if text[: cut.start()].strip():
                text = text[: cut.start()]
                break
            text = text[cut.end() :]
    return _SPEAKER.sub("", text)


def readable(text: str) -> str:
    """The text as a reader sees it, with an answer that is put into a box or tag written as "Answer: ..."."""
    text = _STRUCK.sub(" ", _FOOTNOTE.sub("", text))
    text = _unboxed(plain(text).replace("\\\\", "\n"))
    said = _from_json(text)
    if said is not None:
        return said
    text = _PRINTED.sub(r"Answer: \1", _FENCE.sub("\n", text))
    text = _TAG.sub(lambda m: "\n" if m[0].startswith("</") else f"\n{_tag_name(m[1])}", text)
    text = unmarked(_HEADING.sub("", text))
    text = re.sub(r"\[\^\w+\]|\"[^\"\n]{10,}\?\"", "", text)  # marks of footnotes, and questions quoted
    return re.sub(r"[ \t]+", " ", text).strip()


def unmarked(text: str) -> str:
    """Text without the marks of emphasis and TeX."""
    if re.search(r"\\[a-z(\[]|\$", text, re.IGNORECASE):
        text = _TEX_FENCES.sub("", _TEX_WORDS.sub("", text)).replace("{", "").replace("}", "")
    return _EMPHASIS.sub("", text)


def _tag_name(name: str) -> str:
    return "" if name.casefold() == "response" else "Answer: "


_BOX = re.compile(r"\\(?:f?box(?:ed)?)\s*\{")


def _unboxed(text: str) -> str:
    """\\boxed{...} as "Answer: ...", whatever braces are within; "The answer is \\boxed{B}" stays one statement."""
    parts, reach = [], 0
    for start in _BOX.finditer(text):
        if start.start() < reach:
            continue
        depth, end = 1, start.end()
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        inner = text[start.end() : end - 1] if depth == 0 else text[start.end() :]
        parts.append(f"{text[reach : start.start()].rstrip(' $([:').removesuffix(chr(92))}\nAnswer: {inner}\n")
        reach = end
    return "".join([*parts, text[reach:]])


def _from_json(text: str) -> str | None:
    """What a reply that is a JSON object (alone or in a fence) gives as its answer; None if it is none."""
    body = re.sub(r"\A\s*```[\w+-]*\s*|\s*```\s*\Z", "", text).strip()
    if not body.startswith("{"):
        return None
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        cut = _CUT_JSON.search(body)
        return f"Answer: {cut[1]}" if cut else None
    for key, said in data.items() if isinstance(data, dict) else ():
        if _ANSWER_KEY.fullmatch(re.sub(r"[ -]", "_", str(key).casefold())):
            return f"Answer: {said}" if isinstance(said, str) else ""
    return None
