"""Adapters and models that do or do not fit each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import build_tiny_model


def build_adapter(model: Path, folder: Path, config: Any, *, seed: int = 1) -> Path:
    """Save an adapter of a model with weights that change its answers."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(model), config)
    for weight in adapted.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=1.0)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter of the tiny model."""
    from peft import LoraConfig

    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    return build_adapter(tiny_model, tmp_path_factory.mktemp("adapter") / "lora", config)


@pytest.fixture(scope="session")
def wider_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose weights have other shapes than the tiny one's."""
    return build_tiny_model(tmp_path_factory.mktemp("models") / "wider", hidden=48)
