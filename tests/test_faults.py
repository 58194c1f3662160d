"""What users get wrong in names, settings and places: one clear message, exit code 2, and nothing is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from toys import akb, asked, complaint, digest, plugin, task

SPACE = " "

UNKNOWN = {
    "task": ("eval -m random -t phonetics", "no task is called 'phonetics'", "Did you mean phonetic"),
    "part of a task": ("eval -m random -t phonetic/rhymes", "'phonetic/rhymes'", "Did you mean phonetic/rhyme"),
    "part that nothing matches": ("eval -m random -t akb-open/xyz*", "'akb-open/xyz*'", "akb ls tasks"),
    "model": ("eval -m akb-tny -t phonetic", "no model is called 'akb-tny'", "Did you mean akb-tiny"),
    "adapter": ("eval -m openia:gpt -t phonetic", "no model is called 'openia:gpt'", "akb ls models"),
    "baseline": ("eval -m baseline:randon -t phonetic", "no baseline is called 'randon'", "Did you mean random"),
    "protocol": ("eval -m random -t phonetic -p akb-v1-logli", "'akb-v1-logli'", "Did you mean akb-v1-loglik"),
    "prompt": ("eval -m random -t phonetic -s protocol.prompt=reply-v2", "'reply-v2'", "Did you mean reply-v1"),
    "extraction": ("eval -m random -t phonetic -s protocol.extraction=akb-2", "'akb-2'", "there are akb-1"),
    "list": ("ls modles", "no list is called 'modles'", "Did you mean models"),
    "question": ("show phonetic --item rhyme", "no question is called 'rhyme'"),
    "model to show": ("show phonetic -m akb-tny", "no model is called 'akb-tny'", "Did you mean akb-tiny"),
    "protocol to show": ("show phonetic -p akb-v2", "no protocol is called 'akb-v2'", "Did you mean akb-v1"),
    "task to export": ("export lm-eval out -t phonetics", "no task is called 'phonetics'", "Did you mean phonetic"),
}

SETTINGS = {
    "no model": ("eval -t phonetic", "no model is named", "akb ls models"),
    "no task": ("eval -m random", "no task is named", "akb ls tasks"),
    "an empty model": ("eval -m , -t phonetic", "no model is named"),
    "set: a word": (
        "eval -m random -t phonetic -s nonsense",
        "--set: 'nonsense' is not a setting",
        "protocol.KEY=VALUE",
    ),
    "set: no value": ("eval -m random -t phonetic -s protocol.shots", "'protocol.shots' is not a setting"),
    "set: no key": ("eval -m random -t phonetic -s protocol.=1", "'protocol.=1' is not a setting"),
    "set: of nothing": ("eval -m random -t phonetic -s engine.x=1", "'engine.x=1' is not a setting"),
    "set: no YAML": ("eval -m random -t phonetic -s protocol.shots=[1", "--set protocol.shots:"),
    "set: no date": ("eval -m random -t phonetic -s protocol.shots=2024-13-45", "--set protocol.shots: not valid YAML"),
    "set: wrong kind": ("eval -m random -t phonetic -s protocol.max_tokens=many", "max_tokens:", "found 'many'"),
    "set: unknown field": ("eval -m random -t phonetic -s protocol.shot=1", "shot: there is no such field"),
    "set: of a baseline": ("eval -m random -t phonetic -s model.x=1", "model random: a baseline has no settings"),
    "set: of a model": ("eval -m akb-tiny -t phonetic -s model.dtyp=float32", "dtyp: there is no such field"),
    "set: of a task": ("eval -m random -t phonetic -s task.allow_all=true", "allow_all: there is no such field"),
    "limit 0": ("eval -m random -t phonetic --limit 0", "limit:", "greater than or equal to 1"),
    "too many shots": ("eval -m random -t phonetic --shots 64", "64 worked examples are wanted, the task has"),
    "impossible shots": ("eval -m random -t phonetic --shots 65", "shots:", "less than or equal to 64"),
    "listen": ("eval -m random -t phonetic --listen ear", "listen:", "audio, none"),
    "control": ("eval -m random -t phonetic --control it", "control:", "'choices-only'"),
    "dtype": ("eval -m akb-tiny -t phonetic --dtype float8", "dtype:", "'bfloat16'"),
    "out for several models": ("eval -m random,first -t phonetic -o x", "--out: several runs cannot share one folder"),
    "out for several tasks": ("eval -m random -t phonetic -t lab-facts -o x", "--out: several runs cannot share"),
    "no such run file": ("eval -c none.yaml", "none.yaml: there is no such file"),
    "no such include": ("eval -m random -t phonetic -i none", "none: this folder does not exist"),
    "no such data": ("eval -m random -t akb-2000 --data none.jsonl", "none.jsonl: cannot be read: No such file"),
    "data is a folder": ("eval -m random -t akb-2000 --data .", "cannot be read: Is a directory"),
    "akb-2000 without data": ("eval -m random -t akb-2000", "akb does not contain", "--data FILE", "akb-open"),
    "score of nothing": ("score none", "none: this is not a run's folder (it has no run.json)"),
    "policy": ("score none --policy kind", "no policy is called 'kind'", "strict, chance, excluded"),
    "runs of nothing": ("runs none", "none: there is no such folder"),
    "no folder to validate": ("validate none", "none: this folder does not exist"),
}


@pytest.mark.parametrize("case", [*UNKNOWN.values(), *SETTINGS.values()], ids=[*UNKNOWN, *SETTINGS])
def test_what_is_wrong_on_the_command_line_is_said_in_one_message(case: tuple[str, ...], tmp_path: Path) -> None:
    line, *wanted = case
    complaint(akb(*line.split()), *wanted)
    assert not list(tmp_path.rglob("responses.jsonl")), "nothing is asked before all is looked up"


# -- settings in files -----------------------------------------------------------------------------------------

RUN_FILES = {
    "no YAML": ("model: [random", "run.yaml:", "not valid YAML"),
    "not settings": ("- random", "run.yaml: a run file holds settings"),
    "unknown field": (
        "model: random\ntask: phonetic\nmodell_args: {}",
        "run.yaml: modell_args: there is no such field",
    ),
    "a number for a model": ("model: 5\ntask: phonetic", "run.yaml: model:", "5"),
    "a mapping for a model": ("model: {name: random}\ntask: phonetic", "run.yaml: model:"),
    "a number for a task": ("model: random\ntask: 5", "run.yaml: task"),
    "a list for settings": ("model: random\ntask: phonetic\nprotocol_args: [shots]", "run.yaml: protocol_args:"),
    "a seed that is none": ("model: random\ntask: phonetic\nseed: lucky", "run.yaml: seed:", "'lucky'"),
    "not UTF-8": ("model: r\udce4ndom", "run.yaml: not UTF-8 text"),
    "a control character": ("model: ran\x07dom", "run.yaml", "not valid YAML"),
}

USER_FILES = {
    "no TOML": ("runs = ", "akb.toml: not valid TOML"),
    "unknown field": ('run = "x"', "akb.toml: run: there is no such field"),
    "wrong kind": ("include = 5", "akb.toml: include:"),
    "no such include": ('include = ["none"]', "none: this folder does not exist", "akb.toml"),
    "no such bank": ('bank = "akb-closed"', "'akb-closed'", "Did you mean akb-open", "akb.toml"),
}


@pytest.mark.parametrize("case", RUN_FILES.values(), ids=RUN_FILES)
def test_a_wrong_run_file_is_named_with_its_field(case: tuple[str, ...]) -> None:
    text, *wanted = case
    Path("run.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    complaint(akb("eval", "-c", "run.yaml"), *wanted)


@pytest.mark.parametrize("case", USER_FILES.values(), ids=USER_FILES)
def test_a_wrong_akb_toml_is_named_with_its_field(case: tuple[str, ...]) -> None:
    text, *wanted = case
    Path("akb.toml").write_text(text, "utf-8")
    complaint(akb("eval", "-m", "random", "-t", "phonetic"), *wanted)


def test_a_settings_file_that_is_named_must_be_there() -> None:
    complaint(akb("ls", "models", AKB_CONFIG="mine.toml"), "mine.toml: there is no such file", "AKB_CONFIG")


# -- places ----------------------------------------------------------------------------------------------------


def test_a_file_where_the_runs_should_go_is_named() -> None:
    Path("runs").write_text("mine", "utf-8")
    complaint(akb("eval", "-m", "random", "-t", "phonetic"), "runs/random/", "cannot be written", "--out")
    assert Path("runs").read_text("utf-8") == "mine"


def test_a_file_for_a_run_s_folder_is_named() -> None:
    Path("mine").write_text("mine", "utf-8")
    complaint(akb("eval", "-m", "random", "-t", "phonetic", "-o", "mine"), "mine: cannot be written", "--out")
    assert Path("mine").read_text("utf-8") == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_folder_without_write_access_is_named() -> None:
    Path("closed").mkdir(mode=0o500)
    done = akb("eval", "-m", "random", "-t", "phonetic", "-o", "closed/run")
    complaint(done, "closed/run: cannot be written: Permission denied")


def test_a_folder_with_other_things_in_it_is_not_taken_for_a_run() -> None:
    Path("mine").mkdir()
    Path("mine/data.jsonl").write_text("{}\n", "utf-8")
    before = digest(Path("mine"))
    complaint(akb("eval", "-m", "random", "-t", "phonetic", "-o", "mine"), "mine:", "run.json", "--out")
    assert digest(Path("mine")) == before


# -- plugins ---------------------------------------------------------------------------------------------------

BROKEN = {
    "raises": "raise RuntimeError('out of tune')",
    "exits": "import sys\nsys.exit('out of tune')",
    "has no such thing": "other = 1",
    "cannot be parsed": "def build(:",
    "needs what is not there": "import no_such_package",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_told_by_name_and_takes_nothing_down(text: str, tmp_path: Path) -> None:
    path = plugin(
        tmp_path / "site",
        "akb.adapters",
        {"broken": "broken_plugin:build", "toy": "toys:build"},
        {"broken_plugin": text},
    )
    task(tmp_path / "questions")
    told = complaint(akb("eval", "-m", "broken:x", "-t", "questions", PYTHONPATH=path), "akb.adapters: broken")
    assert "the plugin cannot be loaded" in told
    done = akb("eval", "-m", "toy:local", "-t", "questions", "-s", "model.log=log", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert akb("ls", "models", PYTHONPATH=path).returncode == 0


def test_a_plugin_cannot_take_the_name_of_an_adapter_of_akb_or_of_another_plugin(tmp_path: Path) -> None:
    path = plugin(tmp_path / "site", "akb.adapters", {"baseline": "toys:build", "twin": "toys:build"})
    more = plugin(tmp_path / "more", "akb.adapters", {"twin": "toys:TOYS"})
    (tmp_path / "more/akb_adapters-1.0.dist-info").rename(tmp_path / "more/another-1.0.dist-info")
    path = os.pathsep.join([path, more])
    ours = akb("eval", "-m", "random", "-t", "phonetic", "-n", "3", PYTHONPATH=path)
    assert ours.returncode == 0, ours.stderr
    complaint(akb("eval", "-m", "twin:local", "-t", "phonetic", PYTHONPATH=path), "twin", "is taken by", "another name")
    told = akb("doctor", PYTHONPATH=path).stdout
    assert "plugin baseline" in told
    assert "is taken by akb.adapters.baselines:build" in told


def test_the_doctor_names_a_broken_plugin(tmp_path: Path) -> None:
    path = plugin(tmp_path / "site", "akb.tasks", {"broken": "broken_plugin:build"}, {"broken_plugin": BROKEN["exits"]})
    plugin(tmp_path / "more", "akb.adapters", {"toy": "toys:build"})
    done = akb("doctor", "--json", PYTHONPATH=os.pathsep.join([path, str(tmp_path / "more")]))
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)["content"]
    assert content["plugin broken"].startswith("cannot be loaded: the plugin cannot be loaded: SystemExit: out of tune")
    assert content["plugin toy"] == "toys:build"


NONSENSE = {
    "not a function": ("build = 5", "akb.adapters: odd", "int"),
    "nothing": ("def build(card, args): return None", "akb.adapters: odd", "NoneType"),
    "a factory that fails": ("def build(card, args): return args['key']", "akb.adapters: odd", "KeyError", "key"),
    "too few answers": ("answer = lambda self, b: [Response(text='A')] * (len(b) - 1)", "odd", "3 responses", "4"),
    "too many answers": ("answer = lambda self, b: [Response(text='A')] * (len(b) + 1)", "odd", "5 responses", "4"),
    "words for answers": ("answer = lambda self, b: ['A'] * len(b)", "odd", "str", "Response"),
    "no answers": ("answer = lambda self, b: None", "odd", "NoneType"),
    "a batch too few": ("last = 1", "odd", "8 requests", "no response"),
    "a batch twice": ("number = lambda self, n: 0", "odd", "batch 0"),
    "a batch that is none": ("number = lambda self, n: n + 1", "odd", "batch 3"),
    "a plan with holes": ("plan = lambda self, r: [[0, 1], [2]]", "odd", "plan"),
}

ODD = """
from akb.types import Capabilities, Response
class Odd:
    capabilities = Capabilities(choose=True, generate=True)
    last = 99
    def fingerprint(self): return {"adapter": "odd"}
    def close(self): pass
    def plan(self, requests): return [range(i, i + 4) for i in range(0, len(requests), 4)]
    def number(self, n): return n
    def answer(self, batch): return [Response(text="A")] * len(batch)
    def ask(self, batches):
        for n, batch in enumerate(batches):
            if n < self.last:
                yield self.number(n), self.answer(batch)
