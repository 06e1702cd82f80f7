"""``lm-plural data``: data sets, a verb for each thing to do with one."""

from lm_plural.harness.cli.data.verbs import HELP, add_arguments, execute

__all__ = ["HELP", "add_arguments", "execute"]
