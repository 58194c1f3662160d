"""What processors do of their own accord: windows that they do not tell of, audio that they leave out, own prompts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers
from audio_models import CHATML, FAMILIES, RATE, TEXT, WINDOW, adapter, clip, samples, write
from models import answers, tokenizer

from akb.adapters.hf_audio import HFAudio
from akb.adapters.hf_audio_inputs import Asked, Inputs
from akb.adapters.loading import explained_load
from akb.audio import clip_of
from akb.errors import AkbError
from akb.types import Choose, Clip, Decoding, Finish, Generate, Message, Response


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: write(tmp_path_factory.mktemp(family), family) for family in FAMILIES}


def asking(*parts: Clip | str) -> Generate:
    return Generate((Message("user", parts),), Decoding(max_tokens=3))


def choosing(*parts: Clip | str) -> Choose:
    return Choose((Message("user", parts),), ((" A",), (" B",)))


def logprobs(response: Response) -> list[float]:
    return [score.logprob for (score,) in response.scores]


# -- windows ---------------------------------------------------------------------------------------------------


def of_one_beginning(folder: Path) -> tuple[Clip, Clip]:
    """Two clips of 7 s that differ from the end of the window on."""
    found = []
    for number in (1, 9):
        sound = np.concatenate([samples(WINDOW, 1), samples(7.0 - WINDOW, number)])
        soundfile.write(folder / f"same-{number}.wav", sound, RATE, subtype="FLOAT")
        found.append(clip_of(folder / f"same-{number}.wav"))
    return found[0], found[1]


def test_what_a_processor_leaves_out_of_a_clip_is_told_in_the_notes(folders: dict[str, Path], tmp_path: Path) -> None:
    pair = of_one_beginning(tmp_path)
    side = adapter(folders["qwen2_audio"])
    one, two, short = answers(
        side, [choosing(pair[0], "?"), choosing(pair[1], "?"), choosing(clip(tmp_path, 2.0), "?")]
    )
    assert logprobs(one) == logprobs(two)  # the rest is not heard
    assert [r.notes for r in (one, two)] == [{"audio": {"cut_seconds": 7.0 - WINDOW}}] * 2
    assert short.notes == {}
    [reply] = answers(side, [asking(pair[0], "?")])
    assert reply.notes == one.notes


def test_a_processor_that_takes_several_windows_hears_all(folders: dict[str, Path], tmp_path: Path) -> None:
    pair = of_one_beginning(tmp_path)
    one, two = answers(adapter(folders["audioflamingo3"]), [choosing(heard, "?") for heard in pair])
    assert logprobs(one) != logprobs(two)
    assert one.notes == two.notes == {}


def test_what_is_cut_before_the_processor_is_counted_in(folders: dict[str, Path], tmp_path: Path) -> None:
    side = adapter(folders["qwen2_audio"], longest=4.5)
    [found] = answers(side, [asking(of_one_beginning(tmp_path)[0], "?")])
    assert found.notes == {"audio": {"cut_seconds": 7.0 - WINDOW}}


def test_a_clip_beyond_the_processors_window_can_be_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    side = adapter(folders["qwen2_audio"], beyond="refuse")
    refused, heard = answers(side, [asking(of_one_beginning(tmp_path)[0], "?"), asking(clip(tmp_path, 1.9), "?")])
    assert (refused.finish, refused.notes["unhearable"]) == (Finish.ERROR, "too_long")
    assert "leaves out the last 5.00 s" in refused.error
    assert heard.finish != Finish.ERROR


def test_a_window_is_looked_for_once(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    calls, own = list[int](), Inputs.of

    def counted(*args: Any) -> Any:
        calls.append(1)
        return own(*args)

    monkeypatch.setattr(Inputs, "of", counted)
    for family, most in (("qwen2_audio", 30), ("audioflamingo3", 2)):
        side = adapter(folders[family])
        calls.clear()
        for seconds in (7.0, 5.0, 3.0, 6.9):
            side.window.unheard(Asked(asking(Clip("", "a"), "?"), (samples(seconds),)))
        assert 0 < len(calls) <= most


# -- audio that is left out, and prompts of a processor's own ----------------------------------------------------


class Deaf(transformers.Qwen2AudioProcessor):  # type: ignore[misc]
    """Gives a prompt that speaks of audio, and no audio."""

    def __call__(self, *args: Any, **told: Any) -> Any:
        made = super().__call__(*args, **told)
        for name in ("input_features", "feature_attention_mask"):
            made.pop(name, None)
        return made


class Numb(transformers.Qwen2AudioProcessor):  # type: ignore[misc]
    """Gives the features of silence, whatever there is to hear."""

    def __call__(self, *args: Any, **told: Any) -> Any:
        made = super().__call__(*args, **told)
        if "input_features" in made:
            made["input_features"] = torch.zeros_like(made["input_features"])
        return made


@pytest.mark.parametrize(("kind", "seconds"), [(Deaf, 0.2), (Deaf, 1.0), (Numb, 1.0)])
def test_a_request_whose_audio_is_left_out_is_an_error(
    kind: Any, seconds: float, folders: dict[str, Path], tmp_path: Path
) -> None:
    side = adapter(folders["qwen2_audio"])
    own = side.processor
    side.__dict__["processor"] = kind(own.feature_extractor, own.tokenizer, chat_template=own.chat_template)
    heard = clip(tmp_path, seconds)
    deaf, chosen, text = answers(side, [asking(heard, "?"), choosing(heard, "?"), asking("?")])
    assert [r.finish == Finish.ERROR for r in (deaf, chosen, text)] == [True, True, False]
    assert "leaves the audio out" in deaf.error


def voxtral(folder: Path, template: str | None) -> HFAudio:
    """Without weights: nothing is to come that far."""
    processor = transformers.VoxtralProcessor(
        transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=WINDOW), tokenizer("none", also=["[AUDIO]"])
    )
    processor.chat_template = template
    processor.save_pretrained(folder)
    transformers.VoxtralConfig(text_config={"model_type": "llama"} | TEXT).save_pretrained(folder)
    return adapter(folder)


@pytest.mark.parametrize("template", [None, CHATML % "[AUDIO]"])
def test_a_processor_that_writes_prompts_by_itself_is_an_error_of_the_model(
    template: str | None, tmp_path: Path
) -> None:
    side = voxtral(tmp_path / "voxtral", template)
    if template is None:
        side.processor.tokenizer.chat_template = None
    with pytest.raises(AkbError, match="writes prompts by itself") as told:
        answers(side, [asking(clip(tmp_path, 1.0), "?")])
    assert "openai:NAME" in told.value.fix


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_nothing_is_put_between_the_template_and_what_follows_it(end: str, folders: dict[str, Path]) -> None:
    """A template's last line end is dropped by Jinja, and is not to come back where something stands behind it."""
    side = adapter(folders["qwen2_audio"])
    start = CHATML.replace("{%% if add_generation_prompt %%}<|im_start|>assistant\n{%% endif %%}",
                           "{{ '<|im_start|>assistant:' if add_generation_prompt else '' }}")  # fmt: skip
    side.processor.chat_template = start % "<|audio_bos|><|AUDIO|><|audio_eos|>" + end
    told = side.inputs.of([Asked(asking("What?"), ())])["input_ids"]
    conversation = [{"role": "user", "content": [{"type": "text", "text": "What?"}]}]
    own = side.processor.apply_chat_template([conversation], add_generation_prompt=True, tokenize=True,
                                             return_dict=True, return_tensors="pt")["input_ids"]  # fmt: skip
    assert told.tolist() == own.tolist()


