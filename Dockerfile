# Two stages: the first has pip and the sources, the second only what runs.
#
#   docker build -t driftline .                                  # downloads what it needs
#   pip wheel -w wheels '.[aws]' && docker build -t driftline .  # downloads nothing: takes everything from wheels/
#
# Runs as an ordinary user, with a read-only root, without capabilities. Its state is in one volume:
#
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -v ./config.yaml:/etc/driftline/config.yaml:ro -v driftline:/var/lib/driftline driftline
#
# In that file: `state: sqlite:////var/lib/driftline/driftline.db`.

FROM docker.io/library/python:3.11-slim-bookworm AS build
ARG EXTRAS=aws
RUN python -m venv /opt/driftline
COPY . /src
WORKDIR /src
RUN if [ -d wheels ]; then \
        /opt/driftline/bin/python -m pip install --no-cache-dir --no-index --find-links wheels "driftline[$EXTRAS]"; \
    else \
        /opt/driftline/bin/python -m pip install --no-cache-dir ".[$EXTRAS]"; \
    fi \
    && /opt/driftline/bin/python -m pip uninstall --yes --quiet pip setuptools \
    && find /opt/driftline -depth -type d -name tests -exec rm -r {} +

FROM docker.io/library/python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="driftline" \
      org.opencontainers.image.description="Watches machine-learning models in production" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/driftline --shell /usr/sbin/nologin driftline \
    && install -d -o driftline -g driftline -m 0700 /var/lib/driftline
COPY --from=build /opt/driftline /opt/driftline
ENV PATH=/opt/driftline/bin:$PATH \
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
