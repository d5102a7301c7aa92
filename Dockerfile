# vlrl with vLLM for a host with NVIDIA GPUs (x86-64, a driver for CUDA 13). docs/install.md says how it is built and run.
#
#     docker build --build-arg COMMIT=$(git rev-parse HEAD) -t vlrl .
#     docker run --rm --gpus all --ipc=host -v "$PWD:/work" vlrl doctor
FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

# devel: kernels that vLLM and DeepSpeed compile on first use need nvcc
FROM nvidia/cuda:13.0.1-devel-ubuntu24.04
COPY --from=uv /uv /usr/local/bin/uv

# bubblewrap and libseccomp for programs that a verifier runs
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential ca-certificates bubblewrap libseccomp2 \
    && rm -rf /var/lib/apt/lists/*

ENV UV_PYTHON=3.11 \
    UV_PYTHON_INSTALL_DIR=/opt/python \
    UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    PATH=/opt/venv/bin:$PATH

# the packages first: they change less often than vlrl
COPY scripts/docker/pyproject.toml scripts/docker/uv.lock /opt/vlrl/scripts/docker/
RUN uv sync --project /opt/vlrl/scripts/docker --frozen --no-install-package vlrl

COPY LICENSE MANIFEST.in README.md pyproject.toml setup.py constraints.txt /opt/vlrl/
COPY configs /opt/vlrl/configs
COPY data_recipes /opt/vlrl/data_recipes
COPY examples /opt/vlrl/examples
COPY vlrl /opt/vlrl/vlrl
ARG COMMIT=""
RUN if [ -n "$COMMIT" ]; then echo "$COMMIT" > /opt/vlrl/vlrl/commit.txt; fi \
    && uv sync --project /opt/vlrl/scripts/docker --frozen \
    && vlrl --version

WORKDIR /work
ENTRYPOINT ["vlrl"]
CMD ["--help"]
