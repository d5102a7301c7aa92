"""vlrl: reinforcement learning for vision-language models, the Kimi k1.5 way.

Start with docs/one_step.md: it follows one problem through data, rollout, verify, credit, training, model and losses.
"""

__version__ = "0.1.0"

import os as _os

# How long a waiting OpenMP thread spins before it sleeps. libgomp reads it when torch is loaded, so it is said here.
# Never spinning costs a sleep and a wake-up for every small operation; libgomp's own hundreds of thousands of turns
# starve a machine that has other work. A user's own choice stands.
if not _os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
    _os.environ["GOMP_SPINCOUNT"] = "5000"
