"""One function for a pilot's path or frame and for components, and the same bytes as the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lm_plural as lp
from lm_plural.harness.cli.main import main
from tests.cli.measuring.test_plan import ratings

SDS = {"rater_sd": 0.5, "residual_sd": 0.8, "item_sd": 0.3}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pilot.csv").write_text(ratings())
    Path("p.csv").write_text("item_id,prediction\n" + "".join(f"i{i},{i % 5 + 1}\n" for i in range(20)))


def test_the_command_line_writes_the_bytes_of_the_function(capsys: pytest.CaptureFixture[str]) -> None:
    pilot = "--ratings pilot.csv --predictions p.csv --scale 1,2,3,4,5 --axes gender --groups Man,Woman"
    assert main(["plan", "--gap", "0.3", "--power", "0.9", *pilot.split(), "-o", "cli.json"]) == 0
    told: dict[str, Any] = {"scale": range(1, 6), "axes": "gender", "groups": ["Man", "Woman"], "predictions": "p.csv"}
    lp.plan(0.3, power=0.9, ratings="pilot.csv", **told).save("function.json")
    assert Path("cli.json").read_bytes() == Path("function.json").read_bytes()
    words = [word for name, sd in SDS.items() for word in (f"--{name}", str(sd))]
    assert main(["plan", "--gap", "0.4", *words, "--items", "40", "-o", "cli.json"]) == 0
    lp.plan(0.4, items=40, **SDS).save("function.json")
    assert Path("cli.json").read_bytes() == Path("function.json").read_bytes()
    assert "answer written to cli.json" in capsys.readouterr().out


def test_a_frame_plans_as_its_file_does() -> None:
    of_file = lp.plan(0.3, ratings="pilot.csv", scale=[1, 2, 3, 4, 5], axes=["gender"])
    of_frame = lp.plan(0.3, ratings=pl.read_csv("pilot.csv"), scale=[1, 2, 3, 4, 5], axes=["gender"])
    assert of_frame.plans == of_file.plans
    assert (of_file.origin, of_frame.origin) == ({"pilot": "pilot.csv"}, {"pilot": "ratings"})
    gap = of_file.plans[0]["gaps"][0]
    needed = "no number of raters is enough" if gap["raters_needed"] is None else f"{gap['raters_needed']:,} raters a"
    assert repr(of_file).splitlines()[0] == "Planned: a gap of 0.3 in item_mean with power 80 %"
    assert repr(of_file).splitlines()[1].startswith(f"gender: {gap['a']} - {gap['b']}: {needed}")


@pytest.mark.parametrize(
    ("gap", "more", "message"),
    [
        (float("inf"), SDS, "^gap inf: expected a number above 0"),
        (1, {}, r"^expected a pilot \(ratings, scale, axes\) or components \(rater_sd, residual_sd, item_sd\)$"),
        (1, SDS | {"items": 0}, "^items 0: expected at least 2, or there is no interval"),
        (1, SDS | {"comparisons": 0}, "^comparisons 0: expected at least 1$"),
        (1, SDS | {"missing": "error"}, "^missing goes with ratings, not with components"),
        (1, SDS | {"ratings": "pilot.csv"}, "^rater_sd and ratings: expected a pilot or components, not both"),
        (1, {"ratings": "pilot.csv", "axes": "gender"}, "^ratings needs scale, too"),
    ],
)
def test_what_cannot_be_asked_names_the_argument(gap: float, more: dict[str, Any], message: str) -> None:
    with pytest.raises(lp.UsageError, match=message):
        lp.plan(gap, **more)
