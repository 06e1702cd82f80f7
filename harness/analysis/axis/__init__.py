"""What is compared between the groups of an axis."""
