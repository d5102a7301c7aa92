"""Which sequences share a row, a micro-batch and a rank.

Read example and packing, then micro_batches and rank_sharding."""
