"""Our own tools: pure functions on the images of an episode."""
