"""A scorer against the people who judged the same texts."""
