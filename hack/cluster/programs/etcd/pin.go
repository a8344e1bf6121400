// Package etcd pins the etcd server: hack/cluster/build builds the command
// go.etcd.io/etcd/server/v3 with the versions of this module.
package etcd

import _ "go.etcd.io/etcd/server/v3/etcdmain"
