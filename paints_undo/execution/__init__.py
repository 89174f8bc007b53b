"""How the networks run on a device: which plan, through how much memory, compiled, by how many processes."""
