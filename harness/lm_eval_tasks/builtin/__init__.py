"""What ``lm-plural ls --lm-eval-path`` writes for the built-in tasks, for lm-eval's entry point ``lm_eval.tasks``."""
