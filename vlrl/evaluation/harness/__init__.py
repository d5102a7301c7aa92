"""The field's evaluation harnesses over our engine: lmms-eval for tasks with images, lm-evaluation-harness for text.

Read answering (what both ask for), then lmms_model and lm_model (how each asks), then run_tasks. Neither library is
needed to import this folder's other files.
"""
