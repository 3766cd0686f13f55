"""The collector role: its configuration, its credentials, its container."""
