"""Optimizers, and which parameters they move at which rate.

Read optimizer, then muon and parameter_groups."""
