"""Held-out problems and benchmarks: protocol, figures, intervals.

Read benchmark and held_out, then scores.
"""
