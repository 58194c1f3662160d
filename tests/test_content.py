"""Where content is found: in a checkout at once, in an installed wheel away from it, never in the current folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from akb import content
from akb.errors import AkbError

CHECKOUT = Path(__file__).resolve().parents[1]
TASK = 'name: new-task\nversion: "1"\nquestions: [q.jsonl]\n'
QUESTION = '{"id": "1", "question": "q?", "choices": ["x", "y"], "answer": 0}\n'


def akb(*args: str, path: Path, cwd: Path) -> str:
    """The command line of the akb that lies in `path`, run in `cwd`."""
    env = {**os.environ, "PYTHONPATH": str(path), "AKB_CACHE": str(cwd / ".cache")}
    done = subprocess.run(
        [sys.executable, "-c", "from akb.cli.app import main; main()", *args],
        cwd=cwd, env=env, capture_output=True, text=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def where(path: Path, cwd: Path) -> str:
    """The folder from which that akb takes its content."""
    env = {**os.environ, "PYTHONPATH": str(path)}
    code = "import akb.content as c; print(c.builtin())"
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A small checkout of its own: the package and its content, as `pip install -e` would put it on the path."""
    tree = tmp_path / "checkout"
    left_out = shutil.ignore_patterns("__pycache__", "akb-tiny", "lab-facts")
    for folder in ("akb", "tasks", "adapters"):
        shutil.copytree(CHECKOUT / folder, tree / folder, ignore=left_out)
    shutil.copy(CHECKOUT / "pyproject.toml", tree)
    return tree


def test_a_checkout_on_the_path_sees_files_that_are_added_later(copy: Path, tmp_path: Path) -> None:
    assert "new-task" not in akb("ls", "tasks", path=copy, cwd=tmp_path)
    (copy / "tasks" / "new-task").mkdir()
    (copy / "tasks" / "new-task" / "task.yaml").write_text(TASK, "utf-8")
    (copy / "tasks" / "new-task" / "q.jsonl").write_text(QUESTION, "utf-8")
    (copy / "adapters" / "new.yaml").write_text(
        "family: New\nmodels: [{name: new-model, adapter: baseline, model: first}]\n", "utf-8"
    )
    assert "new-task" in akb("ls", "tasks", path=copy, cwd=tmp_path)
    assert "new-model on new-task" in akb("eval", "-m", "new-model", "-t", "new-task", path=copy, cwd=tmp_path)


def test_this_environments_own_install_takes_its_content_from_the_checkout() -> None:
    if content.builtin() == CHECKOUT / "akb" / "_content":
        pytest.fail("the checkout's pyproject.toml was not recognised")
    assert (content.builtin() / "tasks" / "akb-open" / "task.yaml").is_file()


def test_content_never_comes_from_the_current_folder(copy: Path, tmp_path: Path) -> None:
    decoy = tmp_path / "decoy"
    (decoy / "tasks" / "decoy-task").mkdir(parents=True)
    (decoy / "tasks" / "decoy-task" / "task.yaml").write_text(TASK.replace("new-task", "decoy-task"), "utf-8")
    (decoy / "pyproject.toml").write_text('[project]\nname = "akb"\n', "utf-8")
    assert where(copy, decoy) == str(copy)
    assert "decoy-task" not in akb("ls", "tasks", path=copy, cwd=decoy)


@pytest.mark.parametrize("text", ['[project]\nname = "other"\n', "", "not toml [", None])
def test_folders_beside_the_package_count_only_if_the_project_there_is_akb(
    copy: Path, tmp_path: Path, text: str | None
) -> None:
    """In site-packages, folders such as `tasks` may lie beside the package and be anybody's."""
    if text is None:
        (copy / "pyproject.toml").unlink()
    else:
        (copy / "pyproject.toml").write_text(text, "utf-8")
    assert where(copy, tmp_path) == str(copy / "akb" / "_content")


def test_a_folder_that_is_included_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="this folder does not exist"):
        content.roots([tmp_path / "nowhere"])
    assert content.roots([tmp_path]) == (content.builtin(), tmp_path.resolve())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel made from it; no network is needed."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--skip-dependency-check",
        "--outdir",
        str(out),
        str(CHECKOUT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def files(*folders: str) -> set[str]:
    """The checkout's files below some folders, as a package should hold them."""
    paths = (p for folder in folders for p in (CHECKOUT / folder).rglob("*"))
    kept = (p for p in paths if p.is_file() and not {"__pycache__"} & set(p.parts) and not p.name.startswith("."))
    return {str(p.relative_to(CHECKOUT)) for p in kept}


CONTENT = ("tasks", "adapters", "cascades", "lalm", "leaderboards")


@pytest.mark.slow
def test_the_sdist_holds_all_content_and_what_is_needed_to_test_it(built: Path) -> None:
    (path,) = built.glob("akb-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert files(*CONTENT, "akb", "tests") <= names
    assert {"pyproject.toml", "LICENSE", "README.md", "Makefile", "tasks/akb-open/LICENSE"} <= names
    assert not any(name.startswith(("runs/", ".venv/", "shared/")) for name in names)


@pytest.mark.slow
def test_the_wheel_holds_all_content_once_with_its_licences(built: Path) -> None:
    (path,) = built.glob("akb-*.whl")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    assert {f"akb/_content/{name}" for name in files(*CONTENT)} <= set(names)
    assert files("akb") <= set(names)
    assert "akb/py.typed" in names
    assert {name.partition(".dist-info/")[2] for name in names if "/licenses/" in name} >= {
        "licenses/LICENSE",
        "licenses/tasks/akb-open/LICENSE",
    }
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"akb"}


@pytest.mark.slow
def test_an_installed_wheel_finds_its_content_away_from_the_checkout_and_runs(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("akb-*.whl")
    site, away = tmp_path / "site", tmp_path / "away"
    away.mkdir()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    assert where(site, away) == str(site / "akb" / "_content")
    table = akb("eval", "-m", "random", "-t", "phonetic", "-p", "akb-v1-loglik", path=site, cwd=away)
    assert table.splitlines()[0] == "random on akb-open/phonetic, akb-v1-loglik"
    assert (away / "runs" / "random").is_dir()
    assert "0 errors, 0 warnings" in akb("validate", path=site, cwd=away)
