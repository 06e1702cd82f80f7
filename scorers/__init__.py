"""Built-in scorers, found through the entry point group ``lm_plural.scorers`` like anyone else's."""
