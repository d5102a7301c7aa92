"""Another model that responses are compared with: a teacher, or the model of an earlier task. It is never trained."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from vlrl.config import Settings
from vlrl.errors import ConfigError
from vlrl.model.load import LoadedModel, ModelSettings, load_folder
from vlrl.types import content_digest


class ReferenceModel(Settings):
    """Another model of the same tokenizer that responses are compared with; it is never trained."""

    path: str = Field(min_length=1, description="a Hugging Face folder")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    def load(self, own: LoadedModel, place: str) -> LoadedModel:
        """The model, on the device of `own`. Raises ConfigError at `place` for one of another tokenizer."""
        loaded = load_folder(self.path, self.as_loaded(str(own.device)), place=f"{place}.path")
        if tokenizer_hash(loaded) != tokenizer_hash(own):
            raise ConfigError(
                f"{place}.path", f"{self.path} has another tokenizer than the policy", "take a model of its family"
            )
        return loaded

    def as_loaded(self, device: str) -> ModelSettings:
        """The settings that it is loaded with."""
        return ModelSettings(path=self.path, dtype=self.dtype, device=device)


def tokenizer_hash(loaded: LoadedModel) -> str:
    """A digest of the vocabulary: which id every token has."""
    vocabulary: dict[str, Any] = loaded.tokenizer.get_vocab()
    return content_digest(json.dumps(sorted(vocabulary.items()), ensure_ascii=False))
