"""What is checked of a task beyond its files' own form."""

from __future__ import annotations

from typing import Any

import pytest

from lm_plural.harness.documents import load_yaml
from lm_plural.harness.task.check import check_task
from lm_plural.harness.task.index import Index
from tests.suite import Suite


def test_the_tiny_tasks_are_valid(suite: Suite) -> None:
    assert suite.findings() == []
    assert suite.respond(doc_id="prompt_id", doc_to_target="text").findings() == []


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"doc_to_choice": [1, 2, 3]}, "doc_to_choice: 3 labels for the 5 levels 1, 2, 3, 4, 5"),
        ({"doc_to_choice": [1, 1, 2, 3, 4]}, "doc_to_choice: labels must differ"),
        ({"dimension": "hram"}, "dimension: data set 'tiny' has no ratings on 'hram'; did you mean 'harm'?"),
        ({"dataset": "tny"}, "dataset: unknown dataset 'tny'; did you mean 'tiny'?"),
        ({"items": {"lang": "de"}}, "items: no item has {'lang': 'de'}"),
        ({"items": {"lng": "en"}}, "lng: items have no field 'lng'"),
        ({"groups": {"axes": ["gendr"]}}, "- gendr: no axis 'gendr'; did you mean 'gender'?; there are gender, race"),
        ({"groups": {"axes": [["gender", "rce"]]}}, "- - gender: no axis 'rce'; did you mean 'race'?"),
        ({"groups": {"axes": ["gender"]}}, "- gender: no group of 'gender' has 5 raters: {'man': 2, 'non_binary': 1"),
        ({"doc_to_text": "{{ txt }}"}, "doc_to_text: template: no field 'txt'; did you mean 'text'?; there are"),
        ({"doc_to_text": "a\n\n{{ txt }}\n"}, "{{ txt }}: template: no field 'txt'"),
        ({"doc_to_text": "a\n{% if text %}\n{% endfi %}\n"}, "{% endfi %}: template: "),
        ({"doc_to_text": "a\n{{ ''.__class__ }}\n"}, "{{ ''.__class__ }}: template: access to attribute '__class__'"),
    ],
)
def test_a_misfit_is_one_finding_at_its_line(suite: Suite, keys: dict[str, Any], expected: str) -> None:
    suite.task |= keys
    (found,) = suite.findings()
    start, message = expected.split(": ", 1)
    place, text = found.split(": ", 1)
    assert text.startswith(message)
    assert place == f"rate.yaml:{suite.line(start)}"


def test_a_template_finding_in_an_included_file_points_into_that_file(suite: Suite) -> None:
    suite.write()
    (suite.folder / "_base.yaml").write_text("# shared\ndoc_to_text: |\n  a\n  {{ txt }}\n")
    del suite.task["doc_to_text"]
    suite.task["include"] = "_base.yaml"
    (found,) = suite.findings()
    assert found.startswith("_base.yaml:4: template: no field 'txt'")


def test_the_template_is_tried_on_every_coding_and_names_the_item_that_fails(suite: Suite) -> None:
    suite.task["doc_to_text"] = "Rate it. {% if labels[0] == 'E' %}{{ nope }}{% endif %}"
    assert suite.findings() == []
    suite.task["doc_to_text"] = "Rate it. {% if labels[0] == 'e' %}{{ nope }}{% endif %}"
    suite.task["elicitation"] = {"codings": ["levels", "words"]}
    assert "no field 'nope'" in suite.findings()[0]
    suite.task["doc_to_text"] = "Rate it. {% if text == 'text 3' %}{{ nope }}{% endif %}"
    assert suite.findings()[0].endswith("(item i3)")


