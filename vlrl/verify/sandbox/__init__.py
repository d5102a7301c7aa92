"""Worker processes with limits of time and memory, for what must not harm the trainer.

Read worker_pool, then worker_client and fork_server.
"""
