"""The command line: what it prints for people and for programs, and what it never prints."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from toys import akb_here, complaint

import akb as akb_package
from akb.cli.app import app, main
from akb.registry import Registry
from akb.settings import Settings

LOGLIK = ("-t", "phonetic/rhyme", "-p", "akb-v1-loglik", "--no-cache")
STUDY = [card.name for card in Registry(Settings()).cards.values() if card.study]


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Akb = Callable[..., Done]


@pytest.fixture
def akb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Akb:
    """The command line in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AKB_CACHE", str(tmp_path / "cache"))

    def run(*args: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["akb", *map(str, args)])
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


def good(done: Done) -> Done:
    assert done.code == 0, done.err
    return done


# -- every command ---------------------------------------------------------------------------------------------


def test_every_commands_json_parses_and_holds_what_its_table_shows(akb: Akb) -> None:
    (run,) = good(akb("eval", "-m", "first", *LOGLIK, "--json")).json
    assert {"path", "model", "task", "protocol", "status", "rows", "macro", "statuses", "others", "notes"} <= set(run)
    assert (run["model"], run["task"], run["status"]) == ("first", "akb-open/phonetic/rhyme", "finished")
    (plan,) = good(akb("eval", "-m", "first", *LOGLIK, "--dry-run", "--json")).json
    assert (plan["questions"], plan["requests"]) == (run["rows"][0]["n"],) * 2
    (listed,) = good(akb("runs", "--json")).json
    assert (listed["path"], listed["n"], listed["status"]) == (run["path"], run["rows"][0]["n"], "finished")
    assert good(akb("runs", run["path"], "--json")).json == run
    (scored,) = good(akb("score", run["path"], "--json")).json
    assert {**scored, "policy": "", "by_policy": 0} == {**run, "policy": "", "by_policy": 0}
    assert scored["by_policy"] == run["rows"][0]["accuracy"]
    for what in ("tasks", "models", "protocols"):
        rows = good(akb("ls", what, "--json")).json
        assert {row["name"] for row in rows} <= set(good(akb("ls", what)).out.split())
    shown = good(akb("show", "phonetic/rhyme", "--json")).json
    assert shown["requests"][0]["prompt"] in good(akb("show", "phonetic/rhyme")).out
    assert good(akb("validate", "--json")).json["findings"] == []
    assert {"extras", "keys", "devices", "content"} <= set(good(akb("doctor", "--json")).json)
    assert good(akb("runs", "--schema")).json["properties"]["identity"]


def test_eval_has_at_most_22_options_and_every_option_its_help() -> None:
    command: Any = typer.main.get_command(app)
    commands = command.commands
    assert {"eval", "score", "show", "ls", "validate", "doctor", "runs", "export"} <= set(commands)
    assert len(commands["eval"].params) <= 22
    for sub in commands.values():
        assert sub.help, sub.name
        assert all(p.help for p in sub.params if p.param_type_name == "option"), sub.name


def all_commands(found: Any, name: str = "akb") -> list[tuple[str, Any]]:
    """Every command with its whole name, those below others too."""
    return [
        pair for sub, one in getattr(found, "commands", {}).items() for pair in all_commands(one, f"{name} {sub}")
    ] or [(name, found)]


def test_the_help_of_set_tells_just_the_kinds_that_a_command_takes(akb: Akb) -> None:
    found: dict[str, set[str]] = {}
    for name, command in all_commands(typer.main.get_command(app)):
        for option in command.params:
            if "--set" in option.opts and "recipe" not in option.help:
                found[name] = set(re.findall(r"(\w+)\.KEY", option.help)) - {"NAME"}
    every = {"protocol", "model", "task", "captioner"}
    assert (found["akb eval"], found["akb lalm data"]) == (every, {"model"})
    for name, told in found.items():
        for kind in every - told:
            done = akb(*name.split()[1:], *NEEDED.get(name, ()), "--set", f"{kind}.x=1")
            assert (done.code, f"{kind}.KEY=VALUE has no meaning here" in done.err) == (2, True), (name, done.err)


