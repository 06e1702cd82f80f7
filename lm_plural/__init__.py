"""lm-plural: measure a language model against each group of raters."""

__version__ = "0.1.0"
