"""How far a number may be off."""
