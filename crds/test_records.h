/* Records as an API server would send them. Tests only. */
#ifndef CRDS_TEST_RECORDS_H
#define CRDS_TEST_RECORDS_H

#define TEST_UID  "3f9a1c07-1111-4222-8333-444455556666"
#define TEST_UID2 "aaaaaaaa-1111-4222-8333-444455556666"
#define HEX8      "0123abcd"
#define HEX32     HEX8 HEX8 HEX8 HEX8
#define HEX64     HEX32 HEX32
#define HEX128    HEX64 HEX64
#define P(n)      "02" n n HEX8 HEX8 HEX8 HEX8 HEX8 HEX8

#define TEST_KEY(epoch, state, more)                                                             \
	"{\"epoch\":" epoch ",\"state\":\"" state "\",\"publicKey\":\"" P(                       \
		"000000aa") "\",\"fingerprint\":\"" HEX32                                        \
			    "\",\"continuityKey\":\"" P("000000bb") "\",\"identityKey\":\"" P(   \
				    "000000cc") "\",\"signature\":\"" HEX128 "\",\"leaderPod\":" \
						"\"orders-1-a\",\"term\":4" more "}"

#define TEST_LEADER(spec, status)                                                                \
	"{\"apiVersion\":\"functionkey.dev/v1alpha1\",\"kind\":\"FunctionKey\",\"metadata\":{"   \
	"\"name\":\"orders-1\",\"namespace\":\"shop\",\"uid\":\"" TEST_UID "\","                 \
	"\"resourceVersion\":\"77\",\"generation\":3,\"labels\":{\"functionkey.dev/for\":"       \
	"\"orders-1\",\"functionkey.dev/function\":\"orders\",\"x\":\"y\"},"                     \
	"\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":"     \
	"\"orders-1\",\"uid\":\"" TEST_UID2 "\"}]},\"spec\":{\"role\":\"Leader\","               \
	"\"revision\":\"orders-1\",\"function\":\"orders\",\"scheme\":\"umbral-secp256k1\"" spec \
	"},\"status\":{" status "}}"

#define TEST_MEMBER(spec, status)                                                            \
	"{\"metadata\":{\"name\":\"orders-1-b.3f9a1c07\",\"namespace\":\"shop\"},\"spec\":{" \
	"\"role\":\"Member\",\"revision\":\"orders-1\",\"pod\":\"orders-1-b\",\"podUID\":"   \
	"\"" TEST_UID                                                                        \
	"\",\"incarnation\":2,\"receivingKey\":\"" P("00000001") "\",\"inboxKey\":\"" P(     \
		"00000002") "\",\"identityKey\":\"" P("00000003") "\",\"proof\":\"" HEX128   \
								  "\"" spec                  \
								  "},\"status\":{" status "}}"

#define TEST_GRANT(epoch)                                                           \
	"{\"epoch\":" epoch                                                         \
	",\"term\":4,\"incarnation\":2,\"leader\":\"orders-1-a\",\"from\":\"" HEX32 \
	"\",\"to\":\"" HEX32 "\",\"inbox\":\"" HEX32                                \
	"\",\"kfrag\":\"c2VhbGVk\",\"signature\":\"" HEX128 "\"}"

#define TEST_CERTIFICATE                                                              \
	"\"certificate\":{\"certificate\":\"Y2VydA==\",\"issuer\":\"" P(              \
		"000000ee") "\","                                                     \
			    "\"leader\":\"orders-1-a\",\"term\":4,\"incarnation\":2," \
			    "\"expires\":\"2026-01-02T03:04:05Z\"}"

#define TEST_LEADER_FULL                                                                                     \
	TEST_LEADER(",\"onLeaderChange\":\"Inherit\",\"retention\":{\"minAge\":\"90m\","                     \
		    "\"maxEpochs\":5},\"rotation\":{\"period\":\"24h\",\"afterEpoch\":7},"                   \
		    "\"eraseThrough\":1,"                                                                    \
		    "\"revoked\":[\"" TEST_UID "\",\"" TEST_UID2 "\"]",                                      \
		"\"epoch\":3,\"activeEpoch\":2,\"leader\":{\"pod\":\"orders-1-a\",\"podUID\":"               \
		"\"" TEST_UID                                                                                \
		"\",\"incarnation\":1,\"term\":4,\"since\":\"2026-01-02T03:04:05Z\","                        \
		"\"endpoint\":\"10.0.0.7:9471\",\"verifyingKey\":\"" P(                                      \
			"000000dd") "\",\"identityKey\":\"" P("000000ee") "\",\"signature\":"                \
									  "\"" HEX128 "\"},"                 \
									  "\"members\":{"                    \
									  "\"total\":3,\"ready\":"           \
									  "2,\"summary\":\"2/"               \
									  "3\"},\"keys\":"                   \
									  "[" TEST_KEY("3",                  \
										  "Prepared",                \
										  ",\"link\":"               \
										  "\"" HEX128                \
										  "\","                      \
										  "\"previousEpoc"           \
										  "h\":2") "," TEST_KEY("2", \
										  "Active",                  \
										  ",\"activatedAt"           \
										  "\":\"2026-01-"            \
										  "02T03:04:"                \
										  "05Z\"") "," TEST_KEY("1", \
										  "Retired",                 \
										  ",\"reason\":"             \
										  "\"Rotated\","             \
										  "\"retiredAt\":"           \
										  "\"2026-01-"               \
										  "02T03:04:"                \
										  "06Z\"") "],"              \
											   "\"con"           \
											   "ditio"           \
											   "ns\":"           \
											   "[{"              \
											   "\"typ"           \
											   "e\":"            \
											   "\"Rea"           \
											   "dy\","           \
											   "\"sta"           \
											   "tus\""           \
											   ":\"Fa"           \
											   "lse\""           \
											   ",\"re"           \
											   "ason"            \
											   "\":"             \
											   "\"NoH"           \
											   "older"           \
											   "\","             \
											   "\"mes"           \
											   "sage"            \
											   "\":"             \
											   "\"nob"           \
											   "ody "            \
											   "\\u00"           \
											   "fcber"           \
											   "\","             \
											   "\"las"           \
											   "tTran"           \
											   "sitio"           \
											   "nTime"           \
											   "\":"             \
											   "\"202"           \
											   "6-01-"           \
											   "02T03"           \
											   ":04:"            \
											   "05Z\""           \
											   "}]")

#define TEST_MEMBER_FULL                                                                           \
	TEST_MEMBER("", "\"activeEpoch\":2,\"reEncryptionKeys\":[" TEST_GRANT("2") "," TEST_GRANT( \
				"1") "],\"opened\":{\"incarnation\":2,\"epochs\":[{\"epoch\":2,"   \
				     "\"fingerprint\":\"" HEX32 "\"}]}," TEST_CERTIFICATE)

#endif
