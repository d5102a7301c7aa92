"""`vlrl doctor`: known traps of a host and of a config on it.

Read examine; every other file looks at one kind of trap.
"""
