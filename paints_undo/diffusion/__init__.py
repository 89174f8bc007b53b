"""Schedules, denoisers, guidance and samplers: mathematics only, no networks and no files."""
