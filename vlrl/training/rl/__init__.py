"""The RL stage: read run_rl.py first (the algorithm, one page), then collect_step.py (draw, roll out, judge, credit),
scoring.py (self_teacher.py), training_examples.py, learn.py and rl_recorder.py (metrics, checks, validation,
checkpoints); what a config may say of it is rl_settings.py.
"""
