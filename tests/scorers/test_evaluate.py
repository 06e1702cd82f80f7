from functools import partial

import numpy as np
import pytest

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.scoring import Sample, Scorer
from lm_plural.scorers.classifiers.hf_evaluate import evaluate as untrusted

evaluate = partial(untrusted, trust_remote_code=True)
SCRIPT = """
import datasets
import evaluate


class {name}(evaluate.Measurement):
    def _info(self):
        return evaluate.MeasurementInfo(
            description="", citation="", inputs_description="",
            features=datasets.Features({{"{argument}": datasets.Value("string")}}),
        )

    def _compute(self, {argument}, per=10):
        return {result}
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a measurement script and returns its path."""

    def write(result, name="share", argument="data"):
        path = tmp_path / f"{name}.py"
        path.write_text(SCRIPT.format(name=name.capitalize(), argument=argument, result=result))
        return str(path)

    return write


def test_a_script_runs_only_where_it_is_allowed_to(write, tmp_path):
    ran = tmp_path / "ran"
    path = write(f"__import__('pathlib').Path({str(ran)!r}).touch()")
    for name in (path, "toxicity", "owner/toxicity"):
        with pytest.raises(UsageError, match=r"runs the script of measurement .* by trust_remote_code"):
            untrusted(measurement=name, dimension="d")
    assert not ran.exists()


WORDS = "'words': [len(t.split()) / per for t in data]"


def test_one_number_for_each_text(write):
    scorer = evaluate(measurement=write(f"{{{WORDS}, 'mean': 0.5}}"), dimension="length")
    scores = scorer.score([Sample("", "a b c"), Sample("", None), Sample("", " "), Sample("", "a b")])
    assert isinstance(scorer, Scorer)
    assert scorer.info.name == "evaluate:share"
    assert scorer.info.dimensions == ("length",)
    np.testing.assert_allclose(scores[:, 0], [0.3, np.nan, np.nan, 0.2])


def test_predictions_arrays_key_and_options(write):
    path = write(
        "{'a': __import__('numpy').ones(len(predictions)), 'b': [per] * len(predictions)}",
        argument="predictions",
    )
    with pytest.raises(UsageError, match="several results: say key: a or b"):
        evaluate(measurement=path, dimension="d")
    scorer = evaluate(measurement=path, dimension="d", key="b", options={"per": 3}, range=(0, 5), direction="less")
    assert scorer.score([Sample("", "x")] * 2).tolist() == [[3.0], [3.0]]
    assert scorer.info.range == (0, 5)
    assert scorer.info.direction == "less"


def test_one_number_for_all_texts_is_refused(write):
    path = write("{'duplicates': 0.5}")
    with pytest.raises(PluralError, match="cannot score each text: 'duplicates' is one number for all texts"):
        evaluate(measurement=path, dimension="d")
    both = write(f"{{{WORDS}, 'mean': 0.5}}", name="both")
    with pytest.raises(PluralError, match="'mean' is one number for all texts; say key: words"):
        evaluate(measurement=both, dimension="d", key="mean")


@pytest.mark.parametrize("result", ["[{'label': 'x', 'score': 1}] * len(data)", "data", "[[1], [1, 2], [1]]"])
def test_lists_of_anything_else_are_refused(write, result):
    with pytest.raises(PluralError, match="'r' is a list, not a number for each text"):
        evaluate(measurement=write(f"{{'r': {result}}}"), dimension="d")


def test_unknown_key_is_refused_with_a_suggestion(write):
    with pytest.raises(UsageError, match=r"no result 'word'; did you mean 'words'\? \(it has words\)"):
        evaluate(measurement=write(f"{{{WORDS}}}"), dimension="d", key="word")


def test_number_outside_the_range_is_refused(write):
    scorer = evaluate(measurement=write(f"{{{WORDS}}}"), dimension="d")
    with pytest.raises(PluralError, match=r"gave 1\.2, outside range: \[0, 1\]"):
        scorer.score([Sample("", "a " * 12)])


def test_version_follows_script_and_options(write):
    plain = evaluate(measurement=write(f"{{{WORDS}}}"), dimension="d")
    again = evaluate(measurement=write(f"{{{WORDS}}}"), dimension="d")
    tuned = evaluate(measurement=write(f"{{{WORDS}}}"), dimension="d", options={"per": 20})
    edited = evaluate(measurement=write(f"{{{WORDS.replace('len(', '0 * len(')}}}"), dimension="d")
    assert plain.info.version == again.info.version
    assert len({plain.info.version, tuned.info.version, edited.info.version}) == 3


def test_scripts_that_cannot_be_used(write, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_this_name\n")
    for path, message in [
        (str(tmp_path / "none.py"), "cannot load measurement .*FileNotFoundError"),
        (str(broken), "cannot load measurement"),
        (write("1 / 0", name="failing"), "failed: ZeroDivisionError"),
        (write("{}", name="audio", argument="sound"), "takes neither 'data' nor 'predictions' but sound"),
    ]:
        with pytest.raises(PluralError, match=message) as caught:
            evaluate(measurement=path, dimension="d")
        assert "\n" not in str(caught.value)
