"""The scorer ``profanity``: alt-profanity-check, a linear model that its package carries: no download."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path

from lm_plural.harness.scoring import Listed, ScorerInfo, lists
from lm_plural.scorers.base import TextScorer, hash_files, responses, version_of


@lists(lambda: [Listed("profanity", "Rude wording, offline.", ("toxicity",), ("en",), "MIT", "yes")])
def profanity() -> TextScorer:
    """Make a scorer of rude wording by alt-profanity-check, on the CPU and offline.

    It sees words, not meaning: good enough to show that a run works, not to judge a model.

    Returns
    -------
    TextScorer
        One dimension, ``toxicity``: the probability of profanity, in [0, 1], more is worse.
        Scores have shape (samples, 1), NaN for a missing or blank response. It covers English alone.
    """
    with warnings.catch_warnings():
        # The package unpickles its model on import, and scikit-learn warns (InconsistentVersionWarning) when
        # it is not the version that pickled it. No user can act on that, and both versions are in ours.
        warnings.filterwarnings("ignore", message="Trying to unpickle estimator", category=UserWarning)
        import profanity_check

    data = Path(profanity_check.__file__).parent / "data"
    info = ScorerInfo(
        name="profanity",
        dimensions=("toxicity",),
        range=(0.0, 1.0),
        direction="more",
        device="cpu",
        languages=("en",),
        version=version_of(
            alt_profanity_check=version("alt-profanity-check"),
            scikit_learn=version("scikit-learn"),
            model=hash_files(data.glob("*.joblib")),
            languages="en",
        ),
    )
    return TextScorer(info, lambda samples: profanity_check.predict_prob(responses(samples)))
