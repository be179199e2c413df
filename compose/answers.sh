#!/bin/bash
# answers.sh PORT PATH: whether 127.0.0.1:PORT answers PATH with 200. In bash alone, for it is run every two seconds in each
# container, and images of Envoy have nothing else to ask with.
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET %s HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n' "$2" >&3
read -r -t 2 _ status _ <&3 && [[ $status == 200 ]]
