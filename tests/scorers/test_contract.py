"""What every registered scorer promises, through the registry, as a task asks for it."""

import subprocess
import sys

import numpy as np
import pytest

from lm_plural.harness.errors import UsageError
from lm_plural.harness.scoring import Scorer, check_options, make_scorer, scorer_entry_points
from lm_plural.scorers.classifiers.preset_file import load_preset
from tests.scorers.tiny import save_model

BUILT_IN = {"detoxify", "evaluate", "hf_classifier", "preset", "profanity"}
MEASUREMENT = """
import datasets
import evaluate


class Shout(evaluate.Measurement):
    def _info(self):
        return evaluate.MeasurementInfo(
            description="", citation="", inputs_description="",
            features=datasets.Features({"data": datasets.Value("string")}),
        )

    def _compute(self, data):
        return {"shout": [sum(c.isupper() for c in t) / len(t) for t in data]}
"""


@pytest.fixture
def options(tmp_path, make_classifier, make_checkpoint):
    script = tmp_path / "shout.py"
    script.write_text(MEASUREMENT)
    checkpoint, base = make_checkpoint("unbiased")
    save_model(load_preset("toxicity-textdetox"), tmp_path / "textdetox")
    return {
        "profanity": {},
        "evaluate": {"measurement": str(script), "dimension": "toxicity", "range": [0, 1]},
        "hf_classifier": {"model": str(make_classifier("fine", "rude")), "labels": {"rude": "toxicity"}},
        "preset": {"preset": "toxicity-textdetox", "model": str(tmp_path / "textdetox")},
        "detoxify": {"checkpoint": str(checkpoint), "huggingface_config_path": str(base)},
    }


def test_the_built_in_scorers_are_registered():
    assert scorer_entry_points().keys() >= BUILT_IN


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_contract(name, options, samples, answered):
    scorer = make_scorer(name, options[name], trust_remote_code=name == "evaluate")
    info = scorer.info
    assert isinstance(scorer, Scorer)
    assert info.name.split(":")[0] == name
    assert "toxicity" in info.dimensions
    assert info.direction in ("more", "less")
    assert info.device
    assert info.version == make_scorer(name, options[name], trust_remote_code=True).info.version
    scores = scorer.score(samples)
    assert scores.shape == (len(samples), len(info.dimensions))
    assert scores.dtype == np.float64
    assert np.flatnonzero(~np.isnan(scores).any(axis=1)).tolist() == answered
    assert ((scores[answered] >= info.range[0]) & (scores[answered] <= info.range[1])).all()
    assert scorer.score([]).shape == (0, len(info.dimensions))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("detoxify", {"varient": "unbiased"}, "did you mean 'variant'"),
        ("detoxify", {"variant": "biased"}, "variant='biased'"),
        ("profanity", {"threshold": 0.5}, "has no option 'threshold'"),
        ("hf_classifier", {"model": "m"}, "needs the option 'labels'"),
        ("evaluate", {"measurement": "m", "dimension": "d", "range": [0]}, "option range"),
        (
            "evaluate",
            {"measurement": "m", "dimension": "d", "trust_remote_code": True},
            "only --trust_remote_code on the",
        ),
        ("profanity", {"trust_remote_code": False}, "only --trust_remote_code on the command line"),
    ],
)
def test_wrong_options_are_refused(name, given, message):
    with pytest.raises(UsageError, match=message):
        check_options(name, given)


def test_importing_a_scorer_imports_nothing_heavy():
    heavy = "{'torch', 'transformers', 'detoxify', 'evaluate', 'profanity_check', 'sklearn'}"
    modules = ", ".join(scorer_entry_points()[name].module for name in sorted(BUILT_IN))
    code = f"import sys, {modules}; found = {heavy} & sys.modules.keys(); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)
