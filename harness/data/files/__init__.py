"""Files of rows, read whole or refused with their line."""