def test_every_option_of_every_command_has_words_of_help() -> None:
    for name, command in all_commands(typer.main.get_command(app)):
        for option in (p for p in command.params if p.param_type_name == "option"):
            assert re.sub(r"\[default[^]]*\]", "", option.help or "").strip(". "), (name, option.opts)


def test_the_list_of_commands_cuts_no_example_in_the_middle() -> None:
    for name, command in all_commands(typer.main.get_command(app)):
        assert ": akb" not in command.get_short_help_str(64), name


def test_every_command_has_help_and_no_arguments_show_it(akb: Akb) -> None:
    usage = "Usage: .*akb"  # before the dot: how this process was started
    assert re.search(usage, "".join(map(str, akb())))
    for name in ("eval", "score", "show", "ls", "validate", "doctor", "runs", "export"):
        for flag in ("--help", "-h"):
            assert re.search(f"{usage} {name}", good(akb(name, flag)).out)


NEEDED = {  # arguments without which a command looks at nothing else
    "akb caption": ("-t", "lab-audio", "-w", "acoustic"),
    "akb bank verify": ("-w", "random"),
    "akb bank generate": ("-w", "random", "--subcategory", "rhyme", "-n", "1"),
    "akb export lm-eval": ("x",),
    "akb lalm data": ("desta-tiny",),
}

HEAVY = (
    "torch", "transformers", "tokenizers", "huggingface_hub", "datasets", "pandas", "numpy", "scipy", "openai",
    "anthropic", "google.genai", "lm_eval", "vllm", "ray",
)  # fmt: skip
COUNTING = {"numpy"}  # what a table's intervals are made with
WATCHED = f"""
import json, sys

def no_network(event, told):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise AssertionError(f"{{event}} {{told}}")

sys.addaudithook(no_network)
from akb.cli.app import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)
"""


def heavy_imports(folder: Path, *args: str) -> set[str]:
    """Which of the heavy modules a command imports, in a process of its own that may not use the network."""
    env = {**os.environ, "AKB_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *args], capture_output=True, text=True, cwd=folder, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "args",
    ["--help", "eval --help", "ls models", "ls tasks", "show phonetic/rhyme", "eval -m gpt-5 -t phonetic --dry-run"],
)
def test_looking_things_up_imports_nothing_heavy_and_asks_no_network(tmp_path: Path, args: str) -> None:
    assert heavy_imports(tmp_path, *args.split()) <= (COUNTING if args.startswith("eval -m") else set())


def test_a_run_without_clusters_of_questions_imports_no_scipy(tmp_path: Path) -> None:
    assert heavy_imports(tmp_path, "eval", "-m", "random", "-t", "phonetic/rhyme", "-n", "3") <= COUNTING


@pytest.mark.parametrize("model", ["random", "akb-tiny"])
def test_a_finished_run_is_given_again_without_torch_or_a_network(akb: Akb, tmp_path: Path, model: str) -> None:
    command = ("eval", "-m", model, "-t", "phonetic/rhyme", "-p", "akb-v1-loglik", "-n", "3")
    good(akb(*command))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/**/*.json*")}
    assert heavy_imports(tmp_path, *command) <= COUNTING
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/**/*.json*")} == before != {}


# -- eval ------------------------------------------------------------------------------------------------------


def test_away_from_a_terminal_nothing_but_the_table_is_printed(akb: Akb) -> None:
    done = good(akb("eval", "-m", "random", *LOGLIK))
    assert done.err == ""
    assert "\x1b" not in done.out
    assert "\r" not in done.out
    assert done.out.splitlines()[0] == "random on akb-open/phonetic/rhyme, akb-v1-loglik"


def test_json_is_nothing_but_json_even_for_several_runs(akb: Akb) -> None:
    runs = good(akb("eval", "-m", "random,first", "-m", "longest", *LOGLIK, "--json")).json
    assert [run["model"] for run in runs] == ["random", "first", "longest"]


