#!/bin/bash
# ZooKeeper, whose protocol Keeper speaks, in the place of both images: started like Keeper (a configuration file is
# given or mounted) it listens where that file says; else on ZooKeeper's own port, with its data where the ZooKeeper
# image has them.
set -euo pipefail
configuration=/etc/clickhouse-keeper/keeper_config.xml
for argument in "$@"; do
    case "$argument" in
    --config-file=* | --config=*) configuration=${argument#*=} ;;
    esac
done
ready=
setting() { # NAME DEFAULT: one value of Keeper's configuration, XML or YAML
    sed -nE "s:.*<$1>([^<]+)</$1>.*:\1:p; s/^ *$1: *['\"]?([^'\"]+)['\"]? *$/\1/p" "$configuration" | head -1 | grep . || echo "$2"
}
if [ -f "$configuration" ]; then
    port=$(setting tcp_port 9181) data=$(setting snapshot_storage_path /var/lib/clickhouse-keeper/coordination/snapshots)
    log=$(setting log_storage_path /var/lib/clickhouse-keeper/coordination/log)
    ready=$(sed -nE '/<http_control>/,/<\/http_control>/s:.*<port>([0-9]+)</port>.*:\1:p' "$configuration")
else
    port=2181 data=/bitnami/zookeeper/data log=/bitnami/zookeeper/data
fi
mkdir -p "$data" "$log"
echo "lab: ZooKeeper on port $port, data in $data"
if [ -n "$ready" ]; then
    socat "TCP-LISTEN:$ready,fork,reuseaddr" "EXEC:/usr/bin/keeper-ready $port" &
fi
options=(
    -Xmx"${ZOO_HEAP_SIZE:-128}"m -XX:+ExitOnOutOfMemoryError -XX:+UseSerialGC -XX:-UsePerfData
    -Dorg.slf4j.simpleLogger.defaultLogLevel="${ZOO_LOG_LEVEL:-warn}"
    -Dzookeeper.admin.serverPort=8080 -Dzookeeper.admin.enableServer=true
)
# Its configuration comes from a pipe, so that the root file system may be read-only.
exec java "${options[@]}" -cp '/usr/share/java/*' org.apache.zookeeper.server.ZooKeeperServerMain <(
    echo "tickTime=2000"
    echo "dataDir=$data"
    echo "dataLogDir=$log"
    echo "clientPort=$port"
    echo "4lw.commands.whitelist=ruok,srvr,mntr"
    echo "autopurge.purgeInterval=1"
)
