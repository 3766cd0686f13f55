"""A lab image's ClickHouse: its engine, embedded, behind the server's own interfaces. Runs in the container."""
