# What every stand-in starts from: Debian, with the certificates and the package mirrors of this machine.
FROM localhost/debian:bookworm
COPY site/ /
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && ln -sf python3 /usr/bin/python