def test_a_run_given_again_is_read_and_not_asked_again(akb: Akb) -> None:
    (first,) = good(akb("eval", "-m", "first", *LOGLIK, "--json")).json
    record = Path(first["path"]) / "responses.jsonl"
    before = record.stat().st_mtime_ns
    (again,) = good(akb("eval", "-m", "first", *LOGLIK, "--json")).json
    assert (again, record.stat().st_mtime_ns) == (first, before)
    good(akb("eval", "-m", "first", *LOGLIK, "--fresh", "--json"))
    assert record.stat().st_mtime_ns != before


def test_all_17_models_of_the_study_and_qwen2_7b_can_be_planned_without_keys_files_or_network(
    akb: Akb, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    models = [*STUDY, "qwen2-7b"]
    plans = good(akb("eval", "-m", ",".join(models), "-t", "akb-open", "-n", "3", "--dry-run", "--json")).json
    assert [plan["model"] for plan in plans] == models
    assert len(models) == 18
    assert {plan["protocol"] for plan in plans} == {"akb-v1"}
    assert len({plan["first"] for plan in plans}) == 1
    assert all(plan["repository"] and plan["revision"] for plan in plans)


def test_options_go_over_the_run_file_and_the_run_file_over_defaults(akb: Akb, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "model: [first, longest]\ntask: phonetic/rhyme\nprotocol: akb-v1-loglik\nseed: 3\nlimit: 4\n"
        "protocol_args: {shots: 2, order: cyclic}\n",
        "utf-8",
    )

    def config(*more: str) -> Any:
        run = good(akb("eval", "-c", "run.yaml", "--no-cache", *more, "--json")).json[0]
        return json.loads((Path(run["path"]) / "run.json").read_text("utf-8"))

    file = config()
    assert (file["config"]["seed"], file["config"]["limit"]) == (3, 4)
    assert file["protocol"] == "akb-v1-loglik+order=cyclic,shots=2,seed=3"
    over = config("--set", "protocol.shots=1", "--seed", "5", "-m", "random", "-n", "2")
    assert (over["model"], over["config"]["seed"], over["config"]["limit"]) == ("random", 5, 2)
    assert over["protocol"] == "akb-v1-loglik+order=cyclic,shots=1,seed=5"
    assert config("--shots", "0")["protocol"] == "akb-v1-loglik+order=cyclic,shots=0,seed=3"
    assert config("-t", "phonetic/syllables")["task"] == "akb-open/phonetic/syllables (first 4)"


def test_the_config_of_a_record_runs_again_to_the_same_run(akb: Akb, tmp_path: Path) -> None:
    (run,) = good(akb("eval", "-m", "random", *LOGLIK, "--seed", "4", "-s", "protocol.shots=1", "--json")).json
    config = json.loads((Path(run["path"]) / "run.json").read_text("utf-8"))["config"]
    (tmp_path / "again.yaml").write_text(json.dumps(config), "utf-8")
    (again,) = good(akb("eval", "-c", "again.yaml", "--no-cache", "--json")).json
    assert again == run


WRONG: list[tuple[str, str]] = [
    ("eval -t phonetic", "no model is named"),
    ("eval -m random", "no task is named"),
    ("eval -m rndom -t phonetic", "Did you mean random?"),
    ("eval -m random -t phonetik", "Did you mean phonetic"),
    ("eval -m random -t phonetic -p akb-v2", "no protocol is called 'akb-v2'"),
    ("eval -m random -t phonetic -n 0", "limit: Input should be greater than or equal to 1 (found 0)"),
    ("eval -m random -t phonetic --listen loud", "listen: one of audio, none, silence, shuffled, caption:NAME"),
    ("eval -m random -t phonetic --control all", "control: Input should be"),
    ("eval -m random -t phonetic -s shots=1", "'shots=1' is not a setting"),
    ("eval -m random -t phonetic -s protocol.shot=1", "shot: there is no such field"),
    ("eval -m random -t phonetic -s protocol.shots=[", "not valid YAML"),
    ("eval -m random -t phonetic -s model.x=1", "a baseline has no settings (found x)"),
    ("eval -m random -t phonetic -k 99", "shots: "),
    ("eval -m random,first -t phonetic -o here", "several runs cannot share one folder"),
    ("eval -m random -t akb-2000", "which akb does not contain"),
    ("eval -c nowhere.yaml", "nowhere.yaml: there is no such file"),
    ("eval -c list.yaml", "a run file holds settings"),
    ("eval -c odd.yaml", "odd.yaml: protocol_args: names with values are wanted (found 'shots=1')"),
    ("eval -c unknown.yaml", "unknown.yaml: colour: there is no such field"),
    ("eval -m random -t phonetic -i nowhere", "this folder does not exist"),
    (
        "eval -m random -t phonetic -o list.yaml",
        "list.yaml: cannot be written: a file is there, and a folder is wanted",
    ),
    ("eval -m random -t birds", "name: small letters from a to z, digits, dots and hyphens are wanted, first a letter"),
    ("show phonetic --item rhyme-999", "Did you mean rhyme-0"),
    ("show phonetic --item nope", "task phonetic: no question is called 'nope'\n  Its ids are such as "),
    ("show phonetic -m random", "this kind of model cannot show what it reads"),
    ("ls task", "Did you mean tasks?"),
    ("runs nowhere", "there is no such folder"),
    ("runs list.yaml", "list.yaml: this is a file; a run's folder is wanted"),
    (
        "caption -t lab-audio -w acoustic -s model.x=1",
        "--set: model.KEY=VALUE has no meaning here\n  Wanted: protocol.KEY",
    ),
    (
        "bank verify -w random -s task.x=1",
        "task.KEY=VALUE has no meaning here\n  Wanted: protocol.KEY=VALUE, model.KEY=VALUE.",
    ),
    ("export lm-eval x -s model.x=1", "model.KEY=VALUE has no meaning here"),
    ("score nowhere", "this is not a run's folder"),
    ("score . --policy lenient", "no policy is called 'lenient'"),
    ("validate nowhere", "nowhere"),
]


@pytest.mark.parametrize(("command", "told"), WRONG, ids=[case[0] for case in WRONG])
def test_what_the_user_got_wrong_is_one_clear_message_and_exit_code_2(
    akb: Akb, tmp_path: Path, command: str, told: str
) -> None:
    (tmp_path / "list.yaml").write_text("[1, 2]\n", "utf-8")
    (tmp_path / "odd.yaml").write_text("model: random\ntask: phonetic\nprotocol_args: shots=1\n", "utf-8")
    (tmp_path / "unknown.yaml").write_text("model: random\ntask: phonetic\ncolour: red\n", "utf-8")
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "task.yaml").write_text('name: "鳥"\nversion: "1"\nquestions: [q.jsonl]\n', "utf-8")
    done = akb(*command.split())
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert "Traceback" not in done.err
    assert "fault of akb" not in done.err


