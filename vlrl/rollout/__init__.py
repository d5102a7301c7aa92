"""Problems to responses: the engine protocol, collection, partial rollouts, and engines that share devices.

Read engine, engine_registry and collector, then partial_rollouts; transformers/, vllm/ and ray/ implement the protocol.
Importing the package files these engines under their names.
"""

from vlrl.rollout.ray import ray_settings
from vlrl.rollout.transformers import transformers_settings
from vlrl.rollout.vllm import vllm_settings

__all__ = ["ray_settings", "transformers_settings", "vllm_settings"]
