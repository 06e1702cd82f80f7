"""lm-plural: measure a language model against each group of raters.

>>> import lm_plural as lp
>>> lp.disaggregate("ratings.csv", scale=[1, 2, 3, 4, 5], axes=["gender"], predictions="p.csv")
Disaggregated: predictions against 24 raters, 192 ratings of 8 items
all: divergence 0.108 [.027,.227], bias 0.15, skill -0.88
gender: 2 groups; highest: man 0.114 [.020,.258]

Nothing is imported before it is used. A tour: docs/python.md.
"""

TYPE_CHECKING = False  # typing's, without importing it

if TYPE_CHECKING:
    from lm_plural.harness.analysis.disaggregated import Disaggregated as Disaggregated
    from lm_plural.harness.analysis.options import Options as Options
    from lm_plural.harness.errors import PluralError as PluralError
    from lm_plural.harness.errors import UsageError as UsageError
    from lm_plural.harness.jobs.annotate import annotate_export as annotate_export
    from lm_plural.harness.jobs.annotate import annotate_import as annotate_import
    from lm_plural.harness.jobs.audit import audit as audit
    from lm_plural.harness.jobs.disaggregate import compare as compare
    from lm_plural.harness.jobs.disaggregate import disaggregate as disaggregate
    from lm_plural.harness.jobs.evaluate import evaluate as evaluate
    from lm_plural.harness.jobs.evaluate import score as score
    from lm_plural.harness.jobs.judge import check_judge as check_judge
    from lm_plural.harness.jobs.lens import lens_fit as lens_fit
    from lm_plural.harness.jobs.lens import lens_predict as lens_predict
    from lm_plural.harness.jobs.lens import lens_rank as lens_rank
    from lm_plural.harness.jobs.lens import lens_show as lens_show
    from lm_plural.harness.jobs.plan import plan as plan
    from lm_plural.harness.jobs.preview import preview as preview
    from lm_plural.harness.model.adapters import SharedBase as SharedBase
    from lm_plural.harness.ratings.scale import Scale as Scale
    from lm_plural.harness.ratings.table import RatingTable as RatingTable
    from lm_plural.harness.result.read import read_results as read_results

__version__ = "0.1.0"

#: Where in harness each name lives.
_HOMES = {
    "Disaggregated": "analysis.disaggregated",
    "Options": "analysis.options",
    "PluralError": "errors",
    "RatingTable": "ratings.table",
    "Scale": "ratings.scale",
    "SharedBase": "model.adapters",
    "UsageError": "errors",
    "annotate_export": "jobs.annotate",
    "annotate_import": "jobs.annotate",
    "audit": "jobs.audit",
    "check_judge": "jobs.judge",
    "compare": "jobs.disaggregate",
    "disaggregate": "jobs.disaggregate",
    "evaluate": "jobs.evaluate",
    "lens_fit": "jobs.lens",
    "lens_predict": "jobs.lens",
    "lens_rank": "jobs.lens",
    "lens_show": "jobs.lens",
    "plan": "jobs.plan",
    "preview": "jobs.preview",
    "read_results": "result.read",
    "score": "jobs.evaluate",
}
__all__ = [*_HOMES]

if not TYPE_CHECKING:  # a type checker would take any name for granted

    def __getattr__(name):
        """Import a public name when it is first asked for."""
        from importlib import import_module

        if name not in _HOMES:
            from lm_plural.harness.errors import did_you_mean

            hint = "" if name.startswith("_") else did_you_mean(name, __all__)
            raise AttributeError(f"module 'lm_plural' has no attribute {name!r}{hint}")
        value = getattr(import_module(f"lm_plural.harness.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted(__all__)
