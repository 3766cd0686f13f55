#!/bin/bash
# The machine of SigNoz. Runs at every boot, and changes only what differs. Written by Turnscope: a change here is lost.
set -uo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0
data=/srv/turnscope
failed=()

main() {
  exec > >(tee -a /var/log/turnscope-host.log) 2>&1
  echo "turnscope: set-up of $(date -u +%FT%TZ)"
  mkdir -p /run/turnscope
  rm -f /run/turnscope/ready
  step data_volume
  if [ -n "${failed[*]}" ]; then
    echo "turnscope: Docker is not started without its data"
    systemctl stop docker.socket docker.service 2> /dev/null
    finish
  fi
  step kernel
  step ssh_access
  step docker_engine
  step aws_requests
  step host_key
  step health_timer
  step session_manager
  step cloudwatch_agent
  step security_updates
  finish
}

# Each step in a shell of its own that ends at its first error; the others run all the same.
step() {
  local status
  echo "turnscope: $1"
  (set -e; "$1")
  status=$?
  [ "$status" -eq 0 ] || { echo "turnscope: $1 failed"; failed+=("$1"); }
}

finish() {
  if [ -z "${failed[*]}" ]; then
    touch /run/turnscope/ready
    echo "turnscope: ready"
    exit 0
  fi
  echo "turnscope: failed: ${failed[*]}"
  exit 1
}

# Standard input becomes a file; true where that changed it.
put() {
  local new
  new=$(mktemp)
  cat > "$new"
  if cmp -s "$new" "$1"; then
    rm "$new"
    return 1
  fi
  install -D -m "${2:-644}" "$new" "$1"
  rm "$new"
}

# --- The data volume ---

data_volume() {
  local uuid kind
  for _ in $(seq 300); do
    [ -e "$device" ] && break
    sleep 1
  done
  if [ ! -e "$device" ]; then
    echo "volume vol-0123456789abcdef0 is not attached after 300 seconds"
    return 1
  fi
  if is_blank "$device"; then
    mkfs.ext4 -q -m 1 -L turnscope-data "$device"
  fi
  uuid=$(blkid -p -s UUID -o value "$device" || true)
  kind=$(blkid -p -s TYPE -o value "$device" || true)
  case "$kind" in
    ext4 | xfs) ;;
    *)
      echo "volume vol-0123456789abcdef0 is not empty, and holds no file system of this machine (found: ${kind:-unknown data})"
      return 1
      ;;
  esac
  mkdir -p "$data"
  { grep -v " $data " /etc/fstab || true; echo "UUID=$uuid $data $kind defaults,nofail,x-systemd.device-timeout=120 0 2"; } > /etc/fstab.new
  cmp -s /etc/fstab.new /etc/fstab || { cat /etc/fstab.new > /etc/fstab; systemctl daemon-reload; }
  rm /etc/fstab.new
  mountpoint -q "$data" || mount "$data"
  grow || echo "the file system could not grow"
}

# Empty: unknown to blkid and to wipefs, and zeros wherever a file system, a partition table or a volume manager begins.
is_blank() {
  local found=0 signatures
  blkid -p "$1" > /dev/null 2>&1 || found=$?
  [ "$found" -eq 2 ] || return 1
  signatures=$(wipefs -n "$1") || return 1
  [ -z "$signatures" ] || return 1
  cmp -s -n 1048576 "$1" /dev/zero
}

# A volume that was made larger: the file system follows. Does nothing otherwise.
grow() {
  case "$(findmnt -n -o FSTYPE "$data")" in
    ext4) resize2fs "$device" > /dev/null 2>&1 ;;
    xfs) xfs_growfs "$data" > /dev/null ;;
  esac
}

# --- Kernel: https://clickhouse.com/docs/operations/tips ---

kernel() {
  put /etc/sysctl.d/60-turnscope.conf << 'END' || true
vm.overcommit_memory = 0
vm.swappiness = 1
kernel.task_delayacct = 1
END
  sysctl -q -e -p /etc/sysctl.d/60-turnscope.conf
  put /etc/tmpfiles.d/turnscope.conf << 'END' || true
w- /sys/kernel/mm/transparent_hugepage/enabled - - - - madvise
END
  systemd-tmpfiles --create /etc/tmpfiles.d/turnscope.conf
}

# --- ssh: keys alone, those that EC2 Instance Connect hands out for 60 seconds ---

