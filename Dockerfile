# The suite, with the bundled model. Unproven: no machine has built this file yet.
#   docker build -t couple . && docker run --rm -v "$PWD:/work" couple run
# CUDA: --build-arg TORCH=https://download.pytorch.org/whl/cu128, and docker run --gpus all.
FROM python:3.11-slim
ARG TORCH=https://download.pytorch.org/whl/cpu
WORKDIR /suite
COPY constraints.txt pyproject.toml setup.py README.md LICENSE ./
COPY coupling coupling
COPY metrics metrics
COPY experiments experiments
COPY configs configs
RUN pip install --no-cache-dir --extra-index-url "$TORCH" --constraint constraints.txt ".[suite]"
# Galleries and results are written to the folder that is mounted, by whoever owns it.
WORKDIR /work
ENTRYPOINT ["couple"]
CMD ["--help"]
