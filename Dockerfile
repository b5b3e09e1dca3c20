# livewell on processors, without CUDA.
#   docker build -t livewell .
#   docker run --rm --user "$(id -u)" -v "$PWD:/data" livewell assess /data/images --model /data/model --out /data/out
#   apptainer build livewell.sif docker-daemon:livewell:latest
#   apptainer run --bind "$PWD:/data" livewell.sif assess /data/images --model /data/model --out /data/out
# Nothing is written outside the folders that a command names, but for caches in /tmp.
FROM python:3.11-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src
RUN pip install --no-cache-dir uv==0.13.9 && python -m venv --without-pip /opt/livewell
COPY requirements.lock pyproject.toml README.md LICENSE ./
# versions of the lock, torch's builds for processors, nothing of what only developers need
RUN uv pip compile -q --no-header --no-annotate --python-version 3.11 \
      --constraint requirements.lock --torch-backend cpu pyproject.toml -o runtime.txt \
 && uv pip install --no-cache --compile-bytecode --python /opt/livewell/bin/python \
      --torch-backend cpu -r runtime.txt
COPY src src
RUN uv pip install --no-cache --compile-bytecode --no-deps --python /opt/livewell/bin/python .
WORKDIR /opt/livewell/lib/python3.11/site-packages
# what nobody imports, 350 MB
RUN rm -r torch/test torch/include \
 && find torch/bin -type f ! -name torch_shm_manager -delete \
 && find . -depth -type d -name tests -exec rm -r {} +

FROM python:3.11-slim-bookworm
COPY --from=build /opt/livewell /opt/livewell
RUN useradd --uid 1000 --create-home livewell
# a home may be absent or read-only, as on clusters: whoever runs this needs to write to /tmp only
ENV PATH=/opt/livewell/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    LIVEWELL_CACHE=/tmp/livewell \
    MPLCONFIGDIR=/tmp/matplotlib \
    XDG_CACHE_HOME=/tmp/cache \
    DASK_CONFIG=/tmp/dask
USER 1000
WORKDIR /data
ENTRYPOINT ["livewell"]
CMD ["--help"]
