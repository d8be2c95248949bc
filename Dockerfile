# The image of the stages before the canary (section ci.image): Gatewright with what its lock pins, and the user's checkout
# mounted. `docker build -t gatewright .`; then pin it by its digest, as gatewright.yaml asks.
FROM python:3.12-slim@sha256:57cd7c3a7a273101a6485ba99423ee568157882804b1124b4dd04266317710de AS build
WORKDIR /build
COPY requirements/build.txt requirements/run.txt ./requirements/
RUN python -m venv /opt/gatewright \
    && /opt/gatewright/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && /opt/gatewright/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN /opt/gatewright/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim@sha256:57cd7c3a7a273101a6485ba99423ee568157882804b1124b4dd04266317710de
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# git: the commit of a run, and data versions. Its version is that of the image's own Debian.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 gatewright
COPY --from=build /opt/gatewright /opt/gatewright
COPY .ci/stage /usr/local/bin/gatewright-stage
ENV PATH=/opt/gatewright/bin:$PATH PYTHONUNBUFFERED=1
USER 1000
WORKDIR /work
CMD ["gatewright", "--help"]
