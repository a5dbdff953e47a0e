# python as far as the Dockerfiles use it: Debian's Python 3.11 with pip.
FROM localhost/stand-in-base
CMD ["python3"]
