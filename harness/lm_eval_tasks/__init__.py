"""Our tasks in stock lm-eval: the folder of its YAML files, the task class they name, and what comes out of a run."""
