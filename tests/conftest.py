"""What many tests need: no network, a tiny real model, the command line as a function."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.suite import Suite

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.pop("COLUMNS", None)  # pytest-xdist says 80: tests see tables as they are without a terminal

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests read and fetch out of the user's cache; only the embedded model's weights are shared with it."""
    from lm_plural.harness.files import cache_dir
    from lm_plural.harness.model.embedded import embedded_model

    weights = embedded_model()
    own = tmp_path_factory.mktemp("cache")
    if weights.parent == cache_dir():
        (own / weights.name).symlink_to(weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LM_PLURAL_CACHE", str(own))
        yield


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with real rating data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("LM_PLURAL_DATA_MIRROR") or ROOT.parent / "shared" / "data")
    if not (folder / "popquorn").is_dir():
        pytest.skip(f"no mirror of the rating data at {folder} (set LM_PLURAL_DATA_MIRROR)")
    return folder


def build_tiny_model(folder: Path, *, hidden: int = 32, layers: int = 2, seed: int = 0) -> Path:
    """Save a randomly initialised Llama with the embedded model's tokenizer and chat template."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from lm_plural.harness.model.embedded import embedded_model

    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real Hugging Face causal model of 3 million random weights, in float32."""
    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """A tiny valid data set with tasks, for a test to break in one way."""
    return Suite(tmp_path / "tasks")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A real file system that fills up."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(kilobytes: int) -> Path:
        options = f"{'remount,' if os.path.ismount(place) else ''}size={kilobytes}k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount a tmpfs: {done.stderr.decode().strip()}")
        return place

    yield mount
    subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)


@pytest.fixture(scope="session")
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``lm-plural`` in a process of its own, as a user does."""

    def run(*args: object, timeout: float = 300, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lm_plural", *map(str, args)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **env},
            check=False,
        )

    return run
