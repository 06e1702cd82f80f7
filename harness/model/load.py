"""Who answers for a model: an engine of ours, or a class of lm-eval's, loaded with errors a person can act on."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lm_plural.harness.errors import PluralError, UsageError, argument, did_you_mean
from lm_plural.harness.model import server
from lm_plural.harness.model.engine import Engine, Prompter
from lm_plural.harness.model.engines import hf
from lm_plural.harness.model.engines.lm_eval import TOGETHER, LmEvalEngine
from lm_plural.harness.model.needs import missing_extra
from lm_plural.harness.model.spec import ModelSpec


class Road(NamedTuple):
    """How a model comes to answer: its engine, and who makes its prompts without the weights; see :data:`ROADS`."""

    engine: Callable[[ModelSpec, int | None, str | None, bool], Engine]
    prompter: Callable[[ModelSpec, str | None, bool], Prompter | None]


def backends() -> list[str]:
    """Return the names of backends: those of lm-eval's model registry, and of engines of ours."""
    from lm_eval.models import MODEL_MAPPING

    return sorted({*MODEL_MAPPING, *ROADS})


def check_backend(name: str) -> None:
    """Raise UsageError (with a suggestion) if there is no such backend."""
    if name not in (known := backends()):
        raise UsageError(f"unknown model backend {name!r}{did_you_mean(name, known)} (lm-plural ls models)")


def quiet(verbosity: str | None) -> None:
    """Keep third-party chatter off stderr unless asked for: our errors are one line.

    To be called before tqdm is imported, which reads its environment then.
    """
    level = getattr(logging, verbosity or "", logging.CRITICAL)
    for name in ("lm_eval", "transformers", "huggingface_hub", "accelerate", "peft", "httpx", "asyncio"):
        logging.getLogger(name).setLevel(level)
    if verbosity is None:
        for package in ("transformers", "peft", "torch", "lm_eval", "accelerate"):
            warnings.filterwarnings("ignore", module=rf"{package}(\..*)?$")
        os.environ.setdefault("TQDM_DISABLE", "1")  # other people's bars; ours says so itself
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "critical")


def load_engine(
    spec: ModelSpec, *, batch_size: int | None, device: str | None, trust_remote_code: bool = False
) -> Engine:
    """Return the engine that answers for a model; parameters and errors are those of :func:`load_model`.

    Raises
    ------
    UsageError
        If the backend does not exist.
    """
    check_backend(spec.backend)
    return ROADS.get(spec.backend, LM_EVAL).engine(spec, batch_size, device, trust_remote_code)


def load_prompter(spec: ModelSpec, *, device: str | None, trust_remote_code: bool = False) -> Prompter | None:
    """Return who makes and counts the prompts of a model that is not loaded; None where only the loaded model can.

    Of a Hugging Face model the tokenizer alone is loaded; a server's client has nothing to load. Parameters and errors
    are those of :func:`load_model`.
    """
    check_backend(spec.backend)
    return ROADS.get(spec.backend, LM_EVAL).prompter(spec, device, trust_remote_code)


def _hf_engine(spec: ModelSpec, batch_size: int | None, device: str | None, trust: bool) -> Engine:
    lm = load_model(spec, batch_size=batch_size, device=device, trust_remote_code=trust)
    return hf.HfEngine(lm, spec, batch_size or 1)


def _hf_prompter(spec: ModelSpec, device: str | None, trust: bool) -> Prompter:
    return hf.HfEngine(_made(spec, hf.without_weights, None, device, trust), spec)


def _lm_eval_engine(spec: ModelSpec, batch_size: int | None, device: str | None, trust: bool) -> Engine:
    return LmEvalEngine(load_model(spec, batch_size=batch_size, device=device, trust_remote_code=trust), spec)


def _lm_eval_prompter(spec: ModelSpec, device: str | None, trust: bool) -> Prompter | None:
    with _in_one_line(spec):
        light = spec.backend == "dummy" or hasattr(_class_of(spec), "amodel_call")
    return _lm_eval_engine(spec, None, device, trust) if light else None


