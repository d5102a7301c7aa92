"""Calls of tools: how they are written, whether they can be made, what comes back, and in which time.

Read toolbox and call_formats, then arguments, results and deadlines.
"""
