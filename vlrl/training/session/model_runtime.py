"""The model of a run, and who uses it in turns: the engine that writes, the policy that learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vlrl import dist
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.policy import Policy
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.model.vision.feature_cache import FeatureStore
from vlrl.rollout.colocated import ColocatedEngine


@dataclass
class ModelRuntime:
    """Model, encoder and engine, and the policy of the stage that is trained.

    backend    what opens a policy over the model
    taught_by  the models whose texts this one has learned from
    credit_state  what parts of credit remember at the end of RL, to stand beside the model; empty before
    """

    loaded: LoadedModel
    encoder: Encoder
    engine: ColocatedEngine
    backend: Any
    taught_by: tuple[str, ...] = ()
    credit_state: dict[str, Any] = field(default_factory=dict)
    _policy: Policy | None = field(default=None, repr=False)

    def policy(self, settings: PolicySettings) -> Policy:
        """The policy over the model, as one stage trains it; an earlier stage's gives the model back, and the engine
        sleeps: it never stands beside an optimizer.
        """
        self.to_training()
        self.release_policy()
        policy: Policy = self.backend.open(self.loaded, settings)
        self._policy = policy
        return policy

    def release_policy(self) -> None:
        """The policy of a stage that is over gives the model back, and its optimizer's memory goes."""
        if self._policy is not None:
            self._policy.close()
        self._policy = None

    def to_rollout(self, policy: Policy, version: int) -> None:
        """The engine is awake and has the policy's weights as they are now; before rollouts and evaluations."""
        self.engine.to_rollout(policy.weights, version)

    def to_training(self) -> None:
        """The engine sleeps from here on; before the policy trains."""
        self.engine.to_training()

    def forget_features(self) -> None:
        """Encode images again, as a run does that goes on from a checkpoint: the last bits of an image's features
        depend on the others in its pass.
        """
        if self.loaded.store is not None:
            self.loaded.store.clear()

    @property
    def features(self) -> FeatureStore:
        """Features of images, for a checkpoint; with several ranks each has its own, and none is kept."""
        return FeatureStore(None, 0) if self.loaded.store is None or dist.launched() else self.loaded.store

    def close(self) -> None:
        """End what the engine started."""
        self.engine.engine.close()
