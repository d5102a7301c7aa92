"""A pool of engines as Ray actors.

Read ray_pool, then work_queue and ray_workers."""
