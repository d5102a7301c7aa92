"""Training and measuring reward models: reward_model_config.py is what a config says, train_classic.py and
train_chain_of_thought.py are the two kinds, evaluate_reward_models.py compares them and the rule on the same rows.
"""
