# prom/prometheus as far as docker-compose.yaml uses it: user nobody (65534), /prometheus, the server as entrypoint, wget.
FROM localhost/stand-in-base
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus wget \
    && apt-get clean && rm -rf /var/lib/apt/lists/* && install -d -o nobody -g nogroup /prometheus
USER nobody
VOLUME /prometheus
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
