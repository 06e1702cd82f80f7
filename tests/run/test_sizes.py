"""Batch sizes of a local model: kept for a resumed run, after memory ran out too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.errors import PluralError
from lm_plural.harness.model.engines import hf
from lm_plural.harness.model.load import load_engine
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.run.sizes import Sizes
from tests.jobs.test_evaluate import RATE, RESPOND, folder_of, run

NAME = "batch_sizes.json"


def never() -> int:
    raise AssertionError("a size is known")


def test_a_task_keeps_the_size_it_began_with(tmp_path: Path) -> None:
    size = Sizes(tmp_path / NAME).begin("a", None, 64, lambda: 32)
    assert (size.batch, size.fits) == (32, 32)
    assert Sizes(tmp_path / NAME).begin("a", None, 64, never) == size
    assert Sizes(tmp_path / NAME).begin("a", 32, 64, never) == size
    assert Sizes(tmp_path / NAME).begin("a", None, 16, lambda: 16).batch == 16
    assert Sizes(tmp_path / NAME).begin("a", 5, 64, never).batch == 5


def test_a_halving_is_kept_for_the_task_and_the_next_one(tmp_path: Path) -> None:
    sizes = Sizes(tmp_path / NAME)
    sizes.begin("a", 32, 64, never)
    sizes.halve("a", 8)
    again = Sizes(tmp_path / NAME)
    assert (again.begin("a", 32, 64, never).batch, again.begin("a", 32, 64, never).fits) == (32, 8)
    assert again.begin("b", None, 64, lambda: 64).fits == 8
    assert again.begin("c", None, 64, lambda: 4).fits == 4
    assert again.begin("a", 16, 64, never).fits == 16  # another size, said on the command line, is tried


@pytest.mark.parametrize("content", ["", "[]", "null", '{"a": 3}', '{"a": {"batch": 0, "fits": 1}}', "[" * 9999])
def test_a_file_that_is_none_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(PluralError, match=r"batch_sizes\.json: not the batch sizes of a run; without this file"):
        Sizes(tmp_path / NAME)


def auto(model: Path, out: Path) -> int:
    words = ("--limit", 4, "--batch_size", "auto", "--gen_kwargs", "max_gen_toks=4", "--predict_only")
    return run(model, out, "--tasks", RATE, RESPOND, *words)


def cut(out: Path, share: float) -> None:
    """Leave what a kill would have left."""
    for path in folder_of(out).glob("samples_*"):
        raw = path.read_bytes()
        path.write_bytes(raw[: int(share * len(raw))])


def samples(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder_of(out).glob("samples_*")}


def test_a_resumed_run_gives_the_same_bytes_though_there_is_less_memory(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    assert auto(tiny_model, whole) == 0
    began = json.loads((folder_of(whole) / NAME).read_text())
    assert all(size["batch"] >= 8 for size in began.values())
    expected = samples(whole)
    cut(whole, 0.4)
    monkeypatch.setattr(hf, "_free_bytes", lambda _device: 4e6)
    assert auto(tiny_model, tmp_path / "less") == 0
    assert json.loads((folder_of(tmp_path / "less") / NAME).read_text()) != began
    assert auto(tiny_model, whole) == 0
    assert samples(whole) == expected


def short_of_memory(most: int) -> Callable[..., Any]:
    """Return a loader of models whose forward pass fails above so many rows, as on a small GPU."""
    import torch

    def load(*args: Any, **kwargs: Any) -> Any:
        engine = load_engine(*args, **kwargs)
        model = engine.lm.model
        forward = model.forward

        def limited(*a: Any, **k: Any) -> Any:
            ids = k.get("input_ids", a[0] if a else None)
            if ids is not None and ids.shape[0] > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return forward(*a, **k)

        limited.__signature__ = __import__("inspect").signature(forward)  # type: ignore[attr-defined]
        model.forward = limited
        return engine

    return load


def test_a_resumed_run_gives_the_same_bytes_after_memory_ran_out(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    with monkeypatch.context() as patch:
        patch.setattr("lm_plural.harness.model.adapters.load_engine", short_of_memory(3))
        assert auto(tiny_model, whole) == 0
    sizes = json.loads((folder_of(whole) / NAME).read_text())
    assert {size["fits"] for size in sizes.values()} == {2}
    expected = samples(whole)
    cut(whole, 0.4)
    assert auto(tiny_model, whole) == 0
    assert samples(whole) == expected


def test_nothing_is_kept_for_a_backend_that_batches_by_itself(tmp_path: Path) -> None:
    from lm_plural.harness.cli.main import main

    assert main(["run", "--model", "dummy", "-t", RESPOND, "--limit", "2", "-x", "-o", str(tmp_path)]) == 0
    assert not (folder_of(tmp_path) / NAME).exists()


@pytest.mark.parametrize(("free", "generated", "scored"), [(1e12, 256, 256), (4e9, 256, 64), (1e8, 16, 8), (1, 1, 1)])
def test_the_automatic_size_fits_what_a_batch_takes(
    free: float, generated: int, scored: int, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny model: 2 layers, 2 heads of 8 for keys and values, a vocabulary of 49,152."""
    spec = ModelSpec("hf", {"pretrained": str(tiny_model), "dtype": "float32"})
    engine = load_engine(spec, batch_size=1, device="cpu")
    monkeypatch.setattr(hf, "_free_bytes", lambda _device: free)
    lengths = range(100, 400)
    assert engine.auto_batch_size(lengths, 64, 256) == generated
    assert engine.auto_batch_size(lengths, None, 256) == scored
