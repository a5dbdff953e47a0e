"""The tiers that have a retention, one module each: what lies there, and how one item of it is removed."""
