"""The course of a painting in figures and charts: what was done when, and where."""
