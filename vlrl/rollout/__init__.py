"""Problems to responses: the engine protocol, collection, partial rollouts, and engines that share devices.

Read engine, engine_registry and collector, then partial_rollouts; transformers/, vllm/ and ray/ implement the protocol.
"""
