module functionkey.dev/hack/cluster/programs/probe

go 1.26.0
