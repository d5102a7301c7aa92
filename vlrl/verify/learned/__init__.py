"""Verdicts of learned reward models: asked_answer.py is what one is asked, reward_model.py the verifier `reward_model`,
judgement.py reads the verdict of one that reasons, chat_endpoint.py asks a served one. The models themselves are in
vlrl/reward_models/.
"""