# -- score -----------------------------------------------------------------------------------------------------


@pytest.fixture
def cloze(akb: Akb) -> Path:
    (run,) = good(akb("eval", "-m", "longest", "-t", "music", "-p", "akb-v1-cloze", "--no-cache", "--json")).json
    return Path(run["path"])


def test_scoring_without_a_rule_writes_the_same_outcomes_again(akb: Akb, cloze: Path) -> None:
    before = {path.name: path.read_bytes() for path in cloze.iterdir()}
    (cloze / "outcomes.jsonl").write_text("", "utf-8")
    good(akb("score", cloze))
    assert {path.name: path.read_bytes() for path in cloze.iterdir()} == before


def test_scoring_by_another_rule_says_so_and_leaves_the_run_as_it_was(akb: Akb, cloze: Path) -> None:
    before = {path.name: path.read_bytes() for path in cloze.iterdir()}
    base = good(akb("runs", cloze, "--json")).json
    for rule in ("none", "tokens", "unconditional"):
        (scored,) = good(akb("score", cloze, "--normalise", rule, "--json")).json
        assert scored["protocol"] == f"akb-v1-cloze+normalise={rule}"
        assert scored["rows"][0]["accuracy"] == pytest.approx(base["others"][rule])
    assert {path.name: path.read_bytes() for path in cloze.iterdir()} == before


