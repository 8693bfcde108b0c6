#!/bin/sh
# A controller is driven off the bus, seen by candump, and comes back. Run as: pocketcan run --private examples/busoff.sh
set -e
pocketcan bus add bench0
for link in can0 can1; do
    pocketcan link add $link bus bench0
    ip link set $link up type can bitrate 500000
done

candump -td -e can0,0:0,#FFFFFFFF &
sleep 0.5
echo '$ cansend can0 123#1122                  # can1 acknowledges'
cansend can0 123#1122
sleep 0.2
echo '$ pocketcan fault add can0 bit tx count 32   # what can0 sends is not what it reads back'
pocketcan fault add can0 bit tx count 32 >/dev/null
cansend can0 123#3344
sleep 0.2
echo '$ ip -d link show can0'
ip -d link show can0 | sed -n '1p;3p'
echo '$ ip link set can0 type can restart'
ip link set can0 type can restart
cansend can0 123#5566
sleep 0.2
echo '$ pocketcan bus show bench0'
pocketcan bus show bench0
kill $!
