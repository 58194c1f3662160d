"""The README and the pages in docs/ are followed to the letter."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tones import write_tone
from toys import akb_here

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
EMBEDDED = {"akb-tiny", "akb-reader", "random", "first", "longest"}


def akb(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "akb", *arguments], capture_output=True, text=True, cwd=cwd, timeout=300
    )


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def readme_commands() -> list[str]:
    """Every akb command of the README: those in code blocks, and those in the first column of its tables."""
    found = []
    for block in blocks(README, "sh"):
        lines = (line.split("  #")[0].strip() for line in block.splitlines())
        found += [line for line in lines if line.startswith("akb ")]
    for line in README.splitlines():
        if line.startswith("| `akb "):
            found += list(re.findall(r"`(akb [^`]+)`", line.split(" | ")[0]))
    # its name alone is not a command; the gates take a quarter of a minute, and bank/test_release.py runs them
    return [command for command in found if command not in ("akb eval", "akb bank check")]


def models_of(command: list[str]) -> set[str]:
    places = [i + 1 for i, word in enumerate(command) if word in {"--model", "-m"}]
    return {name for place in places for name in command[place].split(",")}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "run"
    wanted = (("random", "phonetic", "run"), ("random", "akb-fresh/phonetic", "fresh"), ("first", "phonetic", "other"))
    for model, task, name in wanted:
        out = str(folder.parent / name)
        done = akb("eval", "-m", model, "-t", task, "--no-cache", "--out", out, cwd=folder.parent)
        assert done.returncode == 0, done.stderr
    return folder


def made_mmau(folder: Path) -> Path:
    """A folder with two questions of MMAU's form and their clips."""
    rows = []
    for number, key in enumerate(("a tone", "a higher tone")):
        write_tone(folder / "test-mini-audios" / f"{number}.wav", 440 * (number + 1))
        asked = {"id": str(number), "audio_id": f"./test-mini-audios/{number}.wav", "question": "What is heard?"}
        of = {"choices": ["a tone", "a higher tone"], "answer": key, "task": "sound", "sub-category": "Event"}
        rows.append(asked | of)
    (folder / "mmau-test-mini.json").write_text(json.dumps(rows), "utf-8")
    return folder


def test_the_readme_has_commands() -> None:
    assert len(readme_commands()) >= 13


