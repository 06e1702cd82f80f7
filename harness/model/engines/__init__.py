"""Who answers: an engine a file."""
