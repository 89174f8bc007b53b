"""Picture files and letters: what a file says it is, its pixels, and text on a picture."""