def test_a_run_scored_by_another_rule_can_be_kept_beside_it(akb: Akb, cloze: Path) -> None:
    (scored,) = good(akb("score", cloze, "--normalise", "none", "--save", "kept", "--json")).json
    kept = good(akb("runs", "kept", "--json")).json
    assert (kept["protocol"], kept["rows"]) == ("akb-v1-cloze+normalise=none", scored["rows"])
    again = akb("score", cloze, "--normalise", "none", "--save", "kept")
    assert (again.code, "no empty folder" in again.err) == (2, True)


def test_replies_are_read_again_by_the_rule_that_is_named(akb: Akb) -> None:
    (run,) = good(akb("eval", "-m", "first", "-t", "phonetic", "--no-cache", "--json")).json
    path = Path(run["path"]) / "responses.jsonl"
    (strict,) = good(akb("score", run["path"], "--extraction", "strict-letter", "--json")).json
    assert (strict["rows"], strict["protocol"]) == (run["rows"], "akb-v1+extraction=strict-letter")
    assert '"text":"A"' in path.read_text("utf-8")
    wrong = akb("score", run["path"], "--extraction", "loose")
    assert (wrong.code, "no extraction rule has this name" in wrong.err) == (2, True)


def test_policies_are_told_beside_the_table_and_in_json(akb: Akb, cloze: Path) -> None:
    told = {}
    for policy in ("strict", "chance", "excluded"):
        (scored,) = good(akb("score", cloze, "--policy", policy, "--json")).json
        told[policy] = scored["by_policy"]
        row = scored["rows"][0]
    assert told == {"strict": row["accuracy"], "chance": row["by_chance"], "excluded": row["readable"]}
    assert (
        f"accuracy by policy excluded: {100 * row['readable']:.1f}" in akb("score", cloze, "--policy", "excluded").out
    )


# -- show, ls, runs, doctor ------------------------------------------------------------------------------------


def test_show_prints_the_very_text_of_the_request(akb: Akb) -> None:
    shown = good(akb("show", "phonetic/rhyme", "--item", "rhyme-002", "-p", "akb-v1-loglik", "--json")).json
    (request,) = shown["requests"]
    assert shown["id"] == "rhyme-002"
    assert shown["key"] in "".join(request["options"])
    assert request["prompt"].endswith("\nAnswer:")
    assert request["continuations"] == [[" A"], [" B"], [" C"], [" D"]]
    other = good(
        akb("show", "phonetic/rhyme", "--item", "rhyme-002", "-p", "akb-v1-loglik", "--seed", "2", "--json")
    ).json
    assert sorted(text[3:] for text in other["requests"][0]["options"]) == sorted(t[3:] for t in request["options"])


@pytest.mark.slow
def test_show_for_a_local_model_gives_ids_and_counts_bos(akb: Akb) -> None:
    pytest.importorskip("transformers")
    shown = good(akb("show", "phonetic/rhyme", "-m", "akb-tiny", "-p", "akb-v1-loglik", "--json")).json
    (request,) = shown["requests"]
    assert request["tokens"] == len(request["ids"]) > 10
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(Registry(Settings()).card("akb-tiny").model)
    leading = 0
    while request["ids"][leading] == tokenizer.bos_token_id:
        leading += 1
    assert request["bos"] == leading <= 1
    assert tokenizer.decode(request["ids"][leading:]) == request["prompt"].removeprefix(tokenizer.bos_token or "")
    for (ids,), (text,) in zip(request["continuation_ids"], request["continuations"], strict=True):
        assert tokenizer.decode(ids) == text


