import subprocess
import sys

import numpy as np

from lm_plural.harness.scoring import Sample, Scorer
from lm_plural.scorers.classifiers.profanity import profanity


def test_rude_ranks_above_kind():
    scorer = profanity()
    rude, kind = scorer.score([Sample("", "Damn you, you stupid idiot."), Sample("", "What a lovely day!")])
    assert rude[0] > 0.5 > kind[0]


def test_shape_and_range_and_gaps(samples, answered):
    scorer = profanity()
    scores = scorer.score(samples)
    assert isinstance(scorer, Scorer)
    assert scores.shape == (len(samples), 1)
    assert scores.dtype == np.float64
    assert np.flatnonzero(~np.isnan(scores[:, 0])).tolist() == answered
    assert ((scores[answered] >= 0) & (scores[answered] <= 1)).all()


def test_nothing_answered_and_nothing_asked():
    scorer = profanity()
    assert np.isnan(scorer.score([Sample("", None), Sample("", " ")])).all()
    assert scorer.score([]).shape == (0, 1)


def test_info_tells_package_and_model():
    info = profanity().info
    assert info.dimensions == ("toxicity",)
    assert info.version == profanity().info.version
    assert "model=sha256:" in info.version


def test_another_scikit_learn_does_not_warn():
    # In a fresh process, because a process unpickles the model once; the pickle names another version.
    code = (
        "import sklearn.base; sklearn.base.__version__ = '0.0.1';"
        "from lm_plural.scorers.classifiers.profanity import profanity; profanity()"
    )
    subprocess.run([sys.executable, "-W", "error:Trying to unpickle", "-c", code], check=True)
