"""Pictures as they come out: what a reader sees in the SVG, and what a file holds."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.pictures.plots import forest, heat_map, plots, save, statistics

STATISTICS = ("item_mean", "bias", "divergence", "disagreement", "rps", "skill", "equivalent_raters")
SVG = "{http://www.w3.org/2000/svg}"


def value(v, half=None):
    low, high = (None, None) if half is None or v is None else (v - half, v + half)
    return {"value": v, "se": None, "df": None, "low": low, "high": high}


def group(n, v=0.1, half=0.05, flags=(), names=STATISTICS):
    counts = {"n_items": 10, "n_raters": n, "n_ratings": 10 * n, "mean": 2.5}
    return counts | {s: value(v, half) for s in names} | {"flags": list(flags)}


def refused(n):
    return group(n, None, flags=[f"few_raters: {n} of at least 5"])


def result(axes, overall=None, distances=None, **more):
    scale = {"levels": ["1", "5"], "labels": ["fine", "vile"], "positions": [1.0, 5.0], "direction": "lower"}
    blocks = {a: {"groups": g, "contrasts": []} for a, g in axes.items()}
    for a, d in (distances or {}).items():
        blocks[a]["distances"] = d
    overall = overall or group(sum(g["n_raters"] for g in next(iter(axes.values())).values()), 0.12, 0.02)
    return {"scale": scale, "inference": "items+raters", "notes": [], "overall": overall, "axes": blocks} | more


GENDER = {"Man": group(125), "Woman": group(1311, 0.2), "Other": group(6, 0.3, None)}
RACE = {"Asian": group(21, 0.15), "White": group(190), "Arab American": refused(1)}
APART = {
    "Man": {"Man": 0.0, "Woman": 0.0123, "Other": -0.0001},
    "Woman": {"Man": 0.0123, "Woman": 0.0, "Other": None},
    "Other": {"Man": -0.0001, "Woman": None, "Other": 0.0},
}


@pytest.fixture
def block():
    return copy.deepcopy(result({"gender": GENDER, "race": RACE}, distances={"gender": APART}))


def svg(chart, folder):
    save(chart, folder / "x.svg")
    return ET.parse(folder / "x.svg").getroot()


def texts(root):
    """All lines of words in the order they are drawn."""
    return [line for t in root.iter(f"{SVG}text") for line in t.itertext()]


def marks(root, **attributes):
    wanted = {k.replace("_", "-"): v for k, v in attributes.items()}
    found = [e for name in ("path", "line") for e in root.iter(f"{SVG}{name}")]
    return [e for e in found if wanted.items() <= e.attrib.items()]


def points(root):
    return [e.get("fill") for e in marks(root, aria_roledescription="point")]


def test_a_forest_shows_groups_largest_first_under_their_axes(block, tmp_path):
    shown = texts(svg(forest(block, "divergence"), tmp_path))
    assert shown.index("Woman (1,311 raters)") < shown.index("Man (125 raters)") < shown.index("Other (6 raters)")
    assert shown.index("White (190 raters)") < shown.index("Asian (21 raters)")
    assert {"gender", "race", "How far the model is from each group (divergence, 0 to 1)"} <= set(shown)
    assert "1,442 raters, 10 items, 14,420 ratings" in shown
    assert any("inference: items+raters" in t for t in shown)


def test_refused_groups_stand_in_the_subtitle_only(block, tmp_path):
    shown = texts(svg(forest(block, "divergence"), tmp_path))
    assert [t for t in shown if "Arab American" in t] == ["Not shown (race): Arab American (1 rater)"]
    shown = texts(svg(forest(block, "divergence", "race"), tmp_path))
    assert "Not shown: Arab American (1 rater)" in shown
    assert not [t for t in shown if "Woman" in t]


def test_a_refusal_that_is_not_of_raters_says_its_reason(block, tmp_path):
    block["axes"]["gender"]["groups"]["Man"] = group(125, None, flags=["no_signal: the ratings do not vary"])
    assert "Not shown: Man (125 raters: no signal)" in texts(svg(forest(block, "skill", "gender"), tmp_path))


def test_a_caption_names_only_what_keeps_a_group_out_of_its_picture(block, tmp_path):
    """A group is missing from one picture for one reason; what its other statistics lack stands elsewhere."""
    flags = ["no_signal: x", "no_divergence: x", "not_for_gates: x", "approximate: x", "alpha_undefined: x"]
    block["axes"]["gender"]["groups"]["Man"] = group(125, None, flags=flags)
    apart = {a: {b: None if "Man" in (a, b) else d for b, d in row.items()} for a, row in APART.items()}
    apart["Woman"]["Other"] = apart["Other"]["Woman"] = 0.01
    block["axes"]["gender"]["distances"] = apart
    words = {"skill": ": no signal", "equivalent_raters": ": no divergence", "bias": ""}
    for statistic, why in words.items():
        assert f"Not shown: Man (125 raters{why})" in texts(svg(forest(block, statistic, "gender"), tmp_path))
    assert "Not shown: Man (125 raters: too few common items)" in texts(svg(heat_map(block, "gender"), tmp_path))


def test_a_point_is_hollow_without_a_whole_interval(block, tmp_path):
    block["axes"]["gender"]["groups"]["Man"]["divergence"]["high"] = None
    root = svg(forest(block, "divergence", "gender"), tmp_path)
    assert points(root) == ["#222222", "white", "white"]  # Woman, Man, Other
    assert len(marks(root, stroke="#222222", y2="0")) == 1
    assert any("hollow point: no interval" in t for t in texts(root))


def test_all_raters_are_a_line_and_a_band_in_every_panel(block, tmp_path):
    root = svg(forest(block, "divergence"), tmp_path)
    assert len(marks(root, stroke_dasharray="5,3")) == len(marks(root, fill="#dcdcdc")) == 2
    block["overall"]["divergence"] = value(None)
    root = svg(forest(block, "divergence"), tmp_path)
    assert not marks(root, stroke_dasharray="5,3")
    assert not marks(root, fill="#dcdcdc")
    assert not [t for t in texts(root) if "all raters" in t]


def test_only_bias_and_skill_have_a_line_at_zero(block, tmp_path):
    names = ("bias", "divergence", "skill")
    lines = {s: len(marks(svg(forest(block, s), tmp_path), stroke="#222222", x2="0")) for s in names}
    assert lines == {"bias": 2, "divergence": 0, "skill": 2}  # one in each panel


def test_a_mean_rating_names_the_ends_of_the_scale(block, tmp_path):
    assert "mean rating (1: fine, 5: vile; lower is better)" in texts(svg(forest(block, "item_mean"), tmp_path))


def test_worth_is_drawn_on_a_logarithmic_axis_unless_it_reaches_zero(block):
    assert '"type": "log"' in json.dumps(forest(block, "equivalent_raters").to_dict())
    block["overall"]["equivalent_raters"]["low"] = 0.0
    assert '"type": "log"' not in json.dumps(forest(block, "equivalent_raters").to_dict())


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_raters_are_marked_on_every_picture(block, simulated, tmp_path):
    block |= {"simulated_raters": simulated}
    for chart in plots(block).values():
        assert chart.to_dict()["title"]["subtitle"][0].startswith("SIMULATED RATERS:") is simulated
    assert any("SIMULATED RATERS" in t for t in texts(svg(chart, tmp_path))) is simulated


def test_a_heat_map_shows_numbers_and_a_dash_for_what_was_refused(block, tmp_path):
    root = svg(heat_map(block, "gender"), tmp_path)
    shown = texts(root)
    assert shown.count("0.012") == 2
    assert shown.count("0.000") == 2  # not -0.000, and no diagonal
    assert shown.count("–") == 2
    assert "–: distance refused" in shown
    assert len(marks(root, aria_roledescription="rect mark")) == 4
    dark = [t for t in root.iter(f"{SVG}text") if t.get("fill") == "white"]
    assert ["".join(t.itertext()) for t in dark] == ["0.012", "0.012"]


def test_a_heat_map_without_a_positive_distance_stays_readable(block, tmp_path):
    block["axes"]["gender"]["distances"] = {"Man": {"Woman": -0.002}, "Woman": {"Man": -0.002}}
    root = svg(heat_map(block, "gender"), tmp_path)
    assert texts(root).count("-0.002") == 2
    assert not [t for t in root.iter(f"{SVG}text") if t.get("fill") == "white"]
    assert "Not shown: Other (6 raters: too few common items)" in texts(root)


def test_plots_have_names_fit_for_files(block):
    block["axes"]["gender & race/x"] = block["axes"]["gender"]
    assert list(plots(block)) == [*(f"forest_{s}" for s in STATISTICS), "heat_map_gender", "heat_map_gender_by_race_x"]


def test_without_predictions_only_the_groups_are_drawn():
    names = ("item_mean", "disagreement")
    block = result({"g": {"a": group(9, names=names)}}, overall=group(9, names=names))
    assert statistics(block) == list(names)
    assert list(plots(block)) == ["forest_item_mean", "forest_disagreement"]


def test_every_specification_is_valid_vega_lite(block):
    for chart in plots(block).values():
        spec = chart.to_dict(validate=True)
        assert re.fullmatch(r"https://vega.github.io/schema/vega-lite/v\d[\d.]*\.json", spec["$schema"])
        assert "".join(spec["title"]["text"]) == spec["description"]
        assert "http" not in json.dumps({k: v for k, v in spec.items() if k != "$schema"})


def test_nothing_to_show_is_said(tmp_path):
    lone = result({"g": {"a": refused(2)}}, overall=refused(2), distances={"g": {"a": {"a": None}}})
    assert [t for t in texts(svg(forest(lone, "bias"), tmp_path)) if t.startswith("nothing to show")]
    shown = texts(svg(heat_map(lone, "g"), tmp_path))
    assert "nothing to show: no distance could be computed" in shown
    assert "Not shown: a (2 raters)" in shown
    assert list(plots(lone)) == ["heat_map_g"]
    assert [t for t in texts(svg(forest(result({"g": {}}), "bias"), tmp_path)) if t.startswith("nothing to show")]


def test_many_groups_with_long_names_are_all_shown(tmp_path):
    names = [f"{'A long name of a group, number':>37}{n:3d}" for n in range(40)]
    apart = {a: {b: 0.01 * (a != b) for b in names} for a in names}
    block = result({"g": {n: group(7) for n in names}}, distances={"g": apart})
    shown = [t.strip() for t in texts(svg(forest(block, "rps"), tmp_path))]
    assert {f"{n.strip()} (7 raters)" for n in names} <= set(shown)
    assert len([t for t in texts(svg(heat_map(block, "g"), tmp_path)) if t == "0.010"]) == 40 * 39
    few = result({"g": {n: refused(2) for n in names} | {"a": group(9)}})
    assert any(t.endswith("28 more") for t in texts(svg(forest(few, "rps"), tmp_path)))


def test_one_name_on_two_axes_is_two_groups(tmp_path):
    block = result({"gender": {"undeclared": group(9)}, "race": {"undeclared": group(9)}})
    root = svg(forest(block, "rps"), tmp_path)
    assert texts(root).count("undeclared (9 raters)") == len(points(root)) == 2


def test_png_is_a_png(block, tmp_path):
    save(forest(block, "bias"), tmp_path / "new" / "x.PNG")
    assert (tmp_path / "new" / "x.PNG").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["x.PNG"]


def test_a_page_needs_no_network_and_a_name_cannot_leave_its_script(tmp_path):
    evil = "</script><script>alert(1)</script>"
    block = result({evil: {evil: group(9), "b": refused(1)}})
    save(forest(block, "bias"), tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text()
    assert tags(page) == ["html", "head", "meta", "title", "script", "body", "div", "script"]  # no src, no href
    spec = re.search(r'vegaEmbed\("#picture", (.*), (\{.*?\}\})\);</script>', page)
    assert json.loads(spec[1]) == forest(block, "bias").to_dict()
    assert json.loads(spec[2])["actions"]["editor"] is False  # it would send the result to a web page
    assert evil + " (9 raters)" in texts(svg(forest(block, "bias"), tmp_path))


def tags(page):
    """All tags as a browser would read them; one that loads something as its text."""
    found, reader = [], HTMLParser()
    reader.handle_starttag = lambda tag, attributes: found.append(
        reader.get_starttag_text() if {"src", "href"} & dict(attributes).keys() else tag
    )
    reader.feed(page)
    return found


@pytest.mark.parametrize("name", ["x.pdf", "x", "x.svg.gz"])
def test_an_unknown_suffix_says_what_was_expected(block, name, tmp_path):
    with pytest.raises(UsageError, match=r"expected a name that ends in \.svg, \.png or \.html$"):
        save(forest(block, "bias"), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_leaves_nothing(block, tmp_path):
    (tmp_path / "x.svg").mkdir()
    with pytest.raises(PluralError, match=r"x\.svg: cannot write"):
        save(forest(block, "bias"), tmp_path / "x.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["x.svg"]


def test_unknown_names_are_answered_with_near_ones(block):
    with pytest.raises(UsageError, match="no statistic 'divergance' in this result; did you mean 'divergence'"):
        forest(block, "divergance")
    with pytest.raises(UsageError, match="no axis 'xyz' in this result; it has gender, race"):
        forest(block, "bias", "xyz")
    with pytest.raises(UsageError, match="no axis 'gendre' in this result; did you mean 'gender'"):
        heat_map(block, "gendre")
    with pytest.raises(UsageError, match="no distances of axis 'race' in this result; it has gender"):
        heat_map(block, "race")


@pytest.mark.parametrize("missing", ["altair", "vl_convert"])
@pytest.mark.parametrize("suffix", [".svg", ".png", ".html"])
def test_missing_libraries_are_named(block, missing, suffix, tmp_path, monkeypatch):
    chart = forest(block, "bias")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(PluralError, match=r'pip install "lm-plural\[plots\]"'):
        save(forest(block, "bias") if missing == "altair" else chart, tmp_path / f"x{suffix}")


def test_altair_is_imported_only_to_draw():
    code = "import sys, lm_plural.harness.pictures.plots; print({'altair', 'vl_convert'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
