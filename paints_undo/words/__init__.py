"""What the program says to people, and one file of it for each language."""
