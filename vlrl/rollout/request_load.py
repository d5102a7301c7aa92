"""What a request asks of the model that answers it, for the cost model."""

from __future__ import annotations

from vlrl.model.cost import Load
from vlrl.rollout.engine import Request


def load_of_request(request: Request) -> Load:
    """What a request may take: its prompt and images once, what its k responses hold already and may add.

    Responses that have ended are not read again; where all have, nothing is.
    """
    unended = [i for i in range(request.num_rollouts) if request.room(i)]
    if not unended:
        return Load(0, ())
    observed = [image for i in unended for image in request.observed(i)]
    images = tuple(image.num_patches for image in (*request.encoded.images, *observed))
    tokens = tuple(len(request.written(i)) + request.room(i) for i in unended)
    return Load(int(request.encoded.num_tokens), tokens, images)
