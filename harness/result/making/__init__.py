"""From the answers and scores of journals to the block of one task."""
