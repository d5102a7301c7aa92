"""Several runs as one command: ablations, pipelines, long2short.

Read ablation/ablate, then pipeline/pipeline and long2short/long2short.
"""