ssh_access() {
  # Debian has no package for this. The metadata service is trusted with this whole script too, so a signature beside
  # the key would add nothing. sshd runs no program in a folder that a group may write to, as /usr/local is in Debian.
  put /opt/turnscope/authorized-keys 755 << 'END' || true
#!/bin/bash
set -euo pipefail
service=http://169.254.169.254/latest
token=$(curl -sf -m 2 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$service/api/token")
curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" "$service/meta-data/managed-ssh-keys/active-keys/$1/" |
  awk -v now="$(date +%s)" '/^#Timestamp=/ { until = substr($0, 12) } /^(ssh-|ecdsa-)/ && until + 0 > now { print }'
END
  if put /etc/ssh/sshd_config.d/10-turnscope.conf << 'END'; then
AuthorizedKeysCommand /opt/turnscope/authorized-keys %u
AuthorizedKeysCommandUser nobody
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
END
    systemctl reload-or-restart ssh
  fi
}

# --- Docker ---

docker_engine() {
  local changed=
  install -d -m 711 "$data/docker"
  put /etc/docker/daemon.json << END && changed=yes
{
  "data-root": "$data/docker",
  "features": {"containerd-snapshotter": false},
  "live-restore": true,
  "log-driver": "json-file",
  "log-opts": {"max-file": "3", "max-size": "10m"}
}
END
  put /etc/systemd/system/docker.service.d/turnscope.conf << END && changed=yes
[Unit]
RequiresMountsFor=$data
[Service]
LimitNOFILE=1048576
END
  case "$(dockerd --version 2> /dev/null)" in
    "Docker version 28.5.2"[,+]*) ;;
    *) install_docker; changed=yes ;;
  esac
  usermod -a -G docker admin
  systemctl daemon-reload
  systemctl enable -q docker
  # Containers keep running meanwhile (live-restore).
  if [ -n "$changed" ]; then systemctl restart docker; else systemctl start docker; fi
}

install_docker() {
  local version
  packages ca-certificates curl gnupg
  key_with https://download.docker.com/linux/debian/gpg 9DC858229FC7DD38854AE2D88D81803C0EBFCD88 /etc/apt/keyrings/docker.asc
  put /etc/apt/sources.list.d/docker.sources << END || true
Types: deb
URIs: https://download.docker.com/linux/debian
Suites: trixie
Components: stable
Signed-By: /etc/apt/keyrings/docker.asc
END
  apt-get -q -o Acquire::Retries=5 update
  version=$(apt-cache madison docker-ce | awk 'index($3, "5:28.5.2-") == 1 { print $3; exit }')
  if [ -z "$version" ]; then
    echo "Docker's repository for Debian trixie has no version 28.5.2"
    return 1
  fi
  apt-get -q -y -o Acquire::Retries=5 --no-install-recommends --allow-downgrades --allow-change-held-packages \
    install "docker-ce=$version" "docker-ce-cli=$version" containerd.io
  apt-mark -q hold docker-ce docker-ce-cli containerd.io
}

packages() {
  local each missing=()
  for each in "$@"; do
    dpkg-query -W -f '${Status}' "$each" 2> /dev/null | grep -q "ok installed" || missing+=("$each")
  done
  [ -n "${missing[*]}" ] || return 0
  apt-get -q -o Acquire::Retries=5 update
  apt-get -q -y -o Acquire::Retries=5 --no-install-recommends install "${missing[@]}"
}

download() {
  curl -sSf --proto '=https' --tlsv1.2 --retry 5 --retry-all-errors -o "$2" "$1"
}

# A public key from an address, only if it is the one with this fingerprint, and no other beside it.
key_with() {
  local file found
  file=$(mktemp)
  download "$1" "$file"
  found=$(gpg --batch --quiet --show-keys --with-colons "$file" | awk -F: '$1 == "pub" { key = 1 } $1 == "fpr" && key { print $10; key = 0 }')
  if [ "$found" != "$2" ]; then
    echo "the key at $1 is another one: $found"
    return 1
  fi
  install -D -m 644 "$file" "$3"
  rm "$file"
}

# --- Requests to AWS, with the machine's role ---

