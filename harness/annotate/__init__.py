"""People rate a model's own responses: a sample, forms for annotation tools, and what comes back."""
