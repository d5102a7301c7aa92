"""TRL (huggingface/trl): flags or YAML of a GRPO or RLOO script, or keyword arguments in a Python file."""

from __future__ import annotations

from vlrl.commands.importing.grammar import Grammar, Lacks, Rule, Same, To
from vlrl.commands.importing.trainers.hf_arguments import GRPO, RANKS, TRAINING
from vlrl.commands.importing.trainers.shared_words import ADVANTAGES, DTYPES, ENGINE, REMOTE_CODE
from vlrl.commands.importing.values import counted, data_files, maybe, number, text, truth, words

MODEL: dict[str, Rule] = {
    "model_name_or_path": To("model"),
    "model_revision": Lacks("a hub id means its main revision; a folder any", ("main", None)),
    "torch_dtype": To("dtype", maybe(DTYPES)),
    "attn_implementation": Same("model.attention: packed rows choose by length"),
    "trust_remote_code": Lacks(REMOTE_CODE, (False,)),
    "chat_template*": Lacks("the chat template is the model folder's", (None,)),
    "use_peft": To("lora", truth),
    "lora_r": To("lora_rank", counted),
    "lora_alpha": To("lora_alpha", number),
    "lora_target_modules": To("lora_modules", maybe(words)),
    "lora_dropout": Lacks("adapters have no dropout: engine and trainer compute alike", (0,)),
    "lora_modules_to_save": Lacks("rl.policy.freeze says which whole parts train", (None,)),
    "use_rslora": Lacks("the factor of an adapter is alpha / rank", (False,)),
    "use_dora": Lacks("adapters are LoRA's", (False,)),
    "load_in_*bit": Lacks("weights are not quantised", (False,)),
    "model_init_kwargs*": Lacks("the model is loaded by `model:`", (None,)),
    "bnb_*": Same("of quantised weights"),
    "use_bnb_*": Same("of quantised weights"),
}
DATA: dict[str, Rule] = {
    "dataset_name": To("train", data_files),
    "data_files": To("files", data_files),
    "dataset_config": To("subset", maybe(text)),
    "dataset_configs": To("subset", lambda value: words(value)[0] if words(value) else None),
    "dataset_train_split": To("train_split", maybe(text)),
    "dataset_test_split": To("validation_split", maybe(text)),
    "dataset_prompt_column": To("question", maybe(text)),
    "dataset_streaming": To("streaming", truth),
    "system_prompt": To("system_prompt", maybe(text)),
    "ignore_bias_buffers": Same(ENGINE),
    "script.*": Same("names a file of the script's own"),
    "max_pixels": To("max_pixels", counted),
    "min_pixels": To("min_pixels", counted),
}
LORA_CONFIG = {
    "LoraConfig.r": "lora_r",
    "LoraConfig.lora_alpha": "lora_alpha",
    "LoraConfig.target_modules": "lora_target_modules",
    "LoraConfig.lora_dropout": "lora_dropout",
    "LoraConfig.modules_to_save": "lora_modules_to_save",
    "LoraConfig.use_rslora": "use_rslora",
}
ALSO = {
    "dtype": "torch_dtype",
    "GRPOTrainer.model": "model_name_or_path",
    "RLOOTrainer.model": "model_name_or_path",
    "GRPOTrainer.reward_funcs": "reward_funcs",
    "RLOOTrainer.reward_funcs": "reward_funcs",
    "load_dataset.path": "dataset_name",
    "load_dataset.name": "dataset_config",
    "load_dataset.split": "dataset_train_split",
    "load_dataset.streaming": "dataset_streaming",
    "load_dataset.data_files": "data_files",
    **LORA_CONFIG,
}
KEYS: dict[str, Rule] = {
    **MODEL,
    **DATA,
    **TRAINING,
    **GRPO,
    **RANKS,
    "advantage_estimator": To("advantage", ADVANTAGES),  # what its RLOO is
    "kl_in_reward": To("kl_in_reward", truth),
    "LoraConfig.task_type": Same("a policy generates"),
    "LoraConfig.bias": Lacks("adapters have no biases", ("none",)),
}

TRL = Grammar(
    name="trl",
    title="TRL",
    marks=("model_name_or_path", "dataset_name", "use_peft", "lora_r", "GRPOConfig.*", "RLOOConfig.*", "GRPOTrainer.*"),
    programs=("trl", "grpo", "rloo", "grpo_vlm.py", "gspo_vlm.py", "grpo.py", "rloo.py", "rloo_vlm.py", "gspo.py"),
    keys=KEYS,
    defaults={
        "learning_rate": 1e-6,
        "weight_decay": 0.0,
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "max_grad_norm": 1.0,
        "lr_scheduler_type": "linear",
        "num_train_epochs": 3,
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "num_generations": 8,
        "max_completion_length": 256,
        "gradient_checkpointing": True,
        "bf16": True,
        "beta": 0.0,
        "epsilon": 0.2,
        "loss_type": "dapo",
        "importance_sampling_level": "token",
        "scale_rewards": "group",
        "num_iterations": 1,
        "use_vllm": False,
        "lora_r": 16,
        "lora_alpha": 32,
    },
    also=ALSO,
    within=("GRPOConfig.", "RLOOConfig."),
    variants={
        "loraconfig.": {"use_peft": True},
        "rloo": {"advantage_estimator": "rloo", "loss_type": "rloo", "beta": 0.05, "kl_in_reward": True},
    },
)
