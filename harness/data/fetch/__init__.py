"""Files from their publishers, checked and never half there."""
