# python:3.11.13-slim-bookworm: Debian's Python 3.11 with pip.
FROM localhost/stand-in-base
CMD ["python3"]
