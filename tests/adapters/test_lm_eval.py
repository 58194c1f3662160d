"""The lm-eval adapter against the hf adapter, and exported tasks against lm-eval's own runs of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from models import CHATML, PROMPTS, TEXT, Zoo, adapter, answers, battery, logprobs, say

from akb.adapters import lm_eval
from akb.adapters.cards import Card
from akb.errors import AkbError
from akb.evaluation import evaluate
from akb.registry import Registry
from akb.tasks.asking import Asking
from akb.tasks.export import export_lm_eval
from akb.tasks.multiple_choice import MultipleChoice
from akb.types import Choose, Clip, Decoding, Finish, Generate, LocalAdapter, Message, Question

NEAR = 1e-4  # nats


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterable[None]:
    """The data sets that lm-eval reads are cached below the test's own folder, and nothing is sought outside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))
        patch.setattr("datasets.config.HF_HUB_OFFLINE", True)
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        patch.setenv("AKB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def card(model: str, **more: Any) -> Card:
    return Card(name="tiny", adapter="lm-eval", model=model, **more)


def local(folder: Path, extra: str = "", **args: Any) -> lm_eval.LmEval:
    return lm_eval.build(card(f"hf,pretrained={folder},dtype=float32,batch_size=4{extra}"), args)


def farthest(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


# -- the adapter --


@pytest.mark.parametrize("template", ["none", "chat", "chat-bos"])
@pytest.mark.parametrize("bos", ["adds", "silent", "none"])
def test_the_lm_eval_adapter_answers_as_the_hf_adapter_does(zoo: Zoo, bos: str, template: str) -> None:
    folder = zoo.folder("llama", bos, template)
    ours, theirs = answers(adapter(folder), battery()), answers(local(folder), battery())
    assert farthest(logprobs(ours), logprobs(theirs)) < NEAR
    for a, b in zip(ours, theirs, strict=True):
        assert a.prompt_tokens == b.prompt_tokens
        shape = [[(s.tokens, s.characters) for s in group] for group in a.scores]
        assert shape == [[(s.tokens, s.characters) for s in group] for group in b.scores]


def test_the_system_message_is_kept_where_lm_eval_alone_would_drop_it(zoo: Zoo) -> None:
    folder = zoo.folder("llama", "adds", "no-system")
    assert "You are asked about sounds." in local(folder).context(battery()[-1])
    assert farthest(logprobs(answers(adapter(folder), battery())), logprobs(answers(local(folder), battery()))) < NEAR


def test_replies_and_log_probabilities_may_share_a_batch(zoo: Zoo) -> None:
    folder = zoo.folder("llama", "adds", "chat")
    mixed = [r for pair in zip(PROMPTS, battery(), strict=False) for r in pair]
    ours, theirs = answers(adapter(folder), mixed), answers(local(folder, batch=3), mixed)
    assert [r.text for r in ours] == [r.text for r in theirs]
    assert {r.finish for r in theirs if r.text} == {Finish.LENGTH}
    assert farthest(logprobs(ours), logprobs(theirs)) < NEAR


def test_a_stop_text_ends_a_reply(zoo: Zoo) -> None:
    folder = zoo.folder("llama", "adds", "chat")
    whole = answers(local(folder), PROMPTS[1:2])[0].text or ""
    stopped = Generate(PROMPTS[1].messages, Decoding(max_tokens=12, stop=(whole[4:7],)))
    found = answers(local(folder), [stopped])[0]
    assert (found.text, found.finish) == (whole.split(whole[4:7])[0], Finish.STOP)


def test_the_template_can_be_chosen(zoo: Zoo) -> None:
    folder, asked = zoo.folder("llama", "adds", "chat"), battery()[0]
    assert local(folder).context(asked).startswith("<|im_start|>user")
    assert local(folder, template="plain").context(asked) == "Which has reeds?\nAnswer:"
    with pytest.raises(AkbError, match="no chat template that works"):
        answers(local(zoo.folder("llama"), template="chat"), [asked])


def test_the_fingerprint_follows_the_weights_and_whatever_else_is_named(zoo: Zoo, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(zoo.folder("llama"), folder)
    before = local(folder).fingerprint()
    assert before == local(folder).fingerprint()
    assert before != local(folder, template="plain").fingerprint()
    assert before != local(folder, device="cpu").fingerprint()
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert before != local(folder).fingerprint()


def test_what_lm_eval_would_cut_is_an_error(zoo: Zoo) -> None:
    long = say(TEXT * 5)
    for request in (Choose((long,), ((" A",),), "Answer:"), Generate((long,))):
        with pytest.raises(AkbError, match="the model takes 512"):
            answers(local(zoo.folder("llama")), [request])


@pytest.mark.parametrize(
    ("model", "args", "told"),
    [
        ("hff,pretrained=x", {}, "(?s)no lm-eval model is called 'hff'.*Did you mean hf"),
        ("hf,pretrained", {}, "'pretrained' is not a setting"),
        ("hf,pretrained=x", {"templat": "chat"}, "templat: there is no such field"),
    ],
)
def test_a_wrong_name_or_setting_is_told_at_once(model: str, args: Mapping[str, Any], told: str) -> None:
    with pytest.raises(AkbError, match=told):
        lm_eval.build(card(model), args)


def test_errors_of_lm_eval_name_the_model(zoo: Zoo) -> None:
    with pytest.raises(AkbError, match="model tiny: it cannot be loaded: TypeError"):
        answers(local(zoo.folder("llama"), ",not_a_setting=1"), battery())
    dummy = lm_eval.build(card("dummy"), {})
    with pytest.raises(AkbError, match="audio"):
        answers(dummy, [Choose((Message("user", (Clip("0" * 64, "a.wav"), "What?")),), ((" A",),))])
    with pytest.raises(AkbError, match="reasoning"):
        answers(dummy, [Generate((say("What?"),), Decoding(thinking="on"))])


def test_a_model_without_a_tokenizer_counts_no_tokens() -> None:
    asked = lm_eval.build(card("dummy", template="plain"), {})
    assert isinstance(asked, LocalAdapter)
    found = answers(asked, [battery()[0], Generate((say("What?"),))])
    assert {s.tokens for group in found[0].scores for s in group} == {0}
    assert found[1].text == "lol"


def test_nothing_is_written_to_the_terminal(zoo: Zoo, capfd: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger("lm_eval").level
    answers(local(zoo.folder("llama")), [*battery()[:2], *PROMPTS[:2]])
    written = capfd.readouterr()
    assert (written.out, written.err) == ("", "")
    assert logging.getLogger("lm_eval").level == level


def test_a_model_is_named_and_run_as_on_the_command_line(zoo: Zoo, tmp_path: Path) -> None:
    folder = zoo.folder("llama")
    told: dict[str, Any] = {"protocol": "akb-v1-loglik", "limit": 6, "cache": False}
    ours = evaluate(str(folder), "akb-open", out=tmp_path / "hf", model_args={"device": "cpu"}, **told)
    theirs = evaluate(f"lm-eval:hf,pretrained={folder}", "akb-open", out=tmp_path / "lm-eval", **told)
    chosen = [[outcome.answers[0].chosen for _, outcome in run.judged()] for run in (ours, theirs)]
    assert len(chosen[0]) == 6
    assert chosen[0] == chosen[1]


# -- the export --


class Sounds(MultipleChoice):
    """Eight questions of one or two categories, three or four options, and examples; one has its key twice."""

    name = "sounds"
    categories: tuple[str, ...] = ("a",)

    def questions(self) -> Iterable[Question]:
        texts = ("a low hum", "thunder", "rain on a tin roof", "a bell", "a bell", "7", "[1, 2]", "{{ horn }}")
        for number in range(8):
            options = tuple(texts[(number + k) % 8] for k in range(3 + number % 2))
            text = f"{number}" if number == 5 else f"Which of these is heard {number} times?\n\nThink of {{x}}."
            yield Question(f"s{number}", text, options, number % 3, self.categories[number % len(self.categories)])

    def examples(self) -> Sequence[Question]:
        return [
            Question("e1", "Which is low?", ("a bell", "thunder"), 1, "a"),
            Question("e2", "Which is high?", ("a bell", "thunder"), 0, "b"),
        ]


class TwoKinds(Sounds):
    name = "two-kinds"
    categories = ("a", "b")


class Heard(Sounds):
    name = "heard"

    def questions(self) -> Iterable[Question]:
        yield Question("h", "What is it?", ("a", "b"), 0, audio=(Clip("0" * 64, "a.wav"),))


def bound(kind: type[MultipleChoice], protocol: str, system: str = "", **changes: Any) -> MultipleChoice:
    made, prompt = Registry().protocol(protocol, changes)
    return kind(Asking(made, prompt.model_copy(update={"system": system}), seed=4))


def run_lm_eval(folder: Path, model: Path, name: str, *, chat: bool) -> tuple[list[float], dict[str, float]]:
    """lm-eval's own run of an exported task: all log-probabilities in order, and its metrics."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    done = simple_evaluate(
        model="hf",
        model_args=f"pretrained={model},dtype=float32",
        tasks=[name],
        device="cpu",
        batch_size=4,
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        apply_chat_template=chat,
        bootstrap_iters=0,
    )
    samples = sorted(done["samples"][name], key=lambda sample: int(sample["doc_id"]))
    values = [float(value) for sample in samples for value, _ in sample["filtered_resps"]]
    return values, {k.partition(",")[0]: v for k, v in done["results"][name].items() if isinstance(v, float)}


def run_akb(task: MultipleChoice, model: Path, template: str) -> tuple[list[float], dict[str, float]]:
    """akb's own: the log-probabilities, and strict accuracy by the sum and by characters."""
    asked, values, scores = adapter(model, template=template), list[float](), dict[str, list[float]]()
    for question in task.questions():
        trial = task.trial(question)
        responses = answers(asked, task.requests(trial, ()))
        values += logprobs(responses[:1])
        outcome = task.judge(trial, responses)
        scores.setdefault("acc", []).append(outcome.others.get("none", outcome.score))
        scores.setdefault("acc_norm", []).append(outcome.others.get("characters", 0.0))
    return values, {rule: sum(found) / len(found) for rule, found in scores.items()}


@pytest.mark.parametrize("system", ["", "You are asked about sounds.\nBe short."])
@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("protocol", ["akb-v1-loglik", "akb-v1-listed-text", "akb-v1-cloze"])
def test_lm_eval_gives_the_log_probabilities_and_accuracy_of_akb(
    zoo: Zoo, tmp_path: Path, protocol: str, shots: int, system: str
) -> None:
    task, model = bound(Sounds, protocol, system, shots=shots), zoo.folder("llama", "adds", "chat-bos")
    paths = export_lm_eval(task, map(task.trial, task.questions()), tmp_path, "sounds")
    assert [path.name for path in paths] == ["sounds.yaml", "sounds_chat.yaml", "sounds.jsonl"]
    for name, chat in (("sounds", False), ("sounds_chat", True)):
        theirs, metrics = run_lm_eval(tmp_path, model, name, chat=chat)
        ours, rules = run_akb(task, model, "chat" if chat else "plain")
        assert farthest(ours, theirs) < NEAR
        assert metrics["acc"] == pytest.approx(rules["acc"])
        if protocol != "akb-v1-loglik":
            assert metrics["acc_norm"] == pytest.approx(rules["acc_norm"])


def test_examples_that_differ_between_questions_are_exported_as_plain_text_alone(zoo: Zoo, tmp_path: Path) -> None:
    task, model = bound(TwoKinds, "akb-v1-loglik", shots=1), zoo.folder("llama")
    paths = export_lm_eval(task, map(task.trial, task.questions()), tmp_path)
    name = "two-kinds_akb-v1-loglik_shots_1"
    assert [path.name for path in paths] == [f"{name}.yaml", f"{name}.jsonl"]
    theirs, metrics = run_lm_eval(tmp_path, model, name, chat=False)
    ours, rules = run_akb(task, model, "plain")
    assert farthest(ours, theirs) < NEAR
    assert metrics["acc"] == pytest.approx(rules["acc"])


def test_the_yaml_says_where_it_comes_from(tmp_path: Path) -> None:
    task = bound(Sounds, "akb-v1-cloze")
    path = export_lm_eval(task, map(task.trial, task.questions()), tmp_path / "new")[0]
    told = yaml.safe_load(path.read_text("utf-8"))["metadata"]
    assert told["akb_protocol"] == "akb-v1-cloze"
    assert told["akb_decides_by"] == "acc_norm"
    assert CHATML not in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("protocol", "changes", "told"),
    [
        ("akb-v1", {}, "reply in words"),
        ("akb-v1-cyclic", {}, "several orders"),
        ("akb-v1-loglik", {"spellings": (" {label}", "{label}")}, "2 spellings"),
        ("akb-v1-cloze", {"normalise": "unconditional"}, "normalise: unconditional"),
        ("akb-v1-cloze", {"normalise": "tokens"}, "normalise: tokens"),
    ],
)
def test_a_protocol_that_lm_eval_has_no_word_for_is_refused(
    tmp_path: Path, protocol: str, changes: dict[str, Any], told: str
) -> None:
    task = bound(Sounds, protocol, **changes)
    with pytest.raises(AkbError, match=told):
        export_lm_eval(task, map(task.trial, task.questions()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_question_with_audio_is_refused(tmp_path: Path) -> None:
    task = bound(Heard, "akb-v1-loglik")
    with pytest.raises(AkbError, match="--listen none"):
        export_lm_eval(task, map(task.trial, task.questions()), tmp_path)
