"""Where the artwork lies in the small pictures of a run."""
