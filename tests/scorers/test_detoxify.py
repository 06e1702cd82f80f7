import os
import pickle

import numpy as np
import pytest
import torch
from detoxify import Detoxify

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.files import sha256_file
from lm_plural.harness.scoring import Sample, Scorer
from lm_plural.scorers.classifiers.detoxify import detoxify
from lm_plural.scorers.classifiers.detoxify_checkpoint import VARIANTS

COMMON = {"toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack"}


def make(made, variant="original", **options):
    path, base = made
    return detoxify(variant=variant, checkpoint=str(path), huggingface_config_path=str(base), device="cpu", **options)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scores_are_those_of_the_library(variant, make_checkpoint, samples, answered):
    path, base = make_checkpoint(variant)
    scorer = make((path, base), variant)
    scores = scorer.score(samples)
    assert isinstance(scorer, Scorer)
    assert scorer.info.name == f"detoxify:{variant}"
    assert scorer.info.dimensions[0] == "toxicity"
    assert set(scorer.info.dimensions) - {"sexual_explicit"} == COMMON
    assert scores.shape == (len(samples), len(scorer.info.dimensions))
    assert np.flatnonzero(~np.isnan(scores).any(axis=1)).tolist() == answered

    library = Detoxify(checkpoint=str(path))
    library.tokenizer.model_max_length = 512  # what the published base models' tokenizers say
    theirs = library.predict([samples[i].response for i in answered])
    for column, dimension in enumerate(scorer.info.dimensions):
        np.testing.assert_allclose(scores[answered, column], theirs[dimension], atol=1e-5)
    assert np.ptp(scores[answered, 0]) > 1e-3  # the tiny model does tell texts apart


def test_batches_and_order_do_not_change_scores(make_checkpoint, samples):
    made = make_checkpoint("unbiased")
    whole = make(made, "unbiased").score(samples)
    np.testing.assert_allclose(make(made, "unbiased", max_tokens=1).score(samples), whole, atol=1e-5)
    np.testing.assert_allclose(make(made, "unbiased", max_tokens=24).score(samples[::-1])[::-1], whole, atol=1e-5)


def test_version_has_the_checkpoint_hash(make_checkpoint):
    one, other = make_checkpoint("original", seed=0), make_checkpoint("original", seed=1)
    assert f"checkpoint=sha256:{sha256_file(one[0])}" in make(one).info.version
    assert make(one).info.version == make(one).info.version != make(other).info.version
    (one[1] / "tokenizer_config.json").write_text("{}")
    assert make(other).info.version != make(one).info.version


def test_wrong_variant_is_refused_with_the_right_one(make_checkpoint):
    with pytest.raises(UsageError, match="not detoxify:unbiased; say variant: 'original'"):
        make(make_checkpoint("original"), "unbiased")


def test_missing_and_wrong_checkpoints(tmp_path, make_checkpoint):
    _, base = make_checkpoint("original")
    text, other = tmp_path / "text.ckpt", tmp_path / "other.ckpt"
    text.write_text("hello")
    torch.save({"weights": torch.zeros(2)}, other)
    for path, message in [
        (tmp_path / "none.ckpt", "no such detoxify checkpoint"),
        (text, "not a detoxify checkpoint"),
        (other, "lacks 'config' or 'state_dict'"),
    ]:
        with pytest.raises(PluralError, match=message) as caught:
            make((path, base))
        assert "\n" not in str(caught.value)


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, ran):
        self.ran = ran

    def __reduce__(self):
        return os.system, (f"touch {self.ran}",)


@pytest.mark.parametrize("where", ["config", "state_dict", "more", "plain pickle"])
def test_a_checkpoint_that_would_run_code_is_refused(where, make_checkpoint, tmp_path):
    path, base = make_checkpoint("original")
    ran, loaded = tmp_path / "ran", torch.load(path)
    if where == "plain pickle":
        path.write_bytes(pickle.dumps(Command(ran), protocol=2))
    else:
        loaded[where] = {**loaded.get(where, {}), "x": Command(ran)}
        torch.save(loaded, path)
    with pytest.raises(PluralError, match=r"refused: it holds posix\.system, .* safetensors .*hf_classifier") as caught:
        make((path, base))
    assert "\n" not in str(caught.value)
    assert not ran.exists()


def test_a_checkpoint_names_no_other_class_of_transformers(make_checkpoint):
    path, base = make_checkpoint("original")
    loaded = torch.load(path)
    loaded["config"]["arch"]["args"]["tokenizer_name"] = "AutoModel"
    torch.save(loaded, path)
    with pytest.raises(PluralError, match="tokenizer 'AutoModel'; expected BertTokenizer"):
        make((path, base))


@pytest.mark.parametrize("change", ["config", "missing", "shape"])
def test_damaged_checkpoints(change, make_checkpoint):
    path, base = make_checkpoint("original")
    loaded = torch.load(path)
    if change == "config":
        del loaded["config"]["arch"]["args"]["num_classes"]
    elif change == "missing":
        del loaded["state_dict"]["classifier.weight"]
    else:
        loaded["state_dict"]["classifier.weight"] = torch.zeros(6, 3)
    torch.save(loaded, path)
    message = {"config": "'num_classes'", "missing": "weights are missing", "shape": "do not fit"}[change]
    with pytest.raises(PluralError, match=message):
        make((path, base))


def test_base_model_that_cannot_be_had(make_checkpoint, tmp_path):
    path, _ = make_checkpoint("original")
    with pytest.raises(PluralError, match=r"cannot load config and tokenizer .* huggingface_config_path:"):
        make((path, tmp_path / "nowhere"))


def test_download_that_fails_says_how_to_go_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # a port where nothing listens
    with pytest.raises(PluralError, match=r"cannot download .* offline, give that file as checkpoint:") as caught:
        detoxify(variant="original", device="cpu")
    assert "\n" not in str(caught.value)


def test_checkpoint_in_the_hub_cache_is_used(tmp_path, monkeypatch, make_checkpoint):
    path, base = make_checkpoint("original")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / "toxic_original-c1212f89.ckpt"
    cached.parent.mkdir(parents=True)
    path.rename(cached)
    scorer = detoxify(variant="original", huggingface_config_path=str(base), device="cpu")
    assert sha256_file(cached) in scorer.info.version
    assert scorer.score([Sample("", "hello")]).shape == (1, 6)
