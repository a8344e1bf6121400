// Package program pins Helm: hack/helm/build builds the command
// helm.sh/helm/v4/cmd/helm with the versions of this module.
package program

import _ "helm.sh/helm/v4/pkg/cmd"
