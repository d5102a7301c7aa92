"""`vlrl push`: a saved model or an exported data set to the hub."""
