"""Picture files, pixels, fit, video, letters: the only places where files become pixels and back."""
