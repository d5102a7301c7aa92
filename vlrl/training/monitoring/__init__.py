"""What a run says of itself: metrics of rollouts, agreement of engine and trainer, progress, benchmarks.

Read rollout_metrics, then engine_agreement."""
