"""Short versions of the coverage simulations; bands are three Monte-Carlo standard errors around what is expected."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest, norm, t

from lm_plural.harness.analysis.design.sample import Allocation
from lm_plural.harness.statistics.uncertainty.draws import generator
from tests.simulations.__main__ import CROWDS, report
from tests.simulations.coverage import Sample, permutation_p, repeat
from tests.simulations.generate import CUTS, Crowd, Design, response, simulate, truth
from tests.simulations.ppi import coverage, exported

N = 200
FULL = Design("full", 120, (14, 30))
SPARSE = Design("sparse", 200, (160, 160), density=0.03)


@cache
def run(design: Design, replicates: int = 0) -> dict[str, Sample]:
    return repeat(design, N, replicates=replicates)


def covers(sample: Sample, expected: float, m: int = 0) -> None:
    n = sample.defined[:, m].sum()
    assert n > N / 2
    assert sample.coverage[m] == pytest.approx(expected, abs=3 * np.sqrt(expected * (1 - expected) / n))


def test_truth_is_that_of_the_methods_note_and_does_not_depend_on_the_nodes():
    known = truth(FULL)
    np.testing.assert_allclose(4 * known["divergence"], [0.1455, 0.0647], atol=1e-4)
    for name, value in truth(FULL, nodes=60).items():
        np.testing.assert_allclose(value, known[name], atol=1e-9)


@pytest.mark.parametrize("crowd", [Crowd(), *CROWDS.values()])
def test_simulated_people_answer_with_the_probabilities_that_the_truth_is_made_of(crowd: Crowd):
    coded, _, q = simulate(Design("", 40, (4000,), (0.3,), crowd=crowd, perfect=True), generator(1, "people"))
    found = np.bincount(coded.item * 5 + coded.level, minlength=200).reshape(40, 5) / 4000
    q = q[:, 0]
    assert np.abs((found - q) / np.sqrt(q * (1 - q) / 4000)).max() < 4.5
    np.testing.assert_allclose(response(np.array([50.0]), crowd)[0], crowd.straight * np.arange(1, 5) / 5, atol=1e-9)


def test_heavy_tails_are_those_of_t_with_the_usual_variance():
    severity = t(3, scale=0.6 / np.sqrt(3))
    assert severity.std() == pytest.approx(0.6)
    below = [quad(lambda a, c=c: norm.cdf(c - 0.5 - a) * severity.pdf(a), -np.inf, np.inf)[0] for c in CUTS]
    np.testing.assert_allclose(response(np.array([0.5]), Crowd(heavy=True))[0], below, atol=1e-4)


@pytest.mark.parametrize("design", [FULL, SPARSE], ids=lambda d: d.name)
def test_intervals_of_gaps_cover(design: Design):
    found = run(design)
    for name, expected in (("bias", 0.945), ("cliff", 0.945), ("rps", 0.945), ("divergence", 0.935)):
        covers(found[f"gap {name}"], expected)
        assert found[f"gap {name}"].se_ratio[0] == pytest.approx(1.0, abs=3 / np.sqrt(2 * N)), name
    covers(found["ratio disagreement"], 0.94)
    covers(found["ratio divergence"], 0.95)


@pytest.mark.parametrize("design", [FULL, SPARSE], ids=lambda d: d.name)
@pytest.mark.parametrize("group", [0, 1])
def test_intervals_of_one_group_cover(design: Design, group: int):
    for name in ("bias", "disagreement", "signal", "equivalent_raters"):
        covers(run(design)[f"group {name}"], 0.94, group)
    for name in ("divergence", "skill"):  # wide on purpose where C is near 0
        assert run(design)[f"group {name}"].coverage[group] > 0.94 - 3 * np.sqrt(0.94 * 0.06 / N), name


def test_few_raters_have_few_degrees_of_freedom():
    assert 12 < np.median(run(FULL)["group bias"].estimates.df[:, 0]) < 20
    assert np.median(run(SPARSE)["group bias"].estimates.df[:, 0]) > 100


def test_items_alone_or_single_ratings_give_intervals_far_too_short():
    for name in ("items gap bias", "items gap divergence", "items gap cliff", "iid gap item_mean"):
        assert run(FULL)[name].coverage[0] < 0.65, name


def test_all_gaps_of_four_groups_are_covered_at_once_and_not_if_each_stands_alone():
    found = repeat(Design("four", 60, (10, 14, 18, 22), (0.9, 0.6, 0.3, 0.1)), 120)
    for name in ("bias", "divergence", "cliff"):
        assert found[f"all gaps {name}"].simultaneous == pytest.approx(0.945, abs=3 * np.sqrt(0.05 * 0.95 / 120))
        assert found[f"gap {name}"].simultaneous < 0.9


@pytest.mark.parametrize("perfect", [False, True])
def test_few_raters_bias_nothing(perfect: bool):
    found = repeat(Design("few", 80, (2, 3, 6), (0.9, 0.1, 0.1), perfect=perfect), 150, seed=3)
    for name in ("bias", "divergence", "disagreement", "rps", "signal"):
        assert (np.abs(found[f"group {name}"].error) < 3.3).all(), name


@pytest.mark.parametrize("crowd", list(CROWDS.values()), ids=CROWDS)
def test_people_who_differ_in_other_ways_leave_the_gap_in_bias_covered(crowd: Crowd):
    found = repeat(Design("style", 60, (20, 40), crowd=crowd), 80)
    assert found["gap bias"].coverage[0] > 0.945 - 3 * np.sqrt(0.05 * 0.95 / 80)
    assert abs(found["gap bias"].error[0]) < 3.3


def test_the_bootstrap_is_conservative_where_ratings_are_sparse():
    found = repeat(SPARSE, 80, replicates=50)
    for name in ("divergence", "disagreement"):
        assert (found[f"pigeonhole {name}"].se_ratio > 1.25).all()
        assert (found[f"pigeonhole {name}"].se_ratio < 2.2).all()


def test_permutation_p_is_uniform_when_groups_are_alike():
    alike = Design("alike", 40, (6, 12), (0.5, 0.5), crowd=Crowd(interaction=0.0))
    assert kstest(permutation_p(alike, 200, n_permutations=99), "uniform").pvalue > 0.01
    other = Design("other", 40, (6, 12), (1.2, 0.1), crowd=Crowd(interaction=0.0))
    assert (permutation_p(other, 40, n_permutations=99) <= 0.05).mean() > 0.5


def test_the_report_runs():
    text = report(2, "command")
    assert "350 items; 9, 30" in text
    assert "nan" not in text


def test_a_mean_from_few_labels_is_covered_if_its_error_is_two_way():
    two_way, item_means = coverage(60, 12, 2000, 300, generator(6, "short"))
    assert two_way == pytest.approx(0.945, abs=3 * np.sqrt(0.95 * 0.05 / 300))
    assert item_means < 0.9


@pytest.mark.parametrize("how", [None, "equal"])
def test_a_stratified_sample_in_blocks_is_covered(how: Allocation | None):
    both, alone, gain = exported(200, 40, 20, 8, how, 150, generator(6, "sample"))
    least = 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150)
    assert min(both, alone) > least
    assert gain > (1.05 if how is None else 1.0)
