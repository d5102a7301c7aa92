"""Words that several trainers use for the same thing, and reasons that several of their keys share."""

from __future__ import annotations

from vlrl.commands.importing.values import one_of

MICRO = "micro-batches are cut by rl.policy.micro_batch_tokens, and change no result"
PACKED = "prompts are read once and rows are packed without padding where rl.policy.pack_sequences says so"
LOGGED = "metrics are logged every step, rollouts by rl.log_every"
SAVED = "checkpoints lie in the run folder; the newest two are kept, and the same command goes on from them"
ENGINE = "an engine's own matter, which changes no result"
REFERENCE = "the reference model is read as the policy is"
NO_CRITIC = "there is no critic: a group is its own baseline"
CUT_DISTRIBUTION = "responses would be drawn from a cut distribution, and the gradient is that of the whole one"
REMOTE_CODE = "code of a model folder is never run: model families are in vlrl itself"
ENDED = "a response ends with its end token"

ADVANTAGES = one_of(
    {
        "grpo": "grpo",
        "grpo_vectorized": "grpo",
        "rloo": "rloo",
        "rloo_vectorized": "rloo",
        "reinforce_plus_plus": "reinforce_plus_plus",
        "reinforce_plus_plus_baseline": "reinforce_plus_plus_baseline",
    }
)
AGGREGATES = one_of(
    {
        "token-mean": "token",
        "seq-mean-token-mean": "sequence",
        "seq-mean-token-sum": "sum",
        "seq-mean-token-sum-norm": "sum over the budget",
    }
)
ENGINES = one_of({"vllm": "vllm", "hf": "transformers"})
DTYPES = one_of(
    {
        "bf16": "bfloat16",
        "bfloat16": "bfloat16",
        "fp32": "float32",
        "float32": "float32",
        "fp16": "float16",
        "float16": "float16",
        "auto": "bfloat16",
    }
)
SCHEDULES = one_of(
    {
        "constant": ("constant", None),
        "constant_with_warmup": ("constant", None),
        "linear": ("linear", 0.0),
        "cosine": ("cosine", 0.0),
        "cosine_with_min_lr": ("cosine", None),
    }
)
