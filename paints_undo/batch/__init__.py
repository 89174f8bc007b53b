"""Many artworks: a folder, a manifest or a cluster's worth of them, restartable at any moment."""