def test_a_respond_task_needs_no_labels_but_existing_fields(suite: Suite) -> None:
    found = suite.respond(doc_id="promt_id").findings()
    assert found[0].startswith(f"rate.yaml:{suite.line('doc_id')}: items have no field 'promt_id'")
    del suite.task["doc_id"]
    suite.task["doc_to_target"] = "answer"
    assert suite.findings() == [f"rate.yaml:{suite.line('doc_to_target')}: items have no field 'answer'"]
    suite.task |= {"doc_to_target": "text", "doc_to_text": "{{ options }}"}
    assert "no field 'options'" in suite.findings()[0]


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        ("profnity", "unknown scorer 'profnity'; did you mean 'profanity'?"),
        ({"name": "detoxify", "varient": "x"}, "scorer 'detoxify' has no option 'varient'; did you mean 'variant'?"),
        ({"name": "detoxify", "variant": 5}, "scorer 'detoxify': option variant=5: "),
        ({"name": "hf_classifier"}, "scorer 'hf_classifier' needs the option 'model'"),
    ],
)
def test_a_scorer_must_exist_and_know_its_options(suite: Suite, scorer: Any, expected: str) -> None:
    (found,) = suite.respond(scorers=["profanity", scorer]).findings()
    assert found.startswith(f"rate.yaml:{suite.line('- profanity') + 1}: {expected}")


def test_more_levels_than_letters_are_found_before_a_model_is_asked(suite: Suite) -> None:
    suite.recipe["scales"]["bad"] = {"levels": list(range(1, 31)), "direction": "lower"}
    suite.task["doc_to_choice"] = [f"{k:02}" for k in range(1, 31)]
    assert suite.findings() == ["rate.yaml:1: coding 'letters' has 26 labels for 30 levels"]
    suite.task["elicitation"] = {"codings": ["levels"]}
    assert suite.findings() == []


def test_words_that_are_the_same_for_two_levels_are_found(suite: Suite) -> None:
    suite.recipe["scales"]["bad"]["labels"] = ["a", "a", "b", "c", "d"]
    assert suite.findings() == []
    suite.task["elicitation"] = {"codings": ["words"]}
    assert suite.findings()[0].startswith(f"rate.yaml:{suite.line('codings')}: words: labels of the scale must differ")


def test_a_coarsening_that_the_scale_does_not_allow_is_found(suite: Suite) -> None:
    suite.task["coarsen"] = {"levels": 3}
    assert suite.findings() == []
    suite.recipe["scales"]["bad"] = {"levels": list(range(1, 7)), "direction": "lower"}
    suite.task["doc_to_choice"] = list(range(1, 7))
    assert suite.findings() == [f"rate.yaml:{suite.line('levels')}: scale 1, 2, 3, 4, 5, 6 has no middle level"]


def test_items_without_a_rating_are_counted_in_a_note(suite: Suite) -> None:
    suite.items.append({"item_id": "i5", "prompt_id": "p", "text": "x", "lang": "en"})
    suite.write()
    report = check_task(load_yaml(suite.task_path), Index([suite.root]))
    assert report.findings == []
    assert report.notes == ["tiny_rate: 1 of 5 items left out: no rating on harm"]


def test_no_rated_item_at_all_is_a_finding(suite: Suite) -> None:
    suite.items.append({"item_id": "i5", "prompt_id": "p", "text": "x", "lang": "fr"})
    suite.task["items"] = {"lang": "fr"}
    assert suite.findings() == [f"rate.yaml:{suite.line('items')}: no item with a rating is left"]


def test_findings_of_all_kinds_are_told_together(suite: Suite) -> None:
    suite.respond(scorers=["none", "nothing"], doc_to_target="z", groups={"axes": ["x", "y"]})
    assert len(suite.findings()) == 5


def test_scorers_are_checked_even_where_the_data_are_not_there(suite: Suite) -> None:
    suite.respond(scorers=["none"]).recipe["files"]["items.jsonl"] = {"path": "gone.csv", "sha256": "0" * 64}
    found = suite.findings()
    assert [f.split(":")[0] for f in found] == ["dataset.yaml", "rate.yaml"]


def test_a_label_that_begins_another_is_found(suite: Suite) -> None:
    suite.task["doc_to_choice"] = ["1", "2", "3", "4", "10"]
    (found,) = suite.findings()
    assert "levels: label '1' begins '10'" in found


def test_a_field_that_the_template_needs_for_itself_is_found(suite: Suite) -> None:
    for item in suite.items:
        item["options"] = "mine"
    suite.recipe["items"]["fields"].append("options")
    (found,) = suite.findings()
    assert "items have a field 'options'" in found


def test_weighted_without_weights_is_found(suite: Suite) -> None:
    suite.task["reference"] = "weighted"
    (found,) = suite.findings()
    assert "weighted needs a column" in found
