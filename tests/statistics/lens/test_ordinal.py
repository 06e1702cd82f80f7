"""The model of a lens against statsmodels, against differences, and against people drawn from it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.lens.ordinal import (
    Pooled,
    Terms,
    cdf,
    fit_groups,
    fit_pooled,
    group_objective,
    pooled_objective,
    thresholds,
)


def drawn(rng: np.random.Generator, n: int, beta: Floats, cuts: Floats) -> tuple[Floats, Floats]:
    """Return features and counts of items rated three times each."""
    x = rng.normal(size=(n, len(beta)))
    below = cdf(Pooled(cuts, beta), x @ beta)
    level = (rng.random((n, 3, 1)) > below[:, None, :]).sum(axis=-1)
    return x, np.stack([(level == k).sum(axis=1) for k in range(len(cuts) + 1)], axis=1).astype(float)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
def test_gradients_are_those_of_differences(seed: int, k: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    x, counts = drawn(rng, 12, rng.normal(size=p), rng.normal(size=k))
    theta = rng.normal(size=k + p)
    value = pooled_objective(theta, counts, x, 0.7)[0]
    off = check_grad(
        lambda t: pooled_objective(t, counts, x, 0.7)[0], lambda t: pooled_objective(t, counts, x, 0.7)[1], theta
    )
    assert off < 1e-5 * max(1.0, abs(value))
    pooled, z = Pooled(theta[:k], theta[k:]), x[:, :1]

    def posterior(t: Floats) -> tuple[float, Floats]:
        found, gradient, _ = group_objective(
            Terms(t[None, :k], t[None, k:]), counts[None], pooled, pooled.score(x), z, (0.3, 0.2)
        )
        return float(found[0]), gradient[0]

    own = rng.normal(size=k + 1) / 3
    off = check_grad(lambda t: posterior(t)[0], lambda t: posterior(t)[1], own)
    assert off < 1e-5 * max(1.0, abs(posterior(own)[0]))


def test_without_penalty_it_is_an_ordered_model() -> None:
    pd = pytest.importorskip("pandas")
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    x, counts = drawn(np.random.default_rng(4), 300, np.array([0.8, -0.5, 0.2]), np.array([-1.0, 0.4, 0.3, 0.6]))
    found = fit_pooled(counts, x, np.inf)
    item, level = np.nonzero(counts)
    rows = np.repeat(np.arange(len(item)), counts[item, level].astype(int))
    y = pd.Series(pd.Categorical(level[rows], categories=range(5), ordered=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own tolerance is not reached at the optimum
        fitted = OrderedModel(y, x[item[rows]], distr="logit").fit(method="bfgs", gtol=1e-10, maxiter=2000, disp=False)
    assert found.beta == pytest.approx(fitted.params[:3].to_numpy(), abs=1e-5)
    assert thresholds(found.cuts) == pytest.approx(
        fitted.model.transform_threshold_params(fitted.params)[1:-1], abs=1e-5
    )


def test_a_group_with_terms_of_its_own_is_found_and_without_spread_there_are_none() -> None:
    rng, cuts, beta = np.random.default_rng(0), np.array([-1.0, 0.5, 0.5]), np.array([1.0])
    x = rng.normal(size=(400, 1))
    pooled, truth = Pooled(cuts, beta), Terms(np.array([[0.0, 0, 0], [0.8, 0, 0]]), np.array([[0.0], [0.4]]))
    below = cdf(pooled, x @ beta, truth, x)
    level = (rng.random((2, 400, 30, 1)) > below[:, :, None, :]).sum(axis=-1)
    counts = np.stack([(level == k).sum(axis=2) for k in range(4)], axis=-1)
    found = fit_groups(counts, pooled, x @ beta, x, (1.0, 1.0))
    assert found.shift == pytest.approx(truth.shift, abs=0.12)
    assert found.tilt == pytest.approx(truth.tilt, abs=0.08)
    nothing = fit_groups(counts, pooled, x @ beta, x, (0.0, 1.0))
    assert not nothing.shift.any()
    assert not nothing.tilt.any()
