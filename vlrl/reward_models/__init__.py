"""Learned reward models: does an answer mean the same as the reference? (Kimi k1.5 §2.3.5)

judged_row.py is what one learns from, make_rows.py where the rows come from; value_head.py is the
classic model's head, judging_models.py both kinds at work; learned_verifier.py makes either the verifier of a run,
judge_process.py lets vLLM write the second one's replies, served_model.py a server.
"""
