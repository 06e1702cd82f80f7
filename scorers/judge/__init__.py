"""A language model as a scorer of responses, one dimension at a time, by a rubric."""