@pytest.mark.parametrize("command", readme_commands())
def test_every_command_of_the_readme_runs(
    command: str, run_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after another, as a user gives them: what one has made (clips, captions) the next one finds."""
    words = shlex.split(command)[1:]
    made = run_folder.parent
    monkeypatch.setenv("AKB_CACHE", str(made / "cache"))
    board = made / "board" if "leaderboard" in words else tmp_path / "out"
    folders = {"RUN": run_folder, "OTHER_RUN": made / "other", "FRESH_RUN": made / "fresh", "DIR": board}
    if words[:2] == ["leaderboard", "build"] and not board.exists():
        assert akb_here(capfd, "leaderboard", "add", run_folder, made / "other", "--board", board).returncode == 0
    if words[:2] == ["leaderboard", "add"]:
        words.append("--replace")
    words = [str(folders.get(word, word)) for word in words]
    if "mmau" in words:  # whose owner's file is not here: questions of its form stand in
        (tmp_path / "akb.toml").write_text(f'[data]\nmmau = "{made_mmau(tmp_path / "mmau")}"\n', "utf-8")
    if words == ["runs"]:
        words.append(str(run_folder.parent))
    if words[0] == "eval" and not models_of(words) <= EMBEDDED:
        words.append("--dry-run")
    done = akb_here(capfd, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_run_file_of_the_readme_runs(tmp_path: Path) -> None:
    (block,) = blocks(README, "yaml")
    (tmp_path / "run.yaml").write_text(block)
    done = akb("eval", "--config", "run.yaml", "--model", "longest,first", "--no-cache", cwd=tmp_path)
    assert done.returncode == 2  # a baseline has no batches
    (tmp_path / "run.yaml").write_text(block.split("model_args")[0])
    done = akb("eval", "--config", "run.yaml", "--model", "longest,first", "--no-cache", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "akb-open/music/harmony-chords,phonetic, akb-v1-loglik+shots=2,seed=1" in done.stdout
    dry = akb("eval", "--config", "run.yaml", "--dry-run", cwd=tmp_path)
    assert "model: akb-tiny" in dry.stdout


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    (block,) = blocks(README, "python")
    script = tmp_path / "readme.py"
    script.write_text(block + "\nassert len(frame) == 217\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "akb-tiny on akb-open/phonetic" in done.stdout


def test_the_demo_runs_what_the_readme_promises() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(
        r"^demo:.*\n\tOMP_NUM_THREADS=1 \$\(BIN\)/akb eval --model akb-tiny,random,first,longest",
        makefile,
        re.MULTILINE,
    )
    assert README.index("make demo") < README.index("make test") < 1200  # the first screen


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def install(package: Path, site: Path) -> None:
    """pip install, as the page says; without its own build environment, so that it needs no network."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--target",
            str(site),
            str(package),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_the_page_on_adding_a_model_is_short_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/adding-a-model.md").read_text("utf-8")
    code = [block.splitlines() for language in ("yaml", "python", "toml") for block in blocks(page, language)]
    assert all(len(block) < 40 for block in code)
    card, adapter, project = (blocks(page, language)[0] for language in ("yaml", "python", "toml"))
    (tmp_path / "mine/adapters").mkdir(parents=True)
    (tmp_path / "mine/adapters/acme.yaml").write_text(card)
    dry = akb("eval", "--include", "mine", "--model", "acme-7b", "--task", "phonetic", "--dry-run", cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert "acme/Acme-7B-Instruct" in dry.stdout

    (tmp_path / "echo").mkdir()
    (tmp_path / "echo/echo.py").write_text(adapter)
    (tmp_path / "echo/pyproject.toml").write_text(project)
    install(tmp_path / "echo", tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    done = akb("eval", "--model", "echo:any", "--task", "phonetic", "--no-cache", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "echo-any on akb-open/phonetic, akb-v1" in done.stdout
    wrong = akb("eval", "--model", "echo:any", "--task", "phonetic", "--set", "model.replyy=B", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "replyy: there is no such field; did you mean reply?" in wrong.stderr


def test_the_page_on_adding_a_captioner_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/adding-a-captioner.md").read_text("utf-8")
    task = tmp_path / "tasks/birds"
    lines = []
    for name, seconds in (("rain", 2.5), ("dog", 1.25)):
        write_tone(task / f"audio/{name}.wav", 300, seconds)
        of = {"question": "What is heard?", "options": ["rain", "dog"], "answer": name}
        lines.append(json.dumps({"id": name, "audio": f"{name}.wav", **of}))
    (task / "task.yaml").write_text('name: birds\nversion: "1"\nquestions: [questions.jsonl]\naudio: {}\n')
    (task / "questions.jsonl").write_text("\n".join(lines))
    (tmp_path / "captions.jsonl").write_text(blocks(page, "json")[0])
    command = "eval --model first --task birds --listen caption:captions.jsonl"
    assert f"`akb {command}`" in page
    read = akb(*command.split(), "--include", ".", "--no-cache", cwd=tmp_path)
    assert read.returncode == 0, read.stderr

    (tmp_path / "mine/cascades").mkdir(parents=True)
    (tmp_path / "mine/cascades/acme.yaml").write_text(blocks(page, "yaml")[0])
    named = akb("ls", "captioners", "--include", "mine", cwd=tmp_path)
    assert "acme-listener" in named.stdout, named.stderr

    (tmp_path / "seconds").mkdir()
    (tmp_path / "seconds/seconds.py").write_text(blocks(page, "python")[0])
    (tmp_path / "seconds/pyproject.toml").write_text(blocks(page, "toml")[0])
    install(tmp_path / "seconds", tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    assert "`akb caption --task birds --with seconds:any`" in page
    made = akb("caption", "--include", ".", "--task", "birds", "--with", "seconds:any", "--set", "captioner.digits=2",
               cwd=tmp_path)  # fmt: skip
    assert made.returncode == 0, made.stderr
    (file,) = (tmp_path / "captions").glob("seconds-any*/captions.jsonl")
    assert "The clip lasts 2.50 s." in file.read_text("utf-8")


def test_the_page_on_adding_a_recipe_works(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/adding-a-recipe.md").read_text("utf-8")
    (tmp_path / "mine/lalm").mkdir(parents=True)
    (tmp_path / "mine/adapters").mkdir()
    model = (ROOT / "docs/adding-a-model.md").read_text("utf-8")
    (tmp_path / "mine/adapters/acme.yaml").write_text(blocks(model, "yaml")[0])
    (tmp_path / "mine/lalm/acme-hears.yaml").write_text(blocks(page, "yaml")[0])
    (tmp_path / "mine/lalm/clips.jsonl").write_text(blocks(page, "json")[0])
    assert "acme-hears" in akb_here(capfd, "lalm", "show", "--include", "mine").stdout
    done = akb_here(capfd, "lalm", "data", "acme-hears", "--include", "mine", "--dry-run")
    assert done.returncode == 2
    assert "1.flac" in done.stderr  # the recipe and the manifest are read; its clips are not there


def test_the_page_on_adding_a_task_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/adding-a-task.md").read_text("utf-8")
    folder = tmp_path / "mine/tasks/birds"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(blocks(page, "yaml")[0])
    (folder / "questions.csv").write_text(blocks(page, "csv")[0])
    checked = akb("validate", "mine", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "2 questions" in checked.stdout
    command = "eval --include mine --model random --task birds --protocol akb-v1-loglik --no-cache"
    assert f"akb {command.removesuffix(' --no-cache')}" in " ".join(page.split())
    done = akb(*command.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "names" in done.stdout
    assert "calls" in done.stdout

    package = tmp_path / "halves"
    package.mkdir()
    (package / "halves.py").write_text(blocks(page, "python")[0])
    (package / "pyproject.toml").write_text(
        '[project]\nname = "akb-halves"\nversion = "1.0"\n[project.entry-points."akb.tasks"]\n'
        'halves = "halves:Halves"\n[tool.setuptools]\npy-modules = ["halves"]\n'
    )
    install(package, tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    made = akb("eval", "-m", "first", "-t", "halves", "-p", "akb-v1-loglik", "--no-cache", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "first on halves, akb-v1-loglik" in made.stdout
