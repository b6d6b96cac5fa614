"""What became of a reproduction: pure comparisons of outputs, and the verdict over all of them."""
