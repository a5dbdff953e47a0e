"""Events: from a raw line to a typed row, and back from the row to the record that its CID names. No I/O."""
