"""What people said: scales, the long rating table, disagreement strategies, coarsening."""
