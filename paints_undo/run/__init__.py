"""A run remembers: what was chosen for one artwork, and everything made from it, on disk or in memory."""
