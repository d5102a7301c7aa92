"""From a long-CoT model to short ones, every way of k1.5 §2.4.

Read long2short."""
