# syntax=docker/dockerfile:1
# The image of the sidecar: JavaScript built in one stage, run in another that has no shell, no package manager and no
# user but 65532. Run it with a read-only root file system; the only paths it writes are those that the configuration
# names (audit trail, ledger).
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" \
#     --build-arg CREATED="$(date -u +%Y-%m-%dT%H:%M:%SZ)" -t sallyport .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -v ./conf:/etc/sallyport:ro sallyport

# For a release, pin both bases by digest with these arguments.
ARG BUILD_BASE=node:26-trixie-slim
ARG RUN_BASE=gcr.io/distroless/nodejs26-debian13:nonroot

FROM ${BUILD_BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# The TypeScript compiler is all that is needed from the development packages, and no install script is.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json && npm prune --omit=dev --ignore-scripts

FROM ${RUN_BASE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG RUN_BASE
LABEL org.opencontainers.image.title="sallyport" \
      org.opencontainers.image.description="A zero-trust service-mesh sidecar: mutual TLS, JWTs on every hop, Rego policies, and a span for every call to a third party" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${RUN_BASE}"
WORKDIR /app
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY LICENSE ./LICENSE
ENV NODE_ENV=production \
    NODE_OPTIONS="--enable-source-maps --disable-sigusr1" \
    SALLYPORT_CONFIG=/etc/sallyport/sallyport.yaml
USER 65532:65532
# Mesh, app, health and admin; the app and admin listeners are on loopback.
EXPOSE 15006 15001 15021 15000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["/nodejs/bin/node", "dist/main.js", "health"]
# The entry point of the base is node; signals reach it, so no init is needed.
CMD ["dist/main.js", "run"]
