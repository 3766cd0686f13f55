"""What every other room stands on; imports nothing of them (tests/unit/test_rooms.py)."""
