"""Several runs as one command: ablations, pipelines, long2short."""
