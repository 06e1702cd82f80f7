"""From ratings, and predictions of a model, to results; knows no run and no task."""
