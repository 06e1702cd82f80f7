"""What may be concluded: statistics on counts of ratings. Arrays in, arrays out; knows no files and no names."""
