"""Synthetic data files of a built site: the pages are copied, the numbers are invented (seeded)."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

PAGES = Path(__file__).parents[2] / "akb" / "leaderboards" / "site"
EVIL = (
    "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'> & &amp; \"quoted\" 'so' "
    "<!-- ]]> {{x}} ${window.hit = 3} javascript:alert(1) \u202e\u2028 𝄞 音 é"
)
FAMILIES = ["Qwen", "Llama", "OLMo", "Phi", "Gemini", "Claude", "GPT", "Mistral", "Gemma", "baseline"]
SUBS = (6, 14, 5, 10, 5, 8)
NAMES = ("sound", "paralinguistic", "phonetic", "music", "audio-quality", "technical")
COLUMNS = (("akb-open", "text", "akb-v1"), ("akb-open", "text", "akb-v1-cloze"), ("mmau", "audio", "letters"))


def share(right: float, n: int) -> dict[str, Any]:
    half = 1.96 * (right * (1 - right) / n + 0.25 / n**2) ** 0.5
    return {"n": n, "accuracy": r5(right), "low": r5(max(0, right - half)), "high": r5(min(1, right + half))}


def r5(x: float) -> float:
    return round(float(x), 5)


def column(task: str, setting: str, protocol: str, n: int) -> dict[str, Any]:
    groups = [
        {"name": name, "title": name.replace("-", " ").title(), "n": n // 6,
         "subcategories": [{"name": f"{name}-{i}", "title": f"{name.title()} kind {i + 1}", "n": n // 48}
                           for i in range(subs)]}
        for name, subs in zip(NAMES, SUBS, strict=True)
    ]  # fmt: skip
    return {"key": f"{task}@{setting}:{protocol}", "task": task, "taskslug": task, "version": "0.2.0",
            "protocol": protocol, "setting": setting, "n": n, "categories": groups, "chance": 0.25}  # fmt: skip


def result(of: dict[str, Any], skill: float, place: int, models: int, rng: np.random.Generator) -> dict[str, Any]:
    groups: dict[str, Any] = {}
    subs: dict[str, Any] = {}
    for group in of["categories"]:
        groups[group["name"]] = share(float(np.clip(skill + rng.normal(0, 0.05), 0.02, 0.99)), group["n"])
        for sub in group["subcategories"]:
            one = share(float(np.clip(skill + rng.normal(0, 0.1), 0.02, 0.99)), max(1, sub["n"]))
            shrunk = 0.6 * one["accuracy"] + 0.4 * skill
            extra = {"shrunk": r5(shrunk), "shrunk_low": r5(shrunk - 0.07), "shrunk_high": r5(min(1, shrunk + 0.07))}
            subs[f"{group['name']}/{sub['name']}"] = one | extra
    whole = share(skill, of["n"])
    return whole | {
        "wilson": [whole["low"], whole["high"]], "macro": r5(skill - 0.01),
        "chance_corrected": r5((skill - 0.25) / 0.75),
        "not_ok": 0.012, "coverage": 1.0, "statuses": {"ok": of["n"] - 24, "unreadable": 24},
        "rank": [max(1, place - 1), min(models, place + 1)], "rank_point": place,
        "flags": ["answered by another akb version (0.0.9)"] if place % 7 == 0 else [],
        "categories": groups, "subcategories": subs,
    }  # fmt: skip


def board(models: int, items: int, count: int, rng: np.random.Generator) -> dict[str, Any]:
    columns = [column(*names, items if names[0] == "akb-open" else min(items, 300)) for names in COLUMNS[:count]]
    skills = np.linspace(0.93, 0.24, models)
    found = []
    for i, skill in enumerate(skills):
        family = FAMILIES[i % len(FAMILIES)]
        access = "baseline" if family == "baseline" else "proprietary" if family in ("GPT", "Claude") else "open"
        size = None if access != "open" else [0.6, 4, 8, 14, 32][i % 5]
        results = {of["key"]: result(of, float(np.clip(skill + 0.05 * k * np.sin(i), 0.1, 0.98)), i + 1, models, rng)
                   for k, of in enumerate(columns) if k < 2 or i % 2 == 0}  # fmt: skip
        found.append({"slug": f"model-{i}", "name": f"{family}-{i + 1}-{size or 'X'}B", "family": family,
                      "params_b": size, "access": access, "repository": f"https://example.org/{i}" if size else None,
                      "notes": ["wrote questions of the bank"] if access == "proprietary" else [],
                      "results": results})  # fmt: skip
    pairs = [{"a": a["slug"], "b": b["slug"], "difference": 0.014, "low": 0.001 * i - 0.01, "high": 0.03 + 0.001 * i,
              "p": 0.001 * (i + 1), "p_holm": min(1.0, 0.02 * (i + 1))}
             for i, (a, b) in enumerate(pairwise(found))]  # fmt: skip
    families = {of["key"]: {"neighbours": pairs, "cochran": {"q": 812.4, "p": 1e-30}, "mdd": 0.028} for of in columns}
    return {"title": "A made-up board", "built": "2026-11-21T16:00:00Z", "akb": "0.1.0",
            "notes": ["Every number here is invented for a test."], "columns": columns, "models": found,
            "families": families}  # fmt: skip


def model(one: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    others = [other["slug"] for other in whole["models"] if other is not one]
    runs = [{"key": key, "settings": {"model": one["name"], "temperature": 0, "thinking": None, "shots": 0},
             "environment": {"python": "3.11.9", "torch": "2.9.0"}, "started": "2026-11-20T10:00:00Z", "seconds": 61.5,
             "usage": {"input_tokens": 123456}, "identity_sha256": "ab" * 32, "akb": "0.1.0"}
            for key in one["results"]]  # fmt: skip
    versus = {key: {slug: {"difference": r5(0.3 - 0.6 * i / len(others)), "low": r5(0.28 - 0.6 * i / len(others)),
                           "high": r5(0.32 - 0.6 * i / len(others)), "p": 0.01} for i, slug in enumerate(others)}
              for key in one["results"]}  # fmt: skip
    hardest = [{"name": f"phonetic/phonetic-{i}", "probability": r5(0.97 / (i + 1))} for i in range(5)]
    return {"slug": one["slug"], "runs": runs, "versus": versus, "hardest": dict.fromkeys(one["results"], hardest)}


def item(i: int, task: str, whole: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    keys = [of for of in whole["columns"] if of["taskslug"] == task]
    group = keys[0]["categories"][i % 6]
    answer, p = int(rng.integers(4)), float(rng.uniform(0.1, 1))
    options = [f"{word} of {i}" for word in ("pitch", "loudness", "timbre", "duration")]
    chosen: dict[str, Any] = {}
    for of in keys:
        picks = np.where(rng.random(len(whole["models"])) < p, answer, rng.integers(0, 4, len(whole["models"])))
        chosen[of["key"]] = {
            one["slug"]: [None, "unreadable", 0, "I cannot say."] if (i + k) % 83 == 0
            else [int(pick), "ok", int(pick == answer), f"({'ABCD'[pick]}) {options[pick]}"]
            for k, (one, pick) in enumerate(zip(whole["models"], picks, strict=True)) if of["key"] in one["results"]
        }  # fmt: skip
    found = {"id": f"{task}-{i:04d}", "version": 1, "category": group["name"], "template": f"t-{i // 4}",
             "subcategory": group["subcategories"][i // 6 % len(group["subcategories"])]["name"],
             "question": f"Which property of a sound does question {i} ask about, all else being equal?",
             "options": options, "answer": answer, "rationale": "Because it is so.", "chosen": chosen,
             "difficulty": {"p": r5(p), "low": r5(max(0, p - 0.1)), "high": r5(min(1, p + 0.1))},
             "discrimination": None if i % 50 == 0
             else {"r": r5(rng.normal(0.3, 0.1)), "low": 0.1, "high": 0.5}}  # fmt: skip
    if task == "mmau":
        found["audio"] = [f"audio/{i}.wav"]
    return found


def correlation(whole: dict[str, Any]) -> dict[str, Any]:
    names = ["akb-open text", "MMAU text", "MMAU audio", "MMAR audio"]
    pairs = []
    for i, x in enumerate(names):
        for j, y in enumerate(names[i + 1 :], i + 1):
            r = 0.95 - 0.12 * (i + j)
            n = 8 if j > 1 else 17
            points = [{"name": one["name"], "family": one["family"], "x": 40 + 3 * k,
                       "y": 50 + 2 * k + 3 * ((k * 7) % 5 - 2), "xlow": 38 + 3 * k, "xhigh": 42 + 3 * k,
                       "ylow": None if k == 0 else 47 + 2 * k + 3 * ((k * 7) % 5 - 2),
                       "yhigh": None if k == 0 else 53 + 2 * k + 3 * ((k * 7) % 5 - 2)}
                      for k, one in enumerate(whole["models"][:n])]  # fmt: skip
            pairs.append({
                "x": x, "y": y, "xunit": "%", "yunit": "%", "n": n, "pearson": r5(r),
                "fisher": [r5(r - 0.5), r5(min(0.99, r + 0.2))],
                "bca": None if j == 3 else [-0.12, 0.95], "p_perm": 0.039, "p_holm": 0.0655, "spearman": r5(r - 0.1),
                "spearman_interval": [r5(r - 0.6), 0.95], "kendall": r5(r - 0.2), "lofo": [r5(r - 0.1), r5(r), "Qwen"],
                "joint": [-0.34, 0.93] if j == 3 else None, "lomo": [r5(r - 0.2), r5(r), "Phi-4-14B"],
                "disattenuated": 0.91, "shares": j == 3,
                "partial_size": {"r": 0.788, "p": 0.035} if j > 1 else None, "points": points,
                "sentence": f"Across {n} models, {x} and {y} correlate at r = {r:.2f} (95 % interval {r - 0.5:.2f} to "
                            f"{min(0.99, r + 0.2):.2f}; permutation p = .039, .066 after Holm over six pairs).",
                "warnings": ["Only 8 models of 4 families: the interval is wide.", "Power at this n is low."]
                            if n == 8 else [],
                "regret": {"n": 7, "among": 4, "losses": [
                    {"predictor": x, "loss": 1, "low": 0, "high": 3},
                    {"predictor": "size", "loss": 2.4, "low": 0, "high": 6},
                    {"predictor": "chance", "loss": 5.5, "low": 3, "high": 8}]} if j > 1 else None,
            })  # fmt: skip
    return {"source": "invented", "pairs": pairs}


METHODS = {
    "sections": [
        {"title": "Accuracy", "text": "Share of right answers.\n\nWhat could not be read is wrong.", "source": "ours"},
        {"title": "Wilson's interval", "text": "Inverts the score test.", "source": "Wilson (1927), JASA 22, 209"},
    ],
    "coverage": [
        {"interval": "Wilson", "world": "n 2000", "default": True, "nominal": 0.95, "measured": 0.951, "error": 0.002},
        {
            "interval": "cluster bootstrap",
            "world": "10 clusters",
            "default": False,
            "nominal": 0.95,
            "measured": 0.914,
            "error": 0.003,
        },
    ],
}


def write(folder: Path, name: str, value: Any) -> None:
    path = folder / "data" / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    path.write_text(f"akbData({json.dumps(name)},{text})\n", "utf-8")


def hostile(whole: dict[str, Any]) -> None:
    """One model, its family and its flags try to be script; another has a long name and no result at all."""
    bad, bare = whole["models"][1], whole["models"][2]
    bad.update(name=EVIL, family=EVIL, notes=[EVIL], repository="javascript:window.hit=4")
    bad["results"][whole["columns"][0]["key"]]["flags"] = [EVIL]
    bare.update(name="x" * 200, results={}, family=None, access=None, params_b=None, repository=None)
    whole["notes"].append(EVIL)


def build(folder: Path, models: int = 12, items: int = 250, columns: int = 3, evil: bool = False) -> Path:
    """A whole site in the folder."""
    rng = np.random.default_rng(0)
    shutil.copytree(PAGES, folder, dirs_exist_ok=True)
    whole = board(models, items, columns, rng)
    if evil:
        hostile(whole)
    write(folder, "board", whole)
    for one in whole["models"]:
        found = model(one, whole)
        if evil:
            for run in found["runs"]:
                run["settings"][EVIL] = EVIL
        write(folder, f"models/{one['slug']}", found)
    for task, n in {of["taskslug"]: of["n"] for of in whole["columns"]}.items():
        made = [item(i, task, whole, rng) for i in range(n)]
        if evil:
            taint(made[0])
        for first in range(0, n, 100):
            write(folder, f"items/{task}/{first // 100}", {"first": first, "items": made[first : first + 100]})
    found = correlation(whole)
    if evil:
        found["pairs"][0].update(sentence=EVIL, warnings=[EVIL], x=EVIL)
    write(folder, "correlation", found)
    write(folder, "methods", METHODS)
    return folder


def taint(one: dict[str, Any]) -> None:
    one.update(question=EVIL, options=[EVIL + str(k) for k in range(4)], rationale=EVIL, difficulty=None,
               audio=["javascript:window.hit=5", "//example.org/x.wav", "https://example.org/y.wav",
                      "audio/0.wav"])  # fmt: skip
    for answers in one["chosen"].values():
        answers["model-0"] = [None, EVIL, 0, EVIL]
