# The server of one machine: web process, controller and local engine. Its state is the volume /var/lib/orchestra.
#
#   docker build -t orchestra .
#   docker run --network host -v orchestra:/var/lib/orchestra orchestra
#
# Only callers on the same machine are served until there are accounts, which is why it shares the host's network.
# Containers mostly forbid user namespaces; modules then run in the plain sandbox.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends git openssh-client tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 orchestra \
    && install -d -o orchestra -g orchestra /opt/orchestra /var/lib/orchestra

USER orchestra
WORKDIR /opt/orchestra
COPY --chown=orchestra requirements.txt requirements-dev.txt ./
COPY --chown=orchestra script/environment script/environment
COPY --chown=orchestra engine engine
COPY --chown=orchestra client client
RUN script/environment --no-dev
COPY --chown=orchestra . .

ENV ORCHESTRA_VAR=/var/lib/orchestra
VOLUME /var/lib/orchestra
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('ORCHESTRA_PORT', '8000') + '/api/v1/ready', timeout=4)"]
ENTRYPOINT ["tini", "--", "script/server"]
