"""The engine without networks: an artwork taken apart into exactly 1,000 operations on layers; no torch."""
