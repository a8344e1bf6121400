/* How informers of the agent see FunctionKeys. Layer: agent. */
#ifndef AGENT_KIND_H
#define AGENT_KIND_H

#include "crds/functionkey.h"
#include "pkg/kube/projection.h"

/* Objects are struct crds_functionkey. */
extern const struct kube_kind agent_functionkey_kind;

#endif
