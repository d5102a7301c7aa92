#!/bin/bash
set -x
MODEL_PATH=Qwen/Qwen2.5-VL-7B-Instruct  # or a folder

python3 -m verl.trainer.main \
    config=config.yaml \
    data.train_files=rows/geometry3k@train \
    data.val_files=rows/geometry3k@test \
    worker.actor.model.model_path=${MODEL_PATH} \
    worker.actor.loss_type=cispo \
    trainer.experiment_name=geometry_cispo \
    trainer.n_gpus_per_node=8
