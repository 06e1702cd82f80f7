"""The shell: a verb is a small module, and nothing heavy is imported before a verb runs."""
