"""The engine on transformers' own modules.

Read transformers_engine, then scheduler, prefill and running_batch; transformers_settings is what a config may say."""
