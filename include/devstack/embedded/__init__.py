"""Services that this machine runs for itself when no real ones are at hand: launchers, no business logic."""
