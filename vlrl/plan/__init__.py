"""What a run would need before it starts: memory, work, time.

Read plan, then plan_memory and plan_work."""