# -- packages that are missing -----------------------------------------------------------------------------------

WANTS = (  # as transformers 5.23 says it
    "\n{} requires the {} library but it was not found in your environment. Check out the instructions on the\n"
    "installation page: https://pytorch.org/get-started/locally/ and follow the ones that match your environment.\n"
)


@pytest.mark.parametrize(("name", "package"), [("Torchvision", "torchvision"), ("torchaudio", "torchaudio"),
                                               ("PIL", "pillow")])  # fmt: skip
def test_a_package_that_a_processor_wants_is_named_with_the_extra_that_brings_it(name: str, package: str) -> None:
    with (
        pytest.raises(AkbError, match=f"model tiny needs the package '{package}'") as told,
        explained_load("model tiny", "processor"),
    ):
        raise ImportError(WANTS.format("QwenVideoProcessor", name))
    assert 'pip install "akb[omni]"' in told.value.fix
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    brought = " ".join(extras["optional-dependencies"]["omni"])
    assert package in brought or package == "pillow"  # which torchvision brings


def test_another_package_that_is_missing_is_told_in_the_models_own_words() -> None:
    with (
        pytest.raises(AkbError, match=r"were not found in your environment: flash_attn\. Run `pip") as told,
        explained_load("model tiny", "model"),
    ):
        raise ImportError("This modeling file requires the following packages that\nwere not found in your "
                          "environment: flash_attn. Run `pip install flash_attn`")  # fmt: skip
    assert told.value.fix
