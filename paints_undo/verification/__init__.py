"""Is it what it says? Records and signatures of files, and whole runs, checked; and signed."""
