"""What is measured of one group."""