#: Engines of ours, by backend.
ROADS: dict[str, Road] = dict.fromkeys(hf.NAMES, Road(_hf_engine, _hf_prompter))
#: Every other backend goes through lm-eval's own methods.
LM_EVAL = Road(_lm_eval_engine, _lm_eval_prompter)


def load_model(spec: ModelSpec, *, batch_size: int | None, device: str | None, trust_remote_code: bool = False) -> Any:
    """Return lm-eval's LM object for `spec`.

    Parameters
    ----------
    spec : ModelSpec
    batch_size : int or None
        None: an engine that batches by itself decides, any other backend begins with 1.
    device : str or None
        None: the best there is.
    trust_remote_code : bool

    Raises
    ------
    PluralError
        If the model, its packages or its adapter cannot be loaded or do not fit each other.
    """
    lm = _made(spec, lambda: _class_of(spec), batch_size, device, trust_remote_code)
    if spec.args.get("peft"):
        check_adapter(lm, str(spec.args["peft"]), spec)
    server.prepare(lm)
    return lm


def _class_of(spec: ModelSpec) -> Any:
    import lm_eval.models  # noqa: F401  registers the built-in backends
    from lm_eval.api.registry import get_model

    return get_model(spec.backend)


def _made(
    spec: ModelSpec, kind: Callable[[], Any], batch_size: int | None, device: str | None, trust_remote_code: bool
) -> Any:
    """Return an object of one of lm-eval's classes of models, made of the arguments."""
    config: dict[str, Any] = {"batch_size": batch_size or ("auto" if spec.backend in TOGETHER else 1)}
    if spec.backend in hf.NAMES:
        _quiet_transformers()
        config["device"] = _device(device) if device else _best_device()
    elif device:
        config["device"] = device
    args = spec.loaded_args | ({"trust_remote_code": True} if trust_remote_code else {})
    config = {k: v for k, v in config.items() if k not in args}
    if str(args.get("steer_path", "")).endswith((".pt", ".pth")) and not args.get("trust_remote_code"):
        trust = argument("trust_remote_code")  # lm-eval unpickles it
        raise UsageError(f"steer_path={args['steer_path']}: a pickle, which can run code; give a .csv, or {trust}")
    with _in_one_line(spec):
        return kind().create_from_arg_obj(args, config)


@contextmanager
def _in_one_line(spec: ModelSpec) -> Iterator[None]:
    """Give the user one line, whatever other people's code raises while a model is loaded."""
    try:
        yield
    except Exception as e:
        logging.getLogger(__name__).debug("loading failed", exc_info=True)
        raise PluralError(
            f"model {spec.name!r} ({spec.backend}) cannot be loaded: {missing_extra(e) or _reason(e)}"
        ) from e


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{type(error).__name__}: {text[:300]}"


def _device(name: str) -> str:
    """Return the device if it is there; lm-eval would silently take another."""
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as e:
        raise UsageError(f"{argument('device')} {name}: no such device; expected cpu, cuda, cuda:0, mps") from e
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= there.get(device.type, 1):
        raise PluralError(f"{argument('device')} {name}: not on this machine")
    return name


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def _quiet_transformers() -> None:
    import transformers

    if logging.getLogger("transformers").level >= logging.CRITICAL:
        transformers.utils.logging.set_verbosity(logging.CRITICAL)
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def check_adapter(lm: Any, adapter: str, spec: ModelSpec) -> None:
    """Refuse an adapter whose weights did not all find a place: PEFT only warns, and the base model would answer."""
    from peft import PeftModel, get_peft_model_state_dict
    from peft.utils import load_peft_weights

    model = lm.model
    if not isinstance(model, PeftModel):
        raise PluralError(f"adapter {adapter!r} was not applied to {spec.args.get('pretrained')!r}")
    stored = load_peft_weights(adapter, device="cpu") if Path(adapter).is_dir() else None
    if stored is None:
        return
    placed = get_peft_model_state_dict(model)
    if lost := sorted(set(stored) - set(placed)):
        raise PluralError(
            f"adapter {adapter!r} does not fit {spec.args.get('pretrained')!r}: "
            f"{len(lost)} of {len(stored)} weights have no place, the first is {lost[0]}"
        )
