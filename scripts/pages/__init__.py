"""The generated pages of docs/: one module a page; ``python -m scripts.pages`` (`make docs`) writes them all.

Must not: anything that the pipeline imports, or that an installed package needs.
"""
