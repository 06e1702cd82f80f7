"""``lm-plural data show``: who rated, how often, how far they agree, under which licence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import to_json

if TYPE_CHECKING:
    from lm_plural.harness.data.recipe import Recipe
    from lm_plural.harness.ratings.shares import ShareTable


def show(
    recipes: Sequence[tuple[Recipe, Path]], dimension: str | None, filters: Sequence[str], *, as_json: bool
) -> int:
    """Print data sets; one that is not at hand still shows its licence, then the error."""
    out, failed = {}, None
    for recipe, folder in recipes:
        about = _about(recipe)
        try:
            about["dimensions"] = _dimensions(recipe, folder, dimension, filters)
        except PluralError as e:
            failed, about["dimensions"] = failed or e, {}
        out[recipe.dataset] = about
    if as_json:
        print(to_json(out), end="")
    else:
        print("\n\n".join(_render(about) for about in out.values()))
    if failed:
        raise failed
    return 0


def _about(recipe: Recipe) -> dict[str, Any]:
    keys = ("dataset", "title", "licence", "redistribution", "citation", "homepage", "warning", "simulated", "notes")
    about = {key: getattr(recipe, key) for key in keys}
    about["filters"] = {name: {"about": f.about, "on": f.active} for name, f in recipe.filters.items()}
    return about


def _dimensions(recipe: Recipe, folder: Path, dimension: str | None, filters: Sequence[str]) -> dict[str, Any]:
    from lm_plural.harness.analysis.profile import profile
    from lm_plural.harness.data.dataset import Dataset

    dataset = Dataset(recipe, folder, dict.fromkeys(filters, True))
    for file in recipe.files:  # the cache may know better, but what is at hand must be what is shown
        dataset.path(file)
    if recipe.shares:
        name = dimension or recipe.shares.dimension
        return {name: _shares(dataset.shares_on(name))}
    names = [dimension] if dimension else list(recipe.ratings.dimensions)
    return {name: profile(dataset.table(name)) for name in names}


def _shares(table: ShareTable) -> dict[str, Any]:
    groups = {axis: {g: len(items) for g, items in table.groups(axis).items()} for axis in table.axes}
    return {"n_items": len(table.item_ids), "exclusions": list(table.notes), "items_of_groups": groups}


def _render(about: Mapping[str, Any]) -> str:
    from lm_plural.harness.ratings.table import SIMULATED
    from lm_plural.harness.report.layout import on_terminal

    lines = [f"{about['dataset']}: {about['title']}"]
    if about["simulated"]:
        lines.append(SIMULATED)
    lines += [f"licence: {about['licence']} (redistribution {about['redistribution']})", f"cite: {about['citation']}"]
    lines += [f"more: {about['homepage']}"] if about["homepage"] else []
    lines += [f"content note: {about['warning']}"] if about["warning"] else []
    lines += [f"note: {note}" for note in about["notes"]]
    for name, f in about["filters"].items():
        lines.append(f"filter {name} ({'on' if f['on'] else 'off'}): {f['about']}")
    lines = on_terminal(lines)
    for name, found in about["dimensions"].items():
        lines += ["", *_dimension(name, found)]
    return "\n".join(lines)


def _dimension(name: str, found: Mapping[str, Any]) -> list[str]:
    from lm_plural.harness.report.layout import listing, on_terminal

    if "items_of_groups" in found:
        return on_terminal(_of_shares(name, found))
    overall, item, rater = found["overall"], found["ratings_per_item"], found["ratings_per_rater"]
    per = "{least} to {most} (median {median:g})".format
    levels = ", ".join(
        f"{label if label == level else f'{level} ({label})'} {n:,}"
        for (level, n), label in zip(found["levels"].items(), found["labels"], strict=True)
    )
    lines = [
        f"{name}: {overall['n_ratings']:,} ratings of {overall['n_items']:,} items by {overall['n_raters']:,} raters",
        f"ratings of an item: {per(**item)}; ratings by a rater: {per(**rater)}",
        f"levels: {levels}; {found['direction']} is better",
        *(f"note: {e}" for e in found["exclusions"]),
        "",
    ]
    rows = [["all raters", *_cells(overall)]]
    for axis, groups in found["axes"].items():
        rows.append([f"[{axis}]"])
        rows += [[g, *_cells(one)] for g, one in sorted(groups.items(), key=lambda kv: -kv[1]["n_raters"])]
    heads = ["group", "raters", "ratings", "items", "mean", "alpha nominal", "ordinal", "interval"]
    return [
        *on_terminal(lines),
        *listing([row + [""] * (len(heads) - len(row)) for row in rows], heads, numbers=True).splitlines(),
    ]


def _of_shares(name: str, found: Mapping[str, Any]) -> list[str]:
    lines = [f"{name}: shares of answers to {found['n_items']:,} items by group; raters are not known"]
    lines += [f"note: {e}" for e in found["exclusions"]]
    for axis, groups in found["items_of_groups"].items():
        largest = sorted(groups.items(), key=lambda kv: -kv[1])
        lines.append(f"{axis}, items of a group: {', '.join(f'{group} {n:,}' for group, n in largest)}")
    return lines


def _cells(group: Mapping[str, Any]) -> list[str]:
    alphas = [group["alpha"][m] for m in ("nominal", "ordinal", "interval")]
    counts = [f"{group[n]:,}" for n in ("n_raters", "n_ratings", "n_items")]
    return [*counts, f"{group['mean']:.3f}", *("-" if a is None else f"{a:.3f}" for a in alphas)]
