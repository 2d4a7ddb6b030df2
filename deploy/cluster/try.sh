#!/usr/bin/env bash
# Runs the example on one machine: three nodes on loopback with the files beside this script, in a laboratory of their own. What is
# published on one is retrieved from another; one is killed with kill -9, and both still work; it comes back, and has everything.
#
#     deploy/cluster/try.sh              n1.yaml, n2.yaml and n3.yaml
#     deploy/cluster/try.sh witness      n1.yaml, n2.yaml and witness.yaml in place of n3
#
# Exit status 0 when all of that was so. It needs no root, and leaves nothing running. VIADUCT is the program (default: that of make
# build, else the installed one), PORT the first of a hundred ports (a multiple of 100; chosen when not set), KEEP=1 keeps the folder
# with configurations and logs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
viaduct=${VIADUCT:-$here/../../bin/viaduct} # what make build makes, or what is installed
[ -n "${VIADUCT:-}" ] || [ -x "$viaduct" ] || viaduct=$(command -v viaduct || true)
[ -x "$viaduct" ] || { echo "try.sh: no program: make build, or VIADUCT=…" >&2; exit 2; }
case ${1:-} in
"") third=n3.yaml far=3 ;;
witness) third=witness.yaml far=2 ;; # n3 serves nobody
*) echo "usage: try.sh [witness]" >&2; exit 2 ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/viaduct-try.XXXXXX")
declare -A running=() # process numbers by name
end() {
	status=$?
	trap - EXIT
	[ $status -eq 0 ] || [ $status -gt 128 ] || for log in "$work"/*.log; do echo "--- ${log##*/}, its last lines"; tail -n 15 "$log"; done >&2
	for signal in TERM KILL; do
		for name in "${!running[@]}"; do kill -$signal "${running[$name]}" 2>/dev/null || unset "running[$name]"; done
		for _ in {1..100}; do # 10 s to end by themselves
			alive=
			for name in "${!running[@]}"; do kill -0 "${running[$name]}" 2>/dev/null && alive=1; done
			[ -n "$alive" ] || break
			sleep 0.1
		done
	done
	wait
	if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
	exit $status
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { echo "try.sh: $*"; }
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
answer() { # PORT PATH: the body of what a management listener answers
	{ exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || { echo "nobody listens"; return; }
	printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3
	sed '1,/^\r*$/d' <&3
	exec 3>&-
}
start() { # NAME COMMAND…
	"${@:2}" >>"$work/$1.log" 2>&1 &
	running[$1]=$!
}
await() { # SECONDS WHAT COMMAND…: until it succeeds
	for ((i = $1 * 5; i > 0; i--)); do
		if "${@:3}"; then return; fi
		for name in "${!running[@]}"; do
			kill -0 "${running[$name]}" 2>/dev/null || { say "$name has ended by itself" >&2; return 1; }
		done
		sleep 0.2
	done
	say "waited $1 s for $2 in vain" >&2
	return 1
}
ready() { [ "$(answer "${base}3$1" /readyz)" = ready ]; }

# A hundred ports of which nobody has those that are needed: x00 the certificates, x1N the CPS of node N, x2N for the other nodes,
# x3N for operators.
if [ -n "${PORT:-}" ]; then
	base=${PORT%00}
	[ "${base}00" = "$PORT" ] || { say "PORT is a multiple of 100" >&2; exit 2; }
else
	for _ in {1..100}; do
		base=$((110 + RANDOM % 200)) free=1
		for port in 00 11 12 13 21 22 23 31 32 33; do if taken "$base$port"; then free=; fi; done
		if [ -n "$free" ]; then break; fi
	done
fi

cd "$work"
"$viaduct" lab init lab --spc 1234 --spc 567B --repository "127.0.0.1:${base}00" --cps "127.0.0.1:${base}11" >/dev/null
"$viaduct" cluster certificates keys n1=127.0.0.1 n2=127.0.0.1 n3=127.0.0.1 >/dev/null
for n in 1 2 3; do # what an operator puts into /etc/viaduct of each machine
	mkdir -p "etc$n" "var$n"
	cp lab/tls/cps.pem keys/n$n.pem keys/n$n.key keys/cluster-ca.pem "etc$n"
	cp lab/tls/cps-key.pem "etc$n/cps.key"
	cp lab/sti-root.pem "etc$n/sti-roots.pem"
	file=$here/n$n.yaml
	[ $n != 3 ] || file=$here/$third
	sed -e "s|10\.0\.0\.\([123]\):8443|127.0.0.1:${base}1\1|" -e "s|10\.0\.0\.\([123]\):7401|127.0.0.1:${base}2\1|" \
		-e "s|127\.0\.0\.1:9464|127.0.0.1:${base}3$n|" -e "s|/var/lib/viaduct/|$work/var$n/|" -e 's|delay: 5s|delay: 0s|' \
		-e "s|^trust:.*|trust:\n  laboratory: {hosts: [\"127.0.0.1:${base}00\"], roots: [$work/lab/tls-root.pem]}|" "$file" >"etc$n/viaduct.yaml"
	"$viaduct" check --config "etc$n/viaduct.yaml" >check.log 2>&1 || { say "viaduct check of $file finds faults" >&2; exit 1; }
done

serve() { start "n$1" "$viaduct" serve --config "etc$1/viaduct.yaml"; }
start repository "$viaduct" lab serve lab
await 30 "the laboratory's certificates" taken "${base}00"
for n in 1 2 3; do serve $n; done
for n in 1 2 3; do await 60 "n$n to be ready" ready $n; done
say "three nodes are ready"

publish() { # NODE CALLED
	"$viaduct" passport sign --lab lab --spc 1234 --orig 12155550121 --dest "$2" |
		"$viaduct" publish --lab lab --spc 1234 --cps "https://127.0.0.1:${base}1$1" --audience cps.example.net --keep 60s >>publish.log 2>&1
}
retrieve() { # NODE CALLED
	"$viaduct" retrieve --lab lab --spc 567B --from 1234 --cps "https://127.0.0.1:${base}1$1" --audience cps.example.net \
		--orig 12155550121 --dest "$2" 2>>retrieve.log |
		"$viaduct" passport verify --lab lab --orig 12155550121 --dest "$2" >>retrieve.log 2>&1
}
must() { "$@" || { say "failed: $*" >&2; exit 1; }; }

must publish 1 12155550131
must retrieve $far 12155550131
say "published on n1, retrieved from n$far and verified"

kill -9 "${running[n1]}"
wait "${running[n1]}" 2>/dev/null || true
unset 'running[n1]'
must retrieve 2 12155550131
must publish $far 12155550132
must retrieve 2 12155550132
say "n1 is killed: what it took is still there, and n$far takes more"

serve 1
await 60 "n1 to be ready" ready 1
must retrieve 1 12155550132
say "n1 is back, and has what it missed"
