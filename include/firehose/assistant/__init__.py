"""The lake for an assistant, by the Model Context Protocol: ``firehose mcp``.

Reads as the analyst, over standard input and output of a process that the assistant's program starts.
"""
