import json
import os
from contextlib import suppress

import numpy as np
import pytest
import torch
import transformers

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.scoring import Sample, Scorer
from lm_plural.scorers.classifiers.hf_classifier import hf_classifier


def make(folder, labels, **options):
    return hf_classifier(model=str(folder), labels=labels, device="cpu", **options)


def expected_logits(folder, texts):
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        rows = [network(**tokenizer(t, truncation=True, max_length=512, return_tensors="pt")).logits for t in texts]
    return torch.cat(rows).double()


def test_softmax_adds_labels_of_one_dimension(make_classifier, samples, answered):
    folder = make_classifier("fine", "rude", "hateful")
    scorer = make(folder, {"rude": "toxicity", "hateful": "toxicity", "fine": "kindness"})
    scores = scorer.score(samples)
    assert isinstance(scorer, Scorer)
    assert scorer.info.dimensions == ("toxicity", "kindness")
    assert scorer.info.name == "hf_classifier:tiny"
    assert np.flatnonzero(~np.isnan(scores).any(axis=1)).tolist() == answered
    np.testing.assert_allclose(scores[answered].sum(axis=1), 1)
    theirs = expected_logits(folder, [samples[i].response for i in answered]).softmax(dim=1)
    np.testing.assert_allclose(scores[answered, 1], theirs[:, 0], atol=1e-5)
    assert np.ptp(scores[answered, 0]) > 1e-3


def test_sigmoid_takes_the_greatest(make_classifier, samples, answered):
    folder = make_classifier("fine", "rude", "hateful", problem_type="multi_label_classification")
    scores = make(folder, {"1": "toxicity", "LABEL_2": "toxicity"}).score(samples)
    theirs = expected_logits(folder, [samples[i].response for i in answered]).sigmoid()
    np.testing.assert_allclose(scores[answered, 0], theirs[:, 1:].amax(dim=1), atol=1e-5)


def test_single_label_is_a_sigmoid(make_classifier, samples, answered):
    folder = make_classifier("rude")
    scores = make(folder, {"rude": "toxicity"}).score(samples)
    theirs = expected_logits(folder, [samples[i].response for i in answered]).sigmoid()
    np.testing.assert_allclose(scores[answered], theirs, atol=1e-5)
    with pytest.raises(UsageError, match="softmax over one label is always 1"):
        make(folder, {"rude": "toxicity"}, activation="softmax")


def test_a_label_under_two_names_counts_once(make_classifier, samples):
    folder = make_classifier("fine", "rude")
    twice = make(folder, {"rude": "toxicity", "LABEL_1": "toxicity", "1": "toxicity"})
    np.testing.assert_array_equal(twice.score(samples), make(folder, {"rude": "toxicity"}).score(samples))


def test_batches_and_order_do_not_change_scores(make_classifier, samples):
    folder = make_classifier("fine", "rude")
    whole = make(folder, {"rude": "toxicity"}).score(samples)
    np.testing.assert_allclose(make(folder, {"rude": "toxicity"}, max_tokens=1).score(samples), whole, atol=1e-5)
    mixed = make(folder, {"rude": "toxicity"}, max_tokens=24).score(samples[::-1])[::-1]
    np.testing.assert_allclose(mixed, whole, atol=1e-5)


def test_half_precision_weights_are_widened(make_classifier, samples):
    folder = make_classifier("fine", "rude")
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder).to(torch.bfloat16)
    network.save_pretrained(folder)
    whole = make(folder, {"rude": "toxicity"}).score(samples)
    alone = make(folder, {"rude": "toxicity"}, max_tokens=1).score(samples)
    np.testing.assert_allclose(alone, whole, atol=1e-5)


def test_prompt_counts_when_asked_for(make_classifier):
    folder = make_classifier("fine", "rude")
    pair = [Sample("hello world", "damn fool"), Sample("lovely day", "damn fool")]
    alone = make(folder, {"rude": "toxicity"}).score(pair)
    both = make(folder, {"rude": "toxicity"}, input="prompt_and_response").score(pair)
    assert alone[0] == pytest.approx(alone[1], abs=1e-6)
    assert both[0] != pytest.approx(both[1], abs=1e-6)


def test_model_without_padding_goes_one_by_one(make_decoder, samples, answered):
    scores = make(make_decoder(padding=False), {"LABEL_1": "toxicity"}).score(samples)
    assert np.isfinite(scores[answered]).all()


def test_model_with_padding_only_in_its_tokenizer(make_decoder, samples):
    folder = make_decoder(padding=True)
    whole = make(folder, {"LABEL_1": "toxicity"}).score(samples)
    alone = make(folder, {"LABEL_1": "toxicity"}, max_tokens=1).score(samples)
    np.testing.assert_allclose(alone, whole, atol=1e-5)


def test_version_follows_weights_and_options(make_classifier):
    one = make_classifier("fine", "rude", seed=0, name="one")
    other = make_classifier("fine", "rude", seed=1, name="other")
    labels = {"rude": "toxicity"}
    versions = [
        make(one, labels).info.version,
        make(other, labels).info.version,
        make(one, {"fine": "toxicity"}).info.version,
        make(one, labels, input="prompt_and_response").info.version,
    ]
    assert len(set(versions)) == len(versions)
    assert make(one, labels, max_tokens=1).info.version == versions[0]


def test_unknown_label_is_refused_with_a_suggestion(make_classifier):
    folder = make_classifier("fine", "rude")
    with pytest.raises(UsageError, match=r"no label 'rud'; did you mean 'rude'\? \(it has fine, rude\)"):
        make(folder, {"rud": "toxicity"})
    with pytest.raises(UsageError, match="labels is empty"):
        make(folder, {})


def test_models_that_cannot_be_used(tmp_path, headless):
    with pytest.raises(PluralError, match="no such folder") as caught:
        make(tmp_path / "nowhere", {"rude": "toxicity"})
    assert "\n" not in str(caught.value)
    with pytest.raises(PluralError, match=r"not a trained sequence classifier: it lacks classifier\.bias"):
        make(headless, {"LABEL_1": "toxicity"})


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, ran):
        self.ran = ran

    def __reduce__(self):
        return os.system, (f"touch {self.ran}",)


def test_pickled_weights_run_no_code(make_classifier, tmp_path):
    folder, ran = make_classifier("fine", "rude"), tmp_path / "ran"
    (folder / "model.safetensors").unlink()
    torch.save({"classifier.weight": Command(ran)}, folder / "pytorch_model.bin")
    with pytest.raises(PluralError, match="a pickle that holds code; use safetensors") as caught:
        make(folder, {"rude": "toxicity"})
    assert "\n" not in str(caught.value)
    assert not ran.exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_in_the_repository_is_not_run(file, make_classifier, tmp_path):
    folder, ran = make_classifier("fine", "rude"), tmp_path / "ran"
    (folder / "code.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\n")
    known = json.loads((folder / file).read_text())
    names = {"AutoConfig": "code.C", "AutoModelForSequenceClassification": "code.M", "AutoTokenizer": ["code.T", None]}
    (folder / file).write_text(json.dumps(known | {"auto_map": names, "model_type": "unknown", "tokenizer_class": "T"}))
    with suppress(PluralError):  # a tokenizer is read without its code where that is possible
        make(folder, {"rude": "toxicity"})
    assert not ran.exists()
