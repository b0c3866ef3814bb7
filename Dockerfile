# Stages: the first builds the environment, the second takes from the base what a run needs; the image is both, in one layer.
#
#   docker build -t driftline .                                            # downloads what it needs
#   pip download -d wheels -r deploy/requirements/aws.txt -r deploy/requirements/build.txt \
#     && docker build -t driftline .                                       # downloads no package: takes all from wheels/
#
# REQUIREMENTS names a file in deploy/requirements: `aws`, `aws-postgres` or `clouds`. Every package is checked by its hash.
# The image holds its bill of materials: /opt/driftline/sbom.cdx.json.
#
# Runs as an ordinary user, with a read-only root, without capabilities. Its state is in one volume:
#
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -v ./config.yaml:/etc/driftline/config.yaml:ro -v driftline:/var/lib/driftline driftline
#
# In that file: `state: sqlite:////var/lib/driftline/driftline.db`.

ARG BASE=docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${BASE} AS build
ARG REQUIREMENTS=aws
RUN command -v strip >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils; } \
    || echo "binutils could not be installed"
COPY . /src
WORKDIR /src
RUN python -m venv /opt/build && python -m venv --without-pip /opt/driftline \
    && from="$([ ! -d wheels ] || echo --no-index --find-links wheels)" \
    && pip="/opt/build/bin/python -m pip --disable-pip-version-check" \
    && $pip install --quiet --no-cache-dir $from --require-hashes -r deploy/requirements/build.txt \
    && $pip wheel --quiet --no-cache-dir $from --require-hashes --no-build-isolation --no-deps -w /made \
        -r "deploy/requirements/$REQUIREMENTS.txt" \
    && $pip wheel --quiet --no-cache-dir --no-build-isolation --no-deps -w /made . \
    && $pip --python /opt/driftline/bin/python install --quiet --no-index --no-deps --no-compile /made/*.whl \
    && /opt/build/bin/cyclonedx-py environment --output-reproducible --of JSON -o /opt/driftline/sbom.cdx.json \
        /opt/driftline/bin/python \
    && sh deploy/image/clean.sh /opt/driftline \
    && cd / && /opt/driftline/bin/python /src/deploy/image/compile.py

FROM ${BASE} AS root
COPY deploy/image/trim.sh /trim.sh
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/driftline --shell /usr/sbin/nologin driftline \
    && install -d -o driftline -g driftline -m 0700 /var/lib/driftline \
    && sh /trim.sh && rm /trim.sh
COPY --from=build /opt/driftline /opt/driftline

FROM scratch
LABEL org.opencontainers.image.title="driftline" \
      org.opencontainers.image.description="Watches machine-learning models in production" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=root / /
ENV PATH=/opt/driftline/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/driftline
VOLUME /var/lib/driftline
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["driftline"]
CMD ["run", "-c", "/etc/driftline/config.yaml"]
