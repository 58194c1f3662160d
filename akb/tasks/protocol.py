"""Protocols and prompts: named, versioned bundles of everything in the asking that moves a score.

Both are small YAML files (`tasks/protocols/*.yaml`, `tasks/prompts/*.yaml`). A name is never given to other content:
a changed protocol gets a new name, and one changed on the command line is recorded as such (`akb-v1+shots=5`), so
that runs of different protocols never share a column unnoticed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import jinja2
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field, NonNegativeInt, field_validator, model_validator

from akb.errors import AkbError
from akb.extraction import RULES
from akb.strict import Strict, parse
from akb.tasks.string_match import JUDGES

Normalise = Literal["none", "tokens", "characters", "unconditional"]
NORMALISATIONS: tuple[Normalise, ...] = ("none", "tokens", "characters", "unconditional")


# the study's figure shows an "Audio Caption" block, then the question (arXiv 2603.19195)
CAPTION = """\
{% for caption in captions %}
Audio Caption{{ " " ~ loop.index if captions | length > 1 else "" }}: {{ caption }}
{% endfor %}"""


@lru_cache(maxsize=256)
def _template(source: str) -> jinja2.Template:
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)


def render(source: str, **values: Any) -> str:
    """A Jinja template filled in (sandboxed; an undefined name is an error)."""
    try:
        return _template(source).render(**values)
    except Exception as error:  # a template is a small program of the user's: it may divide by zero
        raise AkbError(f"the prompt template cannot be rendered: {error}") from None


class Prompt(Strict):
    """How a question is put into words.

    The templates are Jinja; they see `question` (empty when it is withheld), `options` (each with `label` and
    `text`), and in `reply` also `key` (the right option).

    Attributes:
        system: the system message; empty for none.
        user: the user's message.
        caption: what stands before the user's message in a cascade; it sees `captions`, one for each clip.
        reply: what an ideal reply looks like; the assistant's turn of few-shot examples.
        reply_start: how the reply begins where log-probabilities are asked; given, not scored.
        unconditional: the user's message of the prompt without a question, for unconditional normalisation.
    """

    name: str
    title: str = ""
    system: str = ""
    user: str
    caption: str = CAPTION
    reply: str
    reply_start: str = ""
    unconditional: str = ""

    @field_validator("system", "user", "caption", "reply", "unconditional")
    @classmethod
    def _compiles(cls, source: str) -> str:
        try:
            _template(source)
        except jinja2.TemplateError as error:
            raise ValueError(f"not a valid Jinja template: {error}") from None
        return source


class Protocol(Strict):
    """Everything in the asking that moves a score.

    Attributes:
        ask: "generate" (the model replies in words, the reply is read), "letters" (each option's label is scored by
            its log-probability), "text" (each option's text is).
        prompt: name of the prompt.
        shots: how many worked examples come first; they are never test items.
        order: "given", "seeded" (shuffled per item from the run's seed), "cyclic" (every rotation is asked).
        spellings: for "letters", the continuations that count for a label; their probabilities are added.
            "{label}" stands for the label.
        normalise: for "text", which rule decides: the plain sum of log-probabilities (none), divided by tokens or
            by characters, or minus the log-probability without the question (unconditional). The others are
            computed and shown as well where the responses allow.
        unconditional: ask for the log-probabilities without the question too.
        thinking: "off" (where it can be), "on", or the most tokens that reasoning may take.
        max_tokens: the most tokens of a reply, not counting reasoning.
        extraction: name of the rule that reads replies.
        also: names of further judges of replies, whose accuracies are shown beside the headline: "mmau-string-match".
    """

    name: str
    title: str = ""
    ask: Literal["generate", "letters", "text"]
    prompt: str
    shots: int = Field(default=0, ge=0, le=64)
    order: Literal["given", "seeded", "cyclic"] = "seeded"
    spellings: tuple[str, ...] = (" {label}",)
    normalise: Normalise = "none"
    unconditional: bool = False
    thinking: Literal["off", "on"] | NonNegativeInt = "off"
    max_tokens: int = Field(default=256, ge=1)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    extraction: str = "akb-1"
    also: tuple[str, ...] = ()

    @field_validator("thinking", mode="before")
    @classmethod
    def _yaml_off(cls, value: Any) -> Any:
        """YAML 1.1 reads a bare `off` as false; a budget of nothing is off as well."""
        if isinstance(value, bool):
            return "on" if value else "off"
        return "off" if value == 0 else value

    @field_validator("extraction")
    @classmethod
    def _rule_is_known(cls, name: str) -> str:
        if name not in RULES:
            raise ValueError(f"no extraction rule has this name; there are {', '.join(RULES)}")
        return name

    @field_validator("also", mode="before")
    @classmethod
    def _judges_are_known(cls, names: Any) -> Any:
        names = [names] if isinstance(names, str) else names
        for name in names if isinstance(names, list | tuple) else ():
            if name not in JUDGES:
                raise ValueError(f"no judge is called {name!r}; there are {', '.join(JUDGES)}")
        return names

    @model_validator(mode="after")
    def _consistent(self) -> Protocol:
        if self.normalise == "unconditional" and not self.unconditional:
            raise ValueError("normalise: unconditional needs unconditional: true")
        if self.unconditional and self.ask != "text":
            raise ValueError("unconditional: true belongs to ask: text")
        if self.also and self.ask != "generate":
            raise ValueError("also: judges of replies belong to ask: generate")
        if not self.spellings or any("{label}" not in s for s in self.spellings):
            raise ValueError("every spelling must contain {label}, and there must be one")
        return self

    def changed(self, changes: dict[str, Any]) -> Protocol:
        """This protocol with some fields changed, under a name that says so."""
        if not changes:
            return self
        changed = parse(Protocol, self.model_dump() | changes, f"protocol {self.name}")
        told = ",".join(f"{key}={getattr(changed, key)}" for key in sorted(changes))
        return changed.model_copy(update={"name": f"{self.name}+{told}"})