def build(card, args): return Odd()
"""


@pytest.mark.parametrize("case", NONSENSE.values(), ids=NONSENSE)
def test_a_plugin_that_returns_nonsense_is_told_by_name(case: tuple[str, ...], tmp_path: Path) -> None:
    text, *wanted = case
    whole = text if "build" in text else ODD.replace("def build", f"    {text}\ndef build")
    path = plugin(tmp_path / "site", "akb.adapters", {"odd": "odd_plugin:build"}, {"odd_plugin": whole})
    task(tmp_path / "questions")
    complaint(akb("eval", "-m", "odd:x", "-t", "questions", "-o", "run", PYTHONPATH=path), *wanted)


ODD_TASKS = {
    "no task": ("return 5", "akb.tasks: odd", "int"),
    "a factory that fails": ("raise KeyError('x')", "akb.tasks: odd", "KeyError"),
    "one id twice": ("return Odd(asking, [Question('a', 'x', ('p', 'q'), 0)] * 2)", "'a'", "twice"),
    "an answer that is none": (
        "return Odd(asking, [Question('a', 'x', ('p', 'q'), 2)])",
        "a:",
        "answer: 2 is out of range",
    ),
    "one option": ("return Odd(asking, [Question('a', 'x', ('p',), 0)])", "a:", "2 to 26"),
    "27 options": (
        "return Odd(asking, [Question('a', 'x', tuple('abcdefghijklmnopqrstuvwxyz!'), 0)])",
        "a:",
        "2 to 26",
    ),
    "no questions": ("return Odd(asking, [])", "no question"),
}


@pytest.mark.parametrize("case", ODD_TASKS.values(), ids=ODD_TASKS)
def test_a_task_plugin_that_makes_nonsense_is_told_before_anything_is_asked(
    case: tuple[str, ...], tmp_path: Path
) -> None:
    text, *wanted = case
    module = f"""
