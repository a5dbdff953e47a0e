# redis as far as docker-compose.yaml uses it: redis-server and redis-cli, user redis (999), /data.
FROM localhost/stand-in-base
RUN groupadd --system --gid 999 redis && useradd --system --uid 999 --gid redis --home-dir /data redis \
    && apt-get update && apt-get install --yes --no-install-recommends redis-server \
    && apt-get clean && rm -rf /var/lib/apt/lists/* && install -d -o redis -g redis /data
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