aws_requests() {
  # aws SERVICE CONTENT-TYPE [HEADER] < BODY
  put /opt/turnscope/aws 755 << 'END' || true
#!/bin/bash
set -euo pipefail
metadata=http://169.254.169.254/latest
token=$(curl -sf -m 5 --retry 3 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$metadata/api/token")
role=$metadata/meta-data/iam/security-credentials
role=$role/$(curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$role/")
credentials=$(curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$role" | tr -d '\n')
value() { sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p" <<< "$credentials"; }
# As a file descriptor: arguments are in every list of processes.
curl -sSf -m 30 --retry 5 --aws-sigv4 "aws:amz:us-west-1:$1" \
  -K <(printf 'user = "%s:%s"\nheader = "X-Amz-Security-Token: %s"\n' "$(value AccessKeyId)" "$(value SecretAccessKey)" "$(value Token)") \
  -H "Content-Type: $2" ${3:+-H "$3"} --data-binary @- \
  "${AWS_ENDPOINT_URL:-https://$1.us-west-1.amazonaws.com}/"
END
}

# Whoever connects knows by this that it is this machine.
host_key() {
  local instance token key
  token=$(curl -sf -m 5 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" http://169.254.169.254/latest/api/token)
  instance=$(curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id)
  key=$(cut -d " " -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub)
  /opt/turnscope/aws ssm application/x-amz-json-1.1 "X-Amz-Target: AmazonSSM.PutParameter" > /dev/null << END
{"Name": "/turnscope/example/host-keys/$instance", "Type": "String", "Overwrite": true, "Value": "$key"}
END
}

# --- Every minute: how many containers are unhealthy, and whether the volume has grown ---

health_timer() {
  put /opt/turnscope/minute 755 << END || true
#!/bin/bash
set -euo pipefail
data=$data
device=$device
$(declare -f grow)
grow || true
unhealthy=\$(docker ps -q --filter health=unhealthy | wc -l)
restarting=\$(docker ps -q --filter status=restarting | wc -l)
/opt/turnscope/aws monitoring application/x-www-form-urlencoded > /dev/null << BODY
Action=PutMetricData&Version=2010-08-01&Namespace=Turnscope%2Fexample%2Fhost&MetricData.member.1.MetricName=unhealthy_containers&MetricData.member.1.Unit=Count&MetricData.member.1.Value=\$((unhealthy + restarting))
BODY
END
  put /etc/systemd/system/turnscope-minute.service << 'END' || true
[Unit]
After=docker.service
[Service]
Type=oneshot
ExecStart=/opt/turnscope/minute
END
  put /etc/systemd/system/turnscope-minute.timer << 'END' || true
[Timer]
OnBootSec=60
OnUnitActiveSec=60
AccuracySec=1
[Install]
WantedBy=timers.target
END
  systemctl daemon-reload
  systemctl enable -q --now turnscope-minute.timer
}

# --- Session Manager. AWS renews the key that signs this package without notice; its bucket is trusted by TLS ---

session_manager() {
  if ! command -v amazon-ssm-agent > /dev/null; then
    packages ca-certificates curl
    download https://s3.us-west-1.amazonaws.com/amazon-ssm-us-west-1/latest/debian_arm64/amazon-ssm-agent.deb /tmp/amazon-ssm-agent.deb
    dpkg -i /tmp/amazon-ssm-agent.deb
    rm /tmp/amazon-ssm-agent.deb
  fi
  systemctl enable -q --now amazon-ssm-agent
}

# --- CloudWatch agent: disk, memory, and the log of this script ---

cloudwatch_agent() {
  local base=https://amazoncloudwatch-agent.s3.amazonaws.com control=/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl
  local package=/tmp/amazon-cloudwatch-agent.deb
  if [ ! -x "$control" ]; then
    packages ca-certificates curl gnupg
    key_with "$base/assets/amazon-cloudwatch-agent.gpg" 937616F3450B7D806CBD9725D58167303B789C72 /etc/apt/keyrings/cloudwatch-agent.asc
    download "$base/debian/arm64/latest/amazon-cloudwatch-agent.deb" "$package"
    download "$base/debian/arm64/latest/amazon-cloudwatch-agent.deb.sig" "$package.sig"
    gpg --batch --yes --dearmor -o /tmp/cloudwatch-agent.gpg /etc/apt/keyrings/cloudwatch-agent.asc
    gpgv --keyring /tmp/cloudwatch-agent.gpg "$package.sig" "$package"
    dpkg -i "$package"
    rm "$package" "$package.sig" /tmp/cloudwatch-agent.gpg
  fi
  put /opt/aws/turnscope-agent.json << 'END' || true
{"agent": {"metrics_collection_interval": 60, "omit_hostname": true}, "metrics": {"namespace": "Turnscope/example/host", "aggregation_dimensions": [[]], "metrics_collected": {"disk": {"measurement": ["used_percent"], "resources": ["/", "/srv/turnscope"], "drop_device": true}, "mem": {"measurement": ["used_percent"]}}}, "logs": {"logs_collected": {"files": {"collect_list": [{"file_path": "/var/log/turnscope-host.log", "log_group_name": "/turnscope/example/host", "log_stream_name": "{instance_id}"}]}}}}
END
  "$control" -a fetch-config -m ec2 -s -c file:/opt/aws/turnscope-agent.json
}

# --- Debian's security updates, without a restart and without Docker, whose version is pinned ---

security_updates() {
  packages unattended-upgrades
  put /etc/apt/apt.conf.d/60turnscope << 'END' || true
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
#clear Unattended-Upgrade::Origins-Pattern;
Unattended-Upgrade::Origins-Pattern { "origin=Debian,codename=${distro_codename}-security,label=Debian-Security"; };
Unattended-Upgrade::Package-Blacklist { "docker-ce"; "docker-ce-cli"; "containerd.io"; };
Unattended-Upgrade::Automatic-Reboot "false";
END
}

main
