"""What the stages of one run share: read open_session.py first, then run_context.py (settings, folder, display),
model_runtime.py (model, encoder, engine, policy), held_out_sets.py (validation, test) and step_recorder.py (metrics,
checkpoints).
"""
