"""Several specs that differ in their adapter only: their base is loaded once, and each answers as if loaded alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lm_plural.harness.errors import PluralError, UsageError, argument
from lm_plural.harness.model.engine import Engine
from lm_plural.harness.model.engines import hf
from lm_plural.harness.model.load import check_adapter, load_engine, load_model
from lm_plural.harness.model.spec import ModelSpec, fingerprint

#: What PEFT calls the only adapter of a model.
NAME = "default"
#: Options of LoRA by which an adapter may change the base, or be only one of its kind.
NOT_PLAIN = (
    "modules_to_save",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
    "alora_invocation_tokens",
)
#: Ways to begin LoRA's weights that leave the base's as they are; PiSSA and others take their part out of it.
PLAIN_BEGINNINGS = (True, False, "gaussian")


def args_of_each(
    args: Mapping[str, Any], adapters: Sequence[str | os.PathLike[str]], backend: str = "hf"
) -> list[dict[str, Any]]:
    """Return a base's arguments with each adapter in turn; without adapters, the arguments alone.

    Raises
    ------
    UsageError
        If the backend takes none, the arguments name one themselves, or one is named twice.
    PluralError
        If one is neither on disk nor on the Hub: said before the first one begins.
    """
    if not adapters:
        return [dict(args)]
    names = [os.fspath(a) for a in adapters]
    if backend not in hf.NAMES:
        raise UsageError(f"{argument('adapter')} {names[0]}: backend {backend!r} takes none; expected hf")
    if args.get("peft"):
        raise UsageError(f"{argument('adapter')} {names[0]}: peft={args['peft']} is an adapter, too; expected one way")
    if twice := [a for a in names if names.count(a) > 1]:
        raise UsageError(f"{argument('adapter')} {twice[0]}: given twice")
    for name in names:
        fingerprint(name, "main", "adapter")
    return [{**args, "peft": name} for name in names]


class SharedBase:
    """Gives the engine of one spec after the other; the base stays loaded where the next differs in its adapter only.

    An engine answers until the next one is asked for. Only plain LoRA adapters are exchanged; others may change the
    base, so that what follows them is loaded anew.
    """

    def __init__(self) -> None:
        self._lm: Any = None
        self._loaded: tuple[Any, ...] = ()

    def engine(
        self, spec: ModelSpec, *, batch_size: int | None, device: str | None, trust_remote_code: bool = False
    ) -> Engine:
        """Return the engine of a spec; parameters and errors are those of :func:`harness.model.load.load_engine`."""
        how: dict[str, Any] = {"batch_size": batch_size, "device": device, "trust_remote_code": trust_remote_code}
        if spec.backend not in hf.NAMES or not spec.args.get("peft"):
            self._let_go()
            return load_engine(spec, **how)
        base = replace(spec, args={k: v for k, v in spec.args.items() if k != "peft"})
        if self._loaded != (base, device, trust_remote_code) or not _exchanged(self._lm, spec):
            self._let_go()
            self._lm = load_model(spec, **how)
            self._loaded = (base, device, trust_remote_code)
        return hf.HfEngine(self._lm, spec, batch_size or 1)

    def _let_go(self) -> None:
        """Make room: two bases may not fit into memory."""
        if self._lm is not None:
            self._lm, self._loaded = None, ()
            hf.free_memory()


def _exchanged(lm: Any, spec: ModelSpec) -> bool:
    """Put a spec's adapter in the place of another; False, whatever is left of the model, if it cannot be."""
    from peft import PeftConfig

    adapter, revision = str(spec.args["peft"]), str(spec.args.get("revision", "main"))
    try:
        if not (_plain(lm.model.peft_config[NAME]) and _plain(PeftConfig.from_pretrained(adapter, revision=revision))):
            return False
        lm.model.delete_adapter(NAME)
        lm.model.load_adapter(adapter, NAME, revision=revision)
        lm.model.set_adapter(NAME)
        check_adapter(lm, adapter, spec)
    except (PluralError, ValueError, RuntimeError, KeyError, TypeError, OSError):
        return False  # loaded alone it answers, or says what is wrong with it
    return True


def _plain(config: Any) -> bool:
    """Return whether an adapter is LoRA that leaves the base's weights as they are."""
    lora = config.peft_type == "LORA" and config.bias == "none"
    return lora and config.init_lora_weights in PLAIN_BEGINNINGS and not any(getattr(config, n, 0) for n in NOT_PLAIN)
