"""From the rewards of a group or batch to advantages.

Read advantages, then batch_advantages."""
