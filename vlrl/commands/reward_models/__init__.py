"""`vlrl reward-model …`: reward_model_cli.py has the commands, reward_model_commands.py what they do and print."""
