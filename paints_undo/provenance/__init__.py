"""What a file says about itself: made by AI, from which artwork, with what; written, shown and read back."""
