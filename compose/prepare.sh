#!/bin/sh
# Runs to its end before any Envoy starts: a first file for each, which says who it is and where its control plane is, and
# what is declared in mesh.yaml. The files hold the token, so nobody else may read them.
set -eu
umask 077

bootstrap() {  # bootstrap NODE OPTION...
    node=$1
    shift
    fairlead bootstrap --id "$node" --ads control:15010 "$@" >"/data/.$node"
    mv "/data/.$node" "/data/$node.yaml"
}

bootstrap edge --role gateway --gateway edge
bootstrap web-v1 --service web --version v1 --app 127.0.0.1:8080
bootstrap web-v2 --service web --version v2 --app 127.0.0.1:8080
fairlead apply -f /etc/fairlead/mesh.yaml
