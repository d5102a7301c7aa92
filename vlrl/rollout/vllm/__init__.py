"""vLLM in the trainer's process.

Read vllm_engine, then vllm_library and vllm_inputs."""
