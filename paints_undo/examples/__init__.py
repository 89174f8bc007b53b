"""Example pictures of the web app, the project's own and under its licence."""
