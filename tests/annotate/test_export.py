"""Exports: what raters see, what they do not, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

import lm_plural as lp
from lm_plural.harness.annotate.form import form_for, languages, read_form, to_yaml
from lm_plural.harness.annotate.label_studio import ABOUT
from lm_plural.harness.annotate.manifest import CHECKS, Item, overlap, read_manifest, text_hash
from lm_plural.harness.annotate.rows import read_csv
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.scale import Scale

TOOLS = ("csv", "potato", "label_studio")


def export(run: Path, to: Path, **how: object) -> Path:
    lp.annotate_export(run, output_path=to, items=12, items_per_rater=6, raters_per_item=2, **how)  # type: ignore[arg-type]
    return to


def test_what_is_drawn(run: Path, exported: Path) -> None:
    m = read_manifest(exported)
    assert (len(m.items), m.n_prompts, m.blocks) == (12, 48, [1, 2])
    assert len({i.prompt for i in m.items}) == 12
    assert len(m.strata) > 1
    for item in m.items:  # one of two responses of a prompt
        drawn = sum(i.stratum == item.stratum for i in m.items)
        assert item.probability == pytest.approx(drawn / len(m.strata[item.stratum]) / 2)
    for block in m.blocks:
        places = sorted(one.position for one in m.by_id.values() if one.block == block)
        assert places == list(range(1, 6 + CHECKS + 1))
    assert {c.level for c in m.checks} <= {"1", "2", "4", "5"}
    assert (
        export(run, exported.with_name("again")).joinpath("manifest.json").read_text()
        == (exported / "manifest.json").read_text()
    )


@pytest.mark.parametrize("tool", TOOLS)
def test_raters_see_no_model_no_score_and_nothing_of_checks(run: Path, tmp_path: Path, tool: str) -> None:
    folder = export(run, tmp_path / "ex", tool=tool)
    m = read_manifest(folder)
    seen = "\n".join(p.read_text("utf-8-sig") for p in (folder / tool).rglob("*") if p.is_file())
    for hidden in (
        m.model_name,
        m.model_hash,
        "profanity",
        "score band",
        "probability",
        m.items[0].key,
        m.items[0].prompt,
    ):
        assert hidden not in seen
    assert not re.search(r"careful|careless|stratum", seen)
    assert all(one in seen for one in m.by_id)
    assert "prefer not to say" in seen or tool == "csv"
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in m.by_id)  # checks look like items
    (readme,) = folder.glob("README.md")
    bound = {"potato": "--host 127.0.0.1", "label_studio": "--internal-host 127.0.0.1", "csv": "Save each copy"}
    assert bound[tool] in readme.read_text()


def test_a_sheet_is_no_formula(exported: Path) -> None:
    texts = [row["Answer"] for p in (exported / "csv").glob("block_*.csv") for _, row in read_csv(p)[1]]
    assert any(t.startswith("'=1+1") for t in texts)
    assert not any(t.startswith("=") for t in texts)
    assert "(the chatbot gave no answer)" in texts


def test_potato_gets_what_it_reads(run: Path, tmp_path: Path) -> None:
    folder = export(run, tmp_path / "ex", tool="potato", dimensions=["toxicity", "helpfulness"]) / "potato"
    config = yaml.safe_load((folder / "config.yaml").read_text())
    items = [json.loads(line) for line in (folder / "data/items.jsonl").read_text().splitlines()]
    groups = config["batch_assignment"]["groups"]
    assert [g["name"] for g in groups] == ["block_01", "block_02"]
    assert sorted(i for g in groups for i in g["instances"]) == sorted(i["id"] for i in items)
    assert not set(groups[0]["instances"]) & set(groups[1]["instances"])
    assert (config["assignment_strategy"], config["num_annotators_per_item"]) == ("batch", 2)
    assert config["login"] == {"type": "url_direct", "url_argument": "PROLIFIC_PID"}
    assert config["phases"]["order"] == ["consent", "annotation", "poststudy"]
    assert [s["name"] for s in config["annotation_schemes"]] == ["toxicity", "helpfulness"]
    assert config["annotation_schemes"][0]["labels"][3] == {"name": "4", "text": "agree"}
    about = json.loads((folder / "surveyflow/about_you.json").read_text())
    assert all(q["labels"][-1] == {"name": "undeclared", "text": "prefer not to say"} for q in about)
    assert {q["name"]: q["annotation_type"] for q in about}["ethnicity"] == "multiselect"
    assert "</script" not in (folder / "data/items.jsonl").read_text()


def test_label_studio_gets_what_it_reads(run: Path, tmp_path: Path) -> None:
    folder = export(run, tmp_path / "ex", tool="label_studio") / "label_studio"
    project = json.loads((folder / "project_block_01.json").read_text())
    view = ET.fromstring(project["label_config"])
    assert project["maximum_annotations"] == 2
    assert [c.get("alias") for c in view.iter("Choice")] == ["1", "2", "3", "4", "5"]
    assert [c.get("value") for c in view.iter("Choice")][-1] == "strongly agree"
    tasks = [json.loads((folder / f"tasks_block_0{n}.json").read_text()) for n in (1, 2)]
    assert [len(t) for t in tasks] == [9, 9]
    assert tasks[0][0]["data"].keys() == {"item_id", "prompt", "response", "block"}
    about = ET.fromstring(json.loads((folder / f"project_{ABOUT}.json").read_text())["label_config"])
    assert [c.get("name") for c in about.iter("Choices")] == ["gender", "ethnicity", "politics", "country", "age"]


def test_refusals(run: Path, tmp_path: Path, exported: Path) -> None:
    def refused(message: str, **how: object) -> None:
        with pytest.raises(UsageError, match=message):
            export(run, tmp_path / "new", **how)
        assert not (tmp_path / "new").exists()

    refused(r"no task 'plural_demo_respnd' in this run; did you mean 'plural_demo_respond'", task="plural_demo_respnd")
    refused(r"tool potatoe: expected one of csv, potato, label_studio; did you mean 'potato'", tool="potatoe")
    refused(r"dimensions toxic: not rated in plural_demo; did you mean 'toxicity'", dimensions=["toxic"])
    refused(r"strata topics: no such field; did you mean 'topic'", strata="topics")
    refused(r"language de: no response in it; there are en", language="de")
    refused(r"no axis 'gendr'; did you mean 'gender'", axes=["gendr"])
    with pytest.raises(UsageError, match="is there; choose another"):
        export(run, exported)
    with pytest.raises(PluralError, match="no run here"):
        export(tmp_path, tmp_path / "new")
    with pytest.raises(UsageError, match="items 0: expected at least 1"):
        lp.annotate_export(run, output_path=tmp_path / "new", items=0)


def test_other_strata(run: Path, tmp_path: Path) -> None:
    by_language = read_manifest(export(run, tmp_path / "a", strata="language"))
    assert set(by_language.strata) == {"en"}
    with pytest.raises(UsageError, match="12 items: expected at least 22, 2 of each of 11 strata"):
        export(run, tmp_path / "c", strata="topic")
    assert set(read_manifest(export(run, tmp_path / "b", strata="none")).strata) == {"all"}


def test_own_words(run: Path, tmp_path: Path, exported: Path) -> None:
    own = exported / "form.yaml"
    own.write_text(own.read_text().replace("language that is offensive", "words that hurt"))
    folder = export(run, tmp_path / "own", tool="potato", form=own)
    assert "words that hurt" in (folder / "potato" / "config.yaml").read_text()
    own.write_text(own.read_text().replace("  toxicity:", "  toxicness:"))
    with pytest.raises(UsageError, match=r"form.yaml: statements: found toxicness; expected toxicity"):
        export(run, tmp_path / "more", form=own)


@pytest.mark.parametrize("language", languages())
def test_every_language_asks_the_same(language: str, tmp_path: Path) -> None:
    words = ("strongly disagree", "disagree", "neutral", "agree", "strongly agree")
    scales = {d: Scale(("1", "2", "3", "4", "5"), labels=words) for d in ("toxicity", "sensitivity", "other_thing")}
    form = form_for(language, scales, {"gender": ["man", "non_binary"], "team": ["a"]}, ["gender"])
    assert list(form.statements) == list(scales)
    assert "other thing" in form.statements["other_thing"]
    assert len(set(form.levels.values())) == 5
    assert list(form.choices("gender")) == ["man", "non_binary", "other", "undeclared"]
    assert form.axes["gender"].multiple
    assert (form.levels["4"] == "agree") == (language == "en")
    (tmp_path / "form.yaml").write_text(to_yaml(form), encoding="utf-8")
    assert read_form(tmp_path / "form.yaml") == form


def test_no_words_in_a_language() -> None:
    with pytest.raises(UsageError, match=r"no words for a form in 'fr'; there are de, en"):
        form_for("fr", {"toxicity": Scale(("1", "2"))}, {}, [])


def test_overlap_is_told_by_hashes(exported: Path) -> None:
    m = read_manifest(exported)
    assert not overlap(m, ["a"], [text_hash("another text")], ["b"])
    found = overlap(m, ["a", "b"], [m.items[0].text, "x"], ["b"])
    assert found == [
        "LABEL_LEAK: 1 of the rated responses were learned from",
        "LABEL_LEAK: 1 of the raters were learned from",
    ]


def test_a_manifest_that_is_none(tmp_path: Path, exported: Path) -> None:
    with pytest.raises(PluralError, match="not there; expected the folder that lm-plural annotate export wrote"):
        read_manifest(tmp_path)
    (exported / "manifest.json").write_text('{"items": 3}')
    with pytest.raises(PluralError, match=r"manifest.json: not the manifest of an export"):
        read_manifest(exported)
    assert Item.model_fields
