"""What tests of broken-off runs share: a small run, what it logs, and the break."""

from vlrl.runlog.run_folder import read_jsonl

CONFIG = "configs/quickstart.yaml"
SMALL = (
    "sft.demonstrations=24 sft.steps=6 sft.batch=8 sft.validate_every=3 sft.checkpoint_every=2 "
    "rl.steps=6 rl.problems_per_step=4 rl.rollouts_per_problem=4 rl.validate_every=3 rl.checkpoint_every=2 "
    "rl.export_every=3 rl.skip_uninformative=false rl.over_sampling=null rl.log_every=2 "
    "eval.problems=4 eval.curve_problems=4"
)
SHAPE = "{text_width: 32, text_layers: 2, vision_width: 32, head_size: 16, key_value_heads: 1, mlp_width: 48}"


def overrides(folder):
    return [*SMALL.split(), f"model.shape={SHAPE}", f"run_folder={folder}"]


def lines(folder, name="metrics.jsonl"):
    """Everything but times."""
    return [
        {
            k: v
            for k, v in record.items()
            if not k.startswith(("time/", "colocated/")) and k not in ("seconds", "tokens/rollout_per_second")
        }
        for record in read_jsonl(folder / name)
    ]


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""
