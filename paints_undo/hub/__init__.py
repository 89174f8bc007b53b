"""The published weights and the hub they come from: cached, resumed and checked downloads."""
