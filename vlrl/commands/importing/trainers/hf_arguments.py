"""Keys that TRL and ms-swift share: transformers' TrainingArguments, and the settings of GRPO that TRL gave them."""

from __future__ import annotations

from vlrl.commands.importing.grammar import Lacks, Rule, Same, To, When
from vlrl.commands.importing.trainers.shared_words import (
    CUT_DISTRIBUTION,
    ENGINE,
    LOGGED,
    MICRO,
    REFERENCE,
    SAVED,
    SCHEDULES,
)
from vlrl.commands.importing.values import counted, maybe, number, numbers, one_of, text, truth, whole, words

NO_HUB = "a run pushes nothing to a hub; model/ is a folder to upload"
SERVER = "of a vLLM server beside the trainer: engine: {name: ray, …} has engines of their own GPUs (docs/ray.md)"
IMPORTANCE = "rl.credit.weigh: [{name: importance}] weighs tokens by how the engine and the trainer differ"

TRAINING: dict[str, Rule] = {
    "per_device_train_batch_size": To("device_batch", whole),
    "gradient_accumulation_steps": To("accumulation", whole),
    "generation_batch_size": To("generation_batch", counted),
    "steps_per_generation": To("steps_per_generation", counted),
    "num_iterations": To("epochs_per_step", whole),
    "learning_rate": To("lr", maybe(number)),
    "weight_decay": To("weight_decay", number),
    "adam_beta1": To("beta1", number),
    "adam_beta2": To("beta2", number),
    "adam_epsilon": Lacks("AdamW's epsilon is 1e-8", (1e-8,)),
    "optim": Lacks(
        "the optimisers are AdamW in float32 and Muon",
        ("adamw_torch", "adamw_torch_fused", "adamw_hf", "adamw_apex_fused", None),
    ),
    "max_grad_norm": To("max_norm", number),
    "num_train_epochs": To("epochs", number),
    "max_steps": To("updates", counted),
    "lr_scheduler_type": To("schedule", SCHEDULES),
    "lr_scheduler_kwargs.min_lr_rate": To("final_share", number),
    "lr_scheduler_kwargs": Lacks("the schedule is constant, linear or cosine", (None, "{}")),
    "warmup_ratio": To("warmup_rate", number),
    "warmup_steps": To("warmup_updates", maybe(number)),
    "save_steps": To("save_updates", counted),
    "eval_steps": To("validate_updates", counted),
    "seed": To("seed", whole),
    "data_seed": Lacks("all randomness comes from `seed`", (None,)),
    "gradient_checkpointing": To("gradient_checkpointing", truth),
    "bf16": To("dtype", one_of({"true": "bfloat16", "false": None})),
    "fp16": Lacks("training in float16 is refused; bfloat16 or float32", (False,)),
    "report_to": To("trackers", words),
    "run_name": To("name", maybe(text)),
    "output_dir": To("output", text),
    "resume_from_checkpoint": Lacks("model.path of another run's model/", (None, False)),
    "neftune_noise_alpha": Lacks("embeddings get no noise", (None, 0)),
    "average_tokens_across_devices": Same("counts are over the whole update and all ranks"),
    "fsdp": To("sharding", one_of({"full_shard": "sharded", "full_shard auto_wrap": "sharded", "fsdp2": "sharded"})),
    "fsdp_config*": Same("how weights are sharded: `backend` of the config, and no result"),
    **dict.fromkeys(
        ("gradient_checkpointing_kwargs*", "torch_compile*", "use_liger_kernel", "tf32", "ddp_*"), Same(ENGINE)
    ),
    **dict.fromkeys(("per_device_eval_batch_size", "eval_accumulation_steps", "auto_find_batch_size"), Same(MICRO)),
    **dict.fromkeys(
        ("eval_strategy", "evaluation_strategy", "do_eval", "do_train"), Same("stages and rl.validate_every")
    ),
    **dict.fromkeys(
        ("dataloader_*", "remove_unused_columns", "dataset_num_proc"), Same("rows are read as they are drawn")
    ),
    **dict.fromkeys(("logging_*", "log_*", "disable_tqdm", "num_completions_to_print", "wandb_*"), Same(LOGGED)),
    **dict.fromkeys(("save_strategy", "save_total_limit", "save_only_model", "save_safetensors"), Same(SAVED)),
    **dict.fromkeys(("overwrite_output_dir", "create_checkpoint_symlink"), Same(SAVED)),
    **dict.fromkeys(("push_to_hub", "push_to_hub_*"), Lacks(NO_HUB, (False,))),
    "hub_*": When("push_to_hub", Lacks(NO_HUB)),
}
GRPO: dict[str, Rule] = {
    "num_generations": To("responses", whole),
    "num_generations_eval": To("validation_samples", counted),
    "max_prompt_length": To("prompt_tokens", counted),
    "max_completion_length": To("response_tokens", whole),
    "temperature": To("temperature", number),
    "top_p": To("top_p", number),
    "top_k": Lacks(CUT_DISTRIBUTION, (-1, 0, None)),
    "min_p": Lacks(CUT_DISTRIBUTION, (0, None)),
    "repetition_penalty": Lacks(
        "the gradient is that of the model's own distribution; sampling.repetition ends loops", (1,)
    ),
    "generation_kwargs*": Lacks("sampling has temperature, top_p, max_tokens and stop", (None, "{}")),
    "beta": To("kl", maybe(number)),
    "epsilon": To("clip_low", number),
    "epsilon_high": To("clip_high", maybe(number)),
    "delta": Lacks("the ratio has one upper bound, clip_high", (None,)),
    "loss_type": To("loss_type", lambda value: str(value).lower()),
    "importance_sampling_level": To(
        "level", one_of({"token": "token", "sequence": "sequence", "sequence_token": "sequence"})
    ),
    "scale_rewards": To(
        "scale", one_of({"group": "group", "true": "group", "batch": "batch", "none": "none", "false": "none"})
    ),
    "multi_objective_aggregation": Lacks("rewards are added up, then normalised", ("sum_then_normalize",)),
    "reward_funcs": To("rewards", words),
    "reward_weights": To("reward_weights", maybe(numbers)),
    "mask_truncated_completions": To("mask_truncated", truth),
    "shuffle_dataset": Lacks("rows are always drawn in a random order", (True,)),
    "sync_ref_model": Lacks("a reference is frozen, or the policy at the iteration's start", (False,)),
    "ref_model_*": When("sync_ref_model", Lacks("a reference is frozen")),
    "top_entropy_quantile": Lacks("rl.credit.weigh has parts that go by entropy", (1,)),
    "disable_dropout": Same("dropout is off"),
    "cast_lm_head_to_fp32": Same("log-probabilities are computed in float32"),
    "use_bias_correction_kl": Lacks("the KL is the k3 estimate, without a ratio", (False,)),
    "off_policy_mask_threshold": Lacks(IMPORTANCE, (None,)),
    "vllm_importance_sampling_*": Same(f"off, and the gap is measured: rl.agreement. {IMPORTANCE}"),
    "use_vllm": To("engine", one_of({"true": "vllm", "false": "transformers"})),
    "vllm_mode": Lacks(SERVER, ("colocate",)),
    "vllm_gpu_memory_utilization": To("memory_share", number),
    "vllm_tensor_parallel_size": To("tensor_parallel", counted),
    "vllm_server_*": Lacks(SERVER),
    "vllm_*": Same(ENGINE),
    "use_transformers_*": Same(ENGINE),
    "cache_implementation": Same(ENGINE),
    "ds3_gather_for_generation": Same("whole weights are gathered for what is read without gradients"),
    "use_liger_loss": Same(ENGINE),
    "reference_*": Same(REFERENCE),
}
RANKS: dict[str, Rule] = {
    "launcher.nproc_per_node": To("gpus", whole),
    "launcher.num_processes": To("gpus", whole),
    "launcher.num_gpus": To("gpus", whole),
    "launcher.nnodes": To("nodes", whole),
    "launcher.num_machines": To("nodes", whole),
    "launcher.config_file": To("accelerate_file"),
    "launcher.*": Same("how the script is launched; `torchrun` starts vlrl"),
    "environment.NPROC_PER_NODE": To("gpus", whole),
    "environment.NNODES": To("nodes", whole),
    "deepspeed": To("zero"),
}
