"""Model folders that are damaged and packages that are not there: one clear message that says what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from toys import Done, akb, akb_here, complaint, row, task

from akb import content

BLOCKER = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in {names!r} else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


def without(tmp_path: Path, *names: str) -> str:
    """PYTHONPATH of a Python that does not have these packages."""
    site = tmp_path / "without"
    site.mkdir()
    (site / "sitecustomize.py").write_text(BLOCKER.format(names=names), "utf-8")
    return str(site)


# -- packages that are not there -------------------------------------------------------------------------------

LOGLIK = ("-t", "phonetic", "-n", "1", "-p", "akb-v1-loglik", "--no-cache")
EXTRAS = {
    "torch": (("eval", "-m", "akb-tiny", *LOGLIK), "'torch'", 'pip install "akb[hf]"'),
    "transformers": (("eval", "-m", "akb-tiny", *LOGLIK, "--device", "cpu"), "'transformers'", 'pip install "akb[hf]"'),
    "huggingface_hub": (("eval", "-m", "hf:x/y", *LOGLIK), "'huggingface_hub'", 'pip install "akb[hf]"'),
    "lm_eval": (("eval", "-m", "lm-eval:dummy", *LOGLIK), "lm_eval", 'pip install "akb[lm-eval]"'),
    "pyarrow": (("eval", "-m", "random", "-t", "akb-2000", "--data", "x.parquet"), "pyarrow", 'install "akb[data]"'),
    "openai": (("eval", "-m", "openai:x", "-t", "phonetic", "-n", "1"), "openai", 'pip install "akb[openai]"'),
    "anthropic": (("eval", "-m", "anthropic:x", "-t", "phonetic"), "anthropic", 'pip install "akb[anthropic]"'),
    "google": (("eval", "-m", "google:x", "-t", "phonetic", "-n", "1"), "google", 'pip install "akb[google]"'),
}  # fmt: skip


@pytest.mark.parametrize("package", EXTRAS)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args, *wanted = EXTRAS[package]
    Path("x.parquet").write_bytes(b"PAR1")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "x")
    complaint(akb(*args, PYTHONPATH=without(tmp_path, package)), *wanted)


def test_a_missing_pandas_is_named_where_it_is_wanted(tmp_path: Path) -> None:
    assert akb("eval", "-m", "random", "-t", "phonetic", "-o", "run").returncode == 0
    script = "from akb import AkbError\nfrom akb.run import Run\ntry:\n    Run.load('run').to_dataframe()\n"
    script += "except AkbError as error:\n    raise SystemExit(str(error))\n"
    done = python(script, without(tmp_path, "pandas"))
    assert done.returncode == 1
    assert "needs the package 'pandas'" in done.stderr
    assert 'pip install "akb[data]"' in done.stderr


def python(script: str, path: str) -> Done:
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60)


def test_the_doctor_tells_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    done = akb("doctor", "--json", PYTHONPATH=without(tmp_path, "torch", "lm_eval", "pandas"))
    assert done.returncode == 0, done.stderr
    told = {extra["extra"]: extra for extra in json.loads(done.stdout)["extras"]}
    assert told["hf"]["missing"] == ["torch"]
    assert told["hf"]["mend"] == 'pip install "akb[hf]"'
    assert told["lm-eval"]["mend"] == 'pip install "akb[lm-eval]"'
    assert told["data"]["missing"] == ["pandas"]


def test_the_doctor_survives_a_torch_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/torch.py").write_text("raise OSError('libcudart.so: cannot open shared object file')", "utf-8")
    done = akb("doctor", PYTHONPATH=str(tmp_path / "bad"))
    assert done.returncode == 0, done.stderr
    assert "libcudart.so" in done.stdout


def test_baselines_and_lists_need_none_of_the_extras(tmp_path: Path) -> None:
    path = without(tmp_path, "torch", "transformers", "lm_eval", "pandas", "pyarrow", "openai", "anthropic", "google")
    assert akb("eval", "-m", "random,first", "-t", "phonetic", PYTHONPATH=path).returncode == 0
    assert akb("ls", "models", PYTHONPATH=path).returncode == 0
    assert akb("runs", PYTHONPATH=path).returncode == 0
    assert akb("eval", "-m", "akb-tiny", "-t", "phonetic", "--dry-run", PYTHONPATH=path).returncode == 0


# -- damaged model folders -------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return shutil.copytree(content.builtin() / "adapters/akb-tiny", tmp_path / "mine")


def ask(capfd: pytest.CaptureFixture[str], model: Path, *more: str) -> Done:
    args = ("eval", "-m", f"{model}", "--device", "cpu", "--no-cache", "-o", "run", "-p", "akb-v1-loglik", *more)
    return akb_here(capfd, *args, *(() if "-t" in more else ("-t", "phonetic", "-n", "2")))


def cut(name: str) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        data = (model / name).read_bytes()
        (model / name).write_bytes(data[: len(data) // 2])

    return damage


def away(name: str) -> Callable[[Path], None]:
    return lambda model: (model / name).unlink()


def write(name: str, text: str) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        (model / name).write_text(text, "utf-8")

    return damage


FOLDERS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "no config": (away("config.json"), ("the folder holds no model: config.json is missing",)),
    "config cut": (cut("config.json"), ("config.json:", "not valid JSON")),
    "config that is a list": (write("config.json", "[]"), ("config.json: an object is wanted",)),
    "config of an unknown kind": (write("config.json", '{"model_type": "x"}'), ("cannot be loaded",)),
    "config of an impossible dtype": (write("config.json", '{"dtype": "float7"}'), ("cannot be loaded", "float7")),
    "weights cut": (cut("model.safetensors"), ("the model cannot be loaded",)),
    "weights that are none": (write("model.safetensors", "x"), ("the model cannot be loaded",)),
    "no weights": (away("model.safetensors"), ("the model cannot be loaded",)),
    "no tokenizer": (away("tokenizer.json"), ("the model has no tokenizer", "tokenizer.json")),
    "tokenizer cut": (cut("tokenizer.json"), ("the tokenizer cannot be loaded",)),
    "a template that fails": (write("chat_template.jinja", "{{ nonsense.x }}"), ("the chat template fails",)),
    "a template that does not compile": (write("chat_template.jinja", "{% if %}"), ("the chat template fails",)),
    "settings of the tokenizer cut": (cut("tokenizer_config.json"), ("the tokenizer cannot be loaded",)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", FOLDERS.values(), ids=FOLDERS)
def test_a_damaged_model_folder_is_told_in_one_message(
    case: tuple[Callable[[Path], None], tuple[str, ...]], model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    damage, wanted = case
    damage(model)
    complaint(ask(capfd, model), "mine", *wanted)


def test_a_folder_without_a_model_is_told() -> None:
    Path("empty").mkdir()
    complaint(akb("eval", "-m", "empty", "-t", "phonetic"), "empty: the folder holds no model: config.json is missing")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["akb-v1", "akb-v1-loglik"])
def test_a_question_that_is_too_long_is_named_before_anything_is_asked(
    protocol: str, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    long = {**row(1), "question": "q001: " + "which of these sounds is it? " * 2000}
    questions = task(Path("long"), [row(0), long])
    told = complaint(
        ask(capfd, model, "-t", str(questions), "-p", protocol), "a question takes", "the model takes", "q001:"
    )
    assert "model mine" in told
    assert not Path("run/responses.jsonl").exists()


@pytest.mark.slow
def test_a_device_that_is_not_there_is_told(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    complaint(ask(capfd, model, "--device", "cuda:99"), "model mine", "cuda:99", "akb doctor")
    shutil.rmtree("run")
    complaint(ask(capfd, model, "--device", "gpu"), "model mine", "'gpu' is not a torch device")
