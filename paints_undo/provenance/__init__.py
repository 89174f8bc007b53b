"""What a file says about itself: made by AI, from which artwork, with what; written, signed, shown and checked."""
