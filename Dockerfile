# Three images from one file:
#
#   docker build -t dateline .                        serves an index; neither torch nor what reads articles
#   docker build -t dateline-full --target full .     also builds one and adds to it
#   docker build -t dateline-replica --target replica --build-arg "PACKAGES=pymilvus>=3,<4" .
#                                                     serves from Milvus, and has the model in it (docs/scaling.md)
#
# EXTRAS="[milvus,ray]" gives dateline-full what it takes to publish into Milvus and to embed on a cluster.
# On Linux the pinned torch may bring CUDA along; PIP_OPTIONS can name an index with a build for processors only.
# The root file system may be read-only. Kept is /var/lib/dateline, to be mounted; /run/dateline is for what a server
# counts while it runs, in memory if it may be.
#
# BASE can name the image by its digest (python@sha256:...), for builds that are the same every time.

ARG BASE=python:3.12-slim

FROM ${BASE} AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/dateline dateline \
    && install -d -o dateline -g dateline -m 0750 /var/lib/dateline \
    && install -d -o dateline -g dateline -m 0700 /run/dateline
ENV PATH=/srv/venv/bin:$PATH \
    HOME=/var/lib/dateline \
    TMPDIR=/run/dateline \
    DATELINE_INDEX=/var/lib/dateline/index \
    DATELINE_CACHE=/var/lib/dateline/cache \
    DATELINE_SERVE_HOST=0.0.0.0

FROM base AS packages
RUN python -m venv /srv/venv
WORKDIR /src
COPY requirements-serve.txt ./
ARG PACKAGES=""
RUN pip install -r requirements-serve.txt ${PACKAGES}
COPY pyproject.toml README.md LICENSE ./
COPY index index
COPY search search
COPY web web
RUN pip install --no-deps . && python -m compileall -q /srv/venv

FROM packages AS full-packages
ARG PIP_OPTIONS=""
ARG EXTRAS=""
RUN pip install ${PIP_OPTIONS} ".${EXTRAS}"

# The default model as it is run without torch; a replica has no index that would carry it.
FROM full-packages AS model
RUN python -c "from pathlib import Path; from index.encoder import load_encoder; from index.encoding.cache import carry; carry(load_encoder(kind='fast'), Path('/srv/model/encoder'))"

FROM base AS full
COPY --from=full-packages /srv/venv /srv/venv
USER dateline
VOLUME /var/lib/dateline
ENTRYPOINT ["dateline"]
CMD ["--help"]

FROM base AS serve
COPY --from=packages /srv/venv /srv/venv
USER dateline
VOLUME /var/lib/dateline
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["dateline"]
CMD ["serve"]

FROM serve AS replica
COPY --from=model /srv/model /srv/model
ENV DATELINE_INDEX=/srv/model

# What is built when no target is named.
FROM serve AS default
