"""The policy that is trained: log-probabilities, gradients, updates, on one process or many.

Read policy (the protocol), torch_policy, then forward and logprobs."""
