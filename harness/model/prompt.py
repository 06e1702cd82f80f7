"""A prompt as a model sees it: system prompt, chat template, what the answer begins with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lm_plural.harness.errors import PluralError

#: Makes a prompt of messages: a text, or, where a server does it, something that says so.
Template = Callable[[list[dict[str, str]]], Any]


def as_text(prompt: Any) -> str:
    """Return a prompt as text; one whose template a server applies, as the messages it is sent."""
    return prompt if isinstance(prompt, str) else getattr(prompt, "prompt", str(prompt))


def framed(
    text: str,
    template: Template | None,
    *,
    system: str | None = None,
    description: str = "",
    gen_prefix: str = "",
    model: str = "",
) -> Any:
    """Return the prompt as the model sees it.

    Parameters
    ----------
    text : str
    template : callable, optional
        The model's chat template; without it the prompt is plain text.
    system : str, optional
        The user's system prompt, before the task's.
    description : str
        The task's system prompt.
    gen_prefix : str
        What the answer begins with.
    model : str
        Its name, for errors.

    Raises
    ------
    PluralError
        If a server applies the template, so that nothing can be put behind it.
    """
    system = "\n\n".join(part for part in (system, description) if part)
    if template is None:
        return (f"{system}\n\n" if system else "") + text + gen_prefix
    messages = [{"role": "system", "content": system}] if system else []
    templated = template([*messages, {"role": "user", "content": text.strip()}])
    if not gen_prefix:
        return templated
    if isinstance(templated, str):
        return templated + gen_prefix
    raise PluralError(f"model {model!r}: the server applies the chat template, so gen_prefix cannot be used")
