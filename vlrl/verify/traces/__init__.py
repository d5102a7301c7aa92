"""What stands in a response before its answer: the nodes of its trace, and which of them conclude.

Read nodes, then conclusions, then overthinking."""
