"""A finished run in the formats of artists, teachers and video editors; each file says that AI made it, and how."""
