"""The engine: ratings, statistics, tasks, models, runs, results and the command line."""
