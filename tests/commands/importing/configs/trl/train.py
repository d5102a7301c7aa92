from datasets import load_dataset
from peft import LoraConfig
from trl import GRPOConfig, GRPOTrainer

MODEL = "Qwen/Qwen3-VL-4B-Instruct"
dataset = load_dataset("json", split="train")


def accuracy_reward(completions, solution, **columns):
    return [float(one in text) for text, one in zip(completions, solution, strict=True)]


def length_reward(completions, **columns):
    return [-len(text) / 1000 for text in completions]


arguments = GRPOConfig(
    output_dir="runs/dr_grpo",
    loss_type="dr_grpo",
    scale_rewards="none",
    beta=0.04,
    num_generations=4,
    per_device_train_batch_size=4,
    gradient_accumulation_steps=8,
    num_iterations=2,
    max_completion_length=512,
    max_steps=200,
    learning_rate=2e-6,
    mask_truncated_completions=True,
    optim="paged_adamw_8bit",
    generation_kwargs={"seed": 1},
    save_steps=len(dataset) // 10,
)
trainer = GRPOTrainer(
    model=MODEL,
    reward_funcs=[accuracy_reward, length_reward],
    args=arguments,
    train_dataset=dataset,
    peft_config=LoraConfig(
        r=32, lora_alpha=64, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], lora_dropout=0.05
    ),
)
trainer.train()
