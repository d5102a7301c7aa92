"""A model in pieces on all ranks: read in shards, gathered layer by layer, trained and saved without a whole copy.

Read shards.py first, then turns.py (reading), sharded_reading.py (start), fsdp_policy.py (training)."""
