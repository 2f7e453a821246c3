# The server as an image: docker build -t tracker-backend .
# Node builds the tracker, Python the wheel; the image has neither build's tools, and runs as a user without rights.
# Alone it keeps an embedded PostgreSQL in its volume; docker-compose.yml gives it a TimescaleDB.

FROM node:24-slim AS tracker
WORKDIR /build/tracker_js
COPY tracker_js/package.json tracker_js/package-lock.json tracker_js/.npmrc ./
RUN npm ci --no-audit --no-fund --no-update-notifier
COPY tracker_js ./
RUN npm run build

FROM python:3.13-slim AS wheel
WORKDIR /build
COPY requirements.lock pyproject.toml ./
# uv first, of the version and the hashes in the lock, as scripts/setup.sh does. As constraints, the lock gives version
# and hash of what the server needs and leaves out what only its development needs.
RUN sed -n '/^uv==/,/^ *# via/p' requirements.lock > uv.lock \
    && python -m pip install --no-cache-dir --root-user-action=ignore --require-hashes -r uv.lock \
    && uv venv --no-project --python /usr/local/bin/python /opt/tracker-backend \
    && uv pip install --no-cache --compile-bytecode --python /opt/tracker-backend/bin/python \
        --require-hashes --constraints requirements.lock -r pyproject.toml
COPY README.md LICENSE ./
COPY scripts/hatch_build.py scripts/
COPY schema schema
COPY src src
COPY --from=tracker /build/tracker_js/dist tracker_js/dist
RUN uv pip install --no-cache --system --constraints requirements.lock hatchling \
    && python -m hatchling build --target wheel \
    && uv pip install --no-cache --compile-bytecode --python /opt/tracker-backend/bin/python --no-deps dist/*.whl

FROM python:3.13-slim
COPY --from=wheel /opt/tracker-backend /opt/tracker-backend
# The folder exists with its owner before a volume is mounted there: a new volume takes both over.
RUN useradd --system --uid 10001 --shell /usr/sbin/nologin --home-dir /var/lib/tracker-backend --create-home tracker
USER tracker
WORKDIR /var/lib/tracker-backend
VOLUME /var/lib/tracker-backend
# On all addresses, as Docker forwards to one that is not loopback. The server then asks every caller for a key.
ENV PATH=/opt/tracker-backend/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TRACKER_HOST=0.0.0.0 \
    PORT=8080 \
    TRACKER_DATA_DIR=/var/lib/tracker-backend
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]
ENTRYPOINT ["tracker-backend"]
CMD ["serve"]
