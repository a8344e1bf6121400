/* A PodTemplate and reviews for tests. Tests only. */
#ifndef CONTROLLER_INJECT_SAMPLE_H
#define CONTROLLER_INJECT_SAMPLE_H

#define SAMPLE_UID   "705ab4f5-6393-11e8-b7cc-42010a800002"
#define SAMPLE_OWNER "3f9a1c07-1111-4222-8333-444455556666"

#define SAMPLE_AGENT                                                                      \
	"{\"name\":\"functionkey-agent\",\"image\":\"a:1\",\"restartPolicy\":\"Always\"," \
	"\"env\":[{\"name\":\"POD_NAME\",\"value\":\"x\"}]}"
#define SAMPLE_VOLUME "{\"name\":\"functionkey\",\"emptyDir\":{\"medium\":\"Memory\"}}"
#define SAMPLE_TOKEN  "{\"name\":\"functionkey-token\",\"projected\":{}}"
#define SAMPLE_TEMPLATE                                                                           \
	"{\"metadata\":{\"name\":\"functionkey-agent\",\"namespace\":\"functionkey-system\","     \
	"\"uid\":\"u\",\"resourceVersion\":\"1\"},\"template\":{\"spec\":{\"initContainers\":"    \
	"[" SAMPLE_AGENT "],\"containers\":[{\"name\":\"function\"}],\"volumes\":[" SAMPLE_VOLUME \
	"," SAMPLE_TOKEN "]}}}"

/* A review of the creation of a pod whose metadata begins with a label map of "inject". */
#define SAMPLE_REVIEW(object)                                                                \
	"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{" \
	"\"uid\":\"" SAMPLE_UID                                                              \
	"\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},"                  \
	"\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},"            \
	"\"namespace\":\"shop\",\"operation\":\"CREATE\",\"userInfo\":{\"username\":\"u\"}," \
	"\"object\":" object ",\"oldObject\":null,\"dryRun\":false}}"
#define SAMPLE_POD(metadata, spec) \
	SAMPLE_REVIEW("{\"kind\":\"Pod\",\"metadata\":{" metadata "},\"spec\":{" spec "}}")
#define SAMPLE_OPTED(more) "\"labels\":{\"functionkey.dev/inject\":\"true\"" more "}"
#define SAMPLE_OWNED(kind, name)                                                                  \
	"\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"" kind "\",\"name\":\"" name \
	"\",\"uid\":\"" SAMPLE_OWNER "\",\"controller\":true}]"

#endif
