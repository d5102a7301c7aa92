"""Experiment trackers: metrics and a few rollouts besides what the run folder holds. One file each."""
