"""The open recipe: how drawing processes are rendered, gathered into a data set and learnt by the mini model family."""
