"""A real server with OpenAI's API and the embedded model behind it: it must answer as the model does here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apis import Asked, Reply, Server, put

from akb.adapters.cards import Card
from akb.adapters.hf import HF
from akb.adapters.remote import Remote
from akb.errors import AkbError
from akb.registry import Registry
from akb.tasks import asking
from akb.types import Choose, Message, Request, Response

pytest.importorskip("openai", reason="the SDK openai is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def local() -> HF:
    adapter = Registry().adapter(Registry().cards["akb-tiny"], {"device": "cpu"})
    assert isinstance(adapter, HF)
    return adapter


def requests(protocol: str, **changes: Any) -> list[Request]:
    """How some twenty questions of the task that is free to all are asked, taken at even distances."""
    registry = Registry()
    how = asking.Asking(*registry.protocol(protocol, changes))
    found = list(registry.task("akb-open", how).questions())
    chosen = found[:: max(1, len(found) // 20)][:20]
    return [asking.request(question, range(len(question.options)), how) for question in chosen]


def remote(url: str, model: str, **args: Any) -> Remote:
    card = Card(name="m", adapter="openai", model=model)
    adapter = Registry().adapter(card, {"base_url": url, "key_env": "AKB_TEST_KEY", "concurrency": 1} | args)
    assert isinstance(adapter, Remote)
    return adapter


# -- transformers' own server ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def serving(local: HF, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `transformers serve` with the embedded model; it is ended whatever happens."""
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve",
               str(local.snapshot.folder), "--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1",
               "--port", str(port)]  # fmt: skip
    log = tmp_path_factory.mktemp("server") / "log"
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1"}
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | quiet) as process:
        try:
            _until_up(process, f"http://127.0.0.1:{port}/health", log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def _until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        if process.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text()[-2000:]}")
        try:
            with opener.open(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server does not come up: {log.read_text()[-2000:]}")


def test_a_server_replies_as_the_model_in_this_process_does(
    serving: str, local: HF, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AKB_TEST_KEY", "none")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    adapter = remote(serving, str(local.snapshot.folder))
    for request in requests("akb-v1"):
        [here], there = local.answer([request]), put(adapter, request)
        assert (there.text, there.finish) == (here.text, here.finish)
        assert (there.prompt_tokens, there.completion_tokens) == (here.prompt_tokens, here.completion_tokens)
        assert there.served_model


def test_a_server_that_knows_no_log_probabilities_says_so(
    serving: str, local: HF, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AKB_TEST_KEY", "none")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    adapter = remote(serving, str(local.snapshot.folder))
    with pytest.raises(AkbError, match="gives no log-probabilities"):
        put(adapter, Choose((Message("user", ("?",)),), ((" A",), (" B",))))


# -- a server that shows the model's real log-probabilities ----------------------------------------------------


def showing(local: HF, asked: Asked) -> Reply:
    """An answer as vLLM gives it: the most probable first tokens, after the beginning of the reply if it is given."""
    body, renderer = asked.body, local.renderer
    *turns, last = body["messages"]
    start = ""
    if body.get("continue_final_message"):
        start = last["content"]
    else:
        turns = [*turns, last]
    messages = tuple(Message(turn["role"], (turn["content"],)) for turn in turns)
    ids = renderer.ids(renderer.text(Choose(messages, ((" A",),), start)))
    with torch.inference_mode():
        logits = local._model(input_ids=torch.tensor([ids])).logits[0, -1]
    values, tokens = torch.log_softmax(logits.float(), -1).topk(body["top_logprobs"])
    shown = [
        {"token": renderer.tokenizer.decode([token]), "logprob": value, "bytes": None}
        for token, value in zip(tokens.tolist(), values.tolist(), strict=True)
    ]
    message = {"role": "assistant", "content": shown[0]["token"]}
    logprobs = {"content": [{**shown[0], "top_logprobs": shown}]}
    choice = {"index": 0, "finish_reason": "length", "message": message, "logprobs": logprobs}
    usage = {"prompt_tokens": len(ids), "completion_tokens": 1, "total_tokens": len(ids) + 1}
    told = {"id": "c1", "object": "chat.completion", "created": 1, "model": "akb-tiny"}
    return 200, {}, {**told, "choices": [choice], "usage": usage}


def letter_requests(start: str) -> list[Choose]:
    """The letters alone, because the embedded model's tokens are bytes: a space before them is a token of its own."""
    made = requests("akb-v1-loglik", spellings=("{label}",))
    return [Choose(r.messages, r.continuations, start, r.options) for r in made if isinstance(r, Choose)]


@pytest.mark.parametrize("shown", [20, 4, 1])
@pytest.mark.parametrize("start", ["Answer: ", ""])
def test_shown_letters_have_the_models_own_values_and_the_others_true_bounds(
    server: Server, local: HF, shown: int, start: str
) -> None:
    server.answer = lambda asked: showing(local, asked)
    adapter = remote(f"{server.url}/v1", "akb-tiny", prefill=True, top_logprobs=shown)
    exact = bounded = 0
    for request in letter_requests(start):
        [here], there = local.answer([request]), put(adapter, request)
        assert there.prompt_tokens == here.prompt_tokens
        for mine, theirs in zip(flat(here), flat(there), strict=True):
            assert (mine.tokens, mine.characters) == (theirs.tokens, theirs.characters)
            if theirs.upper_bound:
                assert mine.logprob <= theirs.logprob + 1e-4
                bounded += 1
            else:
                assert theirs.logprob == pytest.approx(mine.logprob, abs=1e-4)
                exact += 1
    assert exact + bounded >= 40
    assert exact > 0 or start == ""
    assert bounded > 0 or shown == 20


def flat(response: Response) -> list[Any]:
    return [score for group in response.scores for score in group]
