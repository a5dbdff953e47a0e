"""Iceberg tables over closed hour files: one a record type, in ``_iceberg/<type>``, for tools that read Iceberg.

They follow the records of hour files, at their own pace. A table has its files to itself: hour files under a
second name that says what is in them. Whatever takes an hour's place later, they stay as they are while a table
names them, so nothing that writes to the lake has to know of them. Must not: be imported by what publishes.
"""
