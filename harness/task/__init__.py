"""What is asked: task and recipe files, their index, templates and data files."""
