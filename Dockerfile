# The images for whoever has a builder (docker, podman, buildah); `make images` needs none. The same contents: hack/images
# decides what goes in. One image a target:
#
#	docker build --target controller --build-arg VERSION="$(git describe --always)" -t registry.example/functionkey/controller:v1 .
#	docker build --target agent --build-arg VERSION="$(git describe --always)" -t registry.example/functionkey/agent:v1 .
FROM debian:12-slim AS build
WORKDIR /src
COPY hack/deps hack/deps.list hack/go hack/
RUN hack/deps build
COPY . .
ARG VERSION=unknown
RUN make build VERSION="$VERSION" && hack/images/build controller agent \
    && hack/images/unpack build/images/controller.tar /out/controller && hack/images/unpack build/images/agent.tar /out/agent

FROM scratch AS controller
COPY --from=build /out/controller/ /
COPY --from=build --chown=64123:64123 /out/controller/run/functionkey/ /run/functionkey/
ENV PATH=/usr/local/bin:/usr/bin:/bin
USER 64123:64123
ENTRYPOINT ["/usr/bin/functionkey-controller"]

FROM scratch AS agent
COPY --from=build /out/agent/ /
COPY --from=build --chown=64123:64123 /out/agent/run/functionkey/ /run/functionkey/
ENV PATH=/usr/local/bin:/usr/bin:/bin
USER 64123:64123
ENTRYPOINT ["/usr/bin/functionkey-agent"]
