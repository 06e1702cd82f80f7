"""What a backend cannot do without: arguments, and packages that come with an extra of ours."""

from __future__ import annotations

from importlib.util import find_spec

from lm_plural.harness.errors import UsageError, argument
from lm_plural.harness.model.spec import ModelSpec

#: Packages by the extra that brings them.
EXTRAS = {"api": ("aiohttp", "tenacity", "tiktoken"), "vllm": ("vllm",), "peft": ("peft",), "demo": ("gguf",)}
PRETRAINED = "pretrained=NAME_OR_FOLDER"
#: Arguments by how the names of backends begin.
ARGUMENTS = {
    "hf": (PRETRAINED,),
    "huggingface": (PRETRAINED,),
    "vllm": (PRETRAINED,),
    "sglang": (PRETRAINED,),
    "local-chat-completions": ("model=NAME", "base_url=http://localhost:8000/v1/chat/completions"),
    "local-completions": ("model=NAME", "base_url=http://localhost:8000/v1/completions"),
    "openai-": ("model=NAME",),
    "anthropic-": ("model=NAME",),
    "litellm": ("model=NAME",),
}


def check_arguments(spec: ModelSpec) -> None:
    """Refuse a model that nobody named.

    Raises
    ------
    UsageError
        Saying which arguments are missing.
    """
    given = {k for k, v in spec.args.items() if v not in (None, "")}
    given |= {"model"} if "pretrained" in given else set()  # lm-eval takes either for a server's
    needed = next((words for start, words in ARGUMENTS.items() if spec.backend.startswith(start)), ())
    if lacking := [word for word in needed if word.split("=")[0] not in given]:
        model, args = argument("model"), argument("model_args")
        raise UsageError(f"{model} {spec.backend} needs {args} {','.join(lacking)}")


def missing_extra(error: BaseException) -> str | None:
    """Return what to install if packages of one of our extras are what an import lacks; lm-eval names its own."""
    if not isinstance(error, ImportError):
        return None
    for extra, packages in EXTRAS.items():
        lacking = [p for p in packages if find_spec(p) is None]
        if lacking and (f"lm-eval[{extra}]" in str(error) or any(p in str(error) for p in lacking)):
            return f'{", ".join(lacking)} not installed: pip install "lm-plural[{extra}]"'
    return None
