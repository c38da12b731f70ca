# Two images from one file:
#
#   docker build -t dateline .                        serves an index; neither torch nor what reads articles
#   docker build -t dateline-full --target full .     also builds one and adds to it
#
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
RUN pip install -r requirements-serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY index index
COPY search search
COPY web web
RUN pip install --no-deps . && python -m compileall -q /srv/venv

FROM packages AS full-packages
ARG PIP_OPTIONS=""
RUN pip install ${PIP_OPTIONS} .

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