from akb.tasks.multiple_choice import MultipleChoice
from akb.types import Question
class Odd(MultipleChoice):
    name = "odd"
    def __init__(self, asking, found):
        super().__init__(asking)
        self.found = found
    def questions(self): return self.found
def build(asking): {text}
"""
    path = plugin(tmp_path / "site", "akb.tasks", {"odd": "odd_tasks:build"}, {"odd_tasks": module})
    complaint(akb("eval", "-m", "random", "-t", "odd", "-o", "run", PYTHONPATH=path), *wanted)
    assert not asked(tmp_path / "run/responses.jsonl")


def test_an_adapter_that_fails_is_told_without_a_traceback_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    """A fault of a plugin is called that; an OSError of its own is not taken for one of the record."""
    path = plugin(
        tmp_path / "site", "akb.adapters", {"odd": "odd_plugin:build"},
        {"odd_plugin": ODD.replace("def answer(self, batch):", "def answer(self, batch):\n        if self.last == 97: "
                                   "raise OSError('the line is dead')\n        self.last -= 1\n       ")},
    )  # fmt: skip
    task(tmp_path / "questions")
    done = akb("eval", "-m", "odd:x", "-t", "questions", "-o", "run", PYTHONPATH=path, TMPDIR=str(tmp_path))
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.startswith("akb: this is a fault of akb or of a plugin: OSError: the line is dead")
    assert len(asked(tmp_path / "run/responses.jsonl")) == 8
