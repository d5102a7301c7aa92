#!/bin/bash
MODEL_PATH=Qwen/Qwen3-VL-4B-Instruct
python3 -m verl.trainer.main config=config.yaml \
    data.format_prompt=null \
    worker.actor.model.model_path=${MODEL_PATH} \
    worker.actor.model.lora.rank=64 worker.actor.model.lora.alpha=64 \
    worker.actor.optim.lr=1e-5 \
    worker.rollout.tensor_parallel_size=1 \
    trainer.experiment_name=lora trainer.n_gpus_per_node=1 trainer.max_steps=120
