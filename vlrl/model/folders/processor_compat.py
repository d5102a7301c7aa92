"""AutoProcessor without torchvision: images work, videos are refused with a clear error.

Processors of Qwen's family carry a video processor, and transformers' video processors need torchvision. The core does
not: a CPU build of torch often has no matching torchvision. Where torchvision is missing, this module gives
`AutoProcessor` a stand-in that keeps the checkpoint's video settings (a saved folder is complete for other tools) and
refuses to process a video. Image processors then use transformers' own Pillow backend.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

from vlrl.errors import ConfigError


def torchvision_is_missing() -> bool:
    """Whether torchvision is not installed. An installed but broken one is a ConfigError that says what to do."""
    if importlib.util.find_spec("torchvision") is None:
        return True
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        raise ConfigError(
            "torchvision",
            f"is installed but cannot be imported: {error}",
            "install the build that matches torch, or `pip uninstall torchvision`: vlrl does not need it",
        ) from error
    return False


@cache
def _stand_in() -> type:
    from transformers.video_processing_utils import BaseVideoProcessor

    class ImagesOnlyVideoProcessor(BaseVideoProcessor):
        """Holds a checkpoint's video settings and refuses videos."""

        def __init__(self, **settings: Any) -> None:
            self._settings = settings
            for name, value in settings.items():
                setattr(self, name, value)

        def to_dict(self) -> dict[str, Any]:
            return dict(self._settings)

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            raise ConfigError(
                "video", "this environment has no torchvision, so it can't read videos", "install torchvision"
            )

    return ImagesOnlyVideoProcessor


def allow_processors_without_torchvision() -> None:
    """Make `AutoProcessor.from_pretrained` work where torchvision is missing; does nothing where it is installed."""
    if not torchvision_is_missing():
        return
    auto: Any = importlib.import_module("transformers.models.auto.video_processing_auto")
    # processors ask this module, which is loaded apart from the one that `import transformers` gives
    asked: Any = importlib.import_module("transformers.processing_utils").transformers_module
    from transformers.video_processing_utils import BaseVideoProcessor

    def from_pretrained(cls: Any, place: str, /, **kwargs: Any) -> Any:
        kwargs = {k: v for k, v in kwargs.items() if k not in ("config", "trust_remote_code", "backend")}
        settings, _ = BaseVideoProcessor.get_video_processor_dict(place, **kwargs)
        return _stand_in()(**settings)

    # a processor asks transformers for one of these, for which depends on the release, and finds a dummy or nothing
    for one in BaseVideoProcessor.__mro__:
        if one.__module__ == BaseVideoProcessor.__module__:
            setattr(asked, one.__name__, one)
    auto.AutoVideoProcessor.from_pretrained = classmethod(from_pretrained)


def loads_with(processor: Any) -> str:
    """What loads an exported model with plain transformers classes, for the run card."""
    libraries = "transformers"
    if getattr(processor, "video_processor", None) is not None:
        libraries += " and torchvision (AutoProcessor; without it see docs/models.md)"
    return libraries


def new_video_processor(class_name: str, **settings: Any) -> Any:
    """The video processor of a model built on the spot: transformers' own, or the stand-in without torchvision."""
    if torchvision_is_missing():
        return _stand_in()(video_processor_type=class_name, **settings)
    import transformers

    return getattr(transformers, class_name)(**settings)
