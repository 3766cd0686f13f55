#!/bin/sh
# As in the official image: without arguments, or with options only, the server; else the command that was given.
case "${1:-}" in
"" | -*) exec python3 -m clickhouse.server "$@" ;;
clickhouse-server | /usr/bin/clickhouse-server) shift && exec python3 -m clickhouse.server "$@" ;;
*) exec "$@" ;;
esac