def test_ls_shows_every_name_of_the_registry(akb: Akb) -> None:
    registry = Registry(Settings())
    assert {row["name"] for row in good(akb("ls", "models", "--json")).json} == set(registry.cards)
    assert {row["name"] for row in good(akb("ls", "protocols", "--json")).json} == set(registry.protocols)
    tasks = {row["name"] for row in good(akb("ls", "tasks", "--json")).json}
    assert {"akb-open", "akb-2000", "lab-facts", "phonetic", "phonetic/rhyme", "audio-quality"} <= tasks
    assert all(registry.select([name]) for name in tasks)


def test_a_run_that_cannot_be_read_hides_no_other(akb: Akb) -> None:
    runs = good(akb("eval", "-m", "first,longest", *LOGLIK, "--json")).json
    (Path(runs[0]["path"]) / "trials.jsonl").write_text("", "utf-8")
    listed = good(akb("runs", "--json")).json
    assert sorted(row["status"].split(":")[0] for row in listed) == ["cannot be read", "finished"]


def test_doctor_never_prints_a_keys_value(akb: Akb, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "OPENAI_API_KEY": "sk-proj-made-up-for-a-test-1",
        "ANTHROPIC_API_KEY": "sk-ant-made-up-for-a-test-2",
        "GEMINI_API_KEY": "AIza-made-up-for-a-test-3",
        "HF_TOKEN": "hf_made_up_for_a_test_4",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    for args in (("doctor",), ("doctor", "--json")):
        done = good(akb(*args))
        for name, value in secrets.items():
            assert name in done.out
            assert value[:12] not in done.out + done.err
    assert all(good(akb("doctor", "--json")).json["keys"][name] for name in secrets)
    monkeypatch.delenv("HF_TOKEN")
    assert good(akb("doctor", "--json")).json["keys"]["HF_TOKEN"] is False


# -- shells ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("akb eval -m qwen3-4b", {"qwen3-4b", "qwen3-4b-base"}),
        ("akb eval -t phonetic/r", {"phonetic/rhyme"}),
        ("akb eval -p akb-v1-l", {"akb-v1-loglik", "akb-v1-listed-text"}),
        ("akb ls pro", {"protocols"}),
    ],
)
def test_a_shell_completes_names(tmp_path: Path, words: str, wanted: set[str]) -> None:
    told = {"_AKB_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    code = "import sys; sys.argv = ['akb']; from akb.cli.app import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **told}, capture_output=True, text=True,
                          cwd=tmp_path, check=False)  # fmt: skip
    assert set(done.stdout.split()) == wanted, done.stderr


def test_a_closed_output_is_no_fault_of_akb(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "akb", "ls", "protocols"]
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], capture_output=True, text=True, cwd=tmp_path,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", ["eval -m first -t", "caption -t lab-audio -w", "eval -t phonetic -m lalm:", "score"])
def test_a_name_that_is_too_long_for_a_path_is_no_fault_of_akb(words: str, capfd: pytest.CaptureFixture[str]) -> None:
    name = "x" * 300
    given = [*words.split()[:-1], words.split()[-1] + name] if words.endswith(":") else [*words.split(), name]
    told = complaint(akb_here(capfd, *given), "too long for a file", " characters)")
    assert len(told) < 250  # it is not shown whole


def test_the_package_tells_the_version_that_is_installed() -> None:
    assert akb_package.__version__ == metadata.version("akb")


def test_baselines_are_of_no_family() -> None:
    cards = Registry(Settings()).cards
    assert {cards[name].family for name in ("random", "first", "longest")} == {""}
    assert cards["akb-tiny"].family == "akb"


def test_a_reader_that_goes_away_is_no_fault_of_akb(tmp_path: Path) -> None:
    script = shutil.which("akb", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("the command is not installed beside this Python")
    pipe = f"{script} ls tasks --json | head -n 1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout == "[\n"
    assert not re.search("Traceback|fault of akb|BrokenPipe", done.stderr)
