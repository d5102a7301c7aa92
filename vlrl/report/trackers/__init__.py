"""Experiment trackers: metrics and a few rollouts besides what the run folder holds. One file each.

Read tracker, then wandb_tracker; the others are like it.
"""
