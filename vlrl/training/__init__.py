"""The stages of a run: SFT, RL, DPO, distillation.

Read rl (the algorithm), then scoring and training_examples; run opens and ends a run, session holds what stages
share."""
