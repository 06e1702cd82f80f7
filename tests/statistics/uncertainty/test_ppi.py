"""Prediction-powered means: oracle O12, and what labels and predictions may and may not do."""

from __future__ import annotations

import numpy as np
import pytest

from lm_plural.harness.statistics.uncertainty.ppi import prediction_powered

Y, F = (1, 2, 3, 4), (1.5, 1.5, 3.5, 3.5)
U = (1, 2, 3, 4, 3.5, 2.5, 1.5, 3.5)


def test_o12():
    found = prediction_powered(Y, F, U)
    assert found.trust == pytest.approx(0.820513, abs=1e-6)
    assert found.value == pytest.approx(2.602564, abs=1e-6)
    assert found.se == pytest.approx(0.434450, abs=1e-6)
    assert prediction_powered(Y, F, U, trust=0.0) == pytest.approx((2.5, 0.0, 0.645497), abs=1e-6)


def test_a_shift_of_all_predictions_changes_nothing():
    a, b = prediction_powered(Y, F, U), prediction_powered(Y, np.array(F) + 3, np.array(U) + 3)
    assert a == pytest.approx(b)


def test_constant_predictions_are_left_out_and_a_given_variance_is_used():
    assert prediction_powered(Y, [2] * 4, [2] * 8).trust == 0
    assert prediction_powered(Y, F, U, trust=0.0, variance=0.25).se == 0.5
