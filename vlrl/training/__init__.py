"""The stages of a run: SFT, recording and distillation, DPO, RL.

Read run.py (the order of the stages), then rl/ (the algorithm); session/ is what stages share, run_settings.py what a
config may say."""
