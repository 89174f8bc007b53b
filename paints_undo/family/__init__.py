"""A model family: what it is, where its files come from and how they get here, and its weights as networks."""
