"""What one family of models does its own way, one file each; importing the package files them all by `model_type`.

Read family, then qwen2_vl; tiny_parts has what the small models of all families share.
"""

from vlrl.model.families import idefics3, qwen2_5_vl, qwen2_vl, qwen3_vl

__all__ = ["idefics3", "qwen2_5_vl", "qwen2_vl", "qwen3_vl"]
