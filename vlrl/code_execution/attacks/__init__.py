"""Programs that try to get out of the sandbox, to stay in it, or to take more than they may; `vlrl sandbox check` runs them.

Read `attack` first. Each of them would print BREACH, change something outside or outlive its run if it succeeded;
without isolation many do, which a test holds.
"""
