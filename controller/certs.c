#include "controller/certs.h"

#include "controller/pem.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#define SKEW_NS    (300 * NS_PER_S) /* that another clock may be behind ours */
#define OVERLAP_NS (600 * NS_PER_S) /* in which everybody hears of a new authority */
#define SERIAL_LEN 16

const char *const controller_certs_names[CONTROLLER_CERTS_TEXTS] = {
#define CERTS_NAME(name, text) text,
	CONTROLLER_CERTS(CERTS_NAME)
#undef CERTS_NAME
};

/* A certificate with its key; either may be missing. */
struct pair {
	X509 *cert;
	EVP_PKEY *key;
	int64_t from_ns, to_ns; /* wall time */
};

static void pair_done(struct pair *p)
{
	X509_free(p->cert);
	EVP_PKEY_free(p->key);
	*p = (struct pair){0};
}
CLEANUP_DONE(struct pair, pair_done);

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* -- reading -- */

static int64_t time_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) * NS_PER_S : 0;
}

/* What is none stays NULL: it is made anew. */
static struct pair read_pair(struct str cert, struct str key)
{
	struct pair p = {0};
	_cleanup_(controller_bio_done) BIO *c =
		cert.n ? BIO_new_mem_buf(cert.p, (int)cert.n) : NULL;
	_cleanup_(controller_bio_done) BIO *k = key.n ? BIO_new_mem_buf(key.p, (int)key.n) : NULL;

	if (c)
		p.cert = PEM_read_bio_X509(c, NULL, controller_no_passphrase, NULL);
	if (k)
		p.key = PEM_read_bio_PrivateKey(k, NULL, controller_no_passphrase, NULL);
	if (p.cert) {
		p.from_ns = time_of(X509_get0_notBefore(p.cert));
		p.to_ns = time_of(X509_get0_notAfter(p.cert));
	}
	return p;
}

static bool is_whole(const struct pair *p, int64_t now)
{
	return p->cert && p->key && now < p->to_ns && X509_check_private_key(p->cert, p->key) == 1;
}

int64_t controller_certs_not_after(struct str pem)
{
	_cleanup_(pair_done) struct pair p = read_pair(pem, STR_NULL);

	return p.to_ns;
}

int controller_certs_bundle(
	const struct str have[static CONTROLLER_CERTS_TEXTS], struct buf *b, struct err *err)
{
	TRY(base_buf_add_str(b, have[CONTROLLER_CA], err));
	return base_buf_add_str(b, have[CONTROLLER_OTHER], err);
}

/* -- making -- */

static int library(struct err *err, const char *what)
{
	return FAIL(err, ERR_NOMEM, "libcrypto: %s", what);
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value, struct err *err)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!e)
		return library(err, "extension");
	const int added = X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
	return added == 1 ? 0 : library(err, "extension");
}

struct extension {
	int nid;
	const char *value;
};

static int set_times(X509 *cert, int64_t from_ns, int64_t to_ns, struct err *err)
{
	if (!ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(from_ns / NS_PER_S)) ||
		!ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(to_ns / NS_PER_S)))
		return library(err, "time");
	return 0;
}

/* The name holds the serial: no two authorities are mistaken for one another. */
static int set_name(X509 *cert, const struct env *env, const char *name, struct err *err)
{
	uint8_t serial[SERIAL_LEN];
	char text[64];

	TRY(base_random(env, serial, sizeof(serial), err));
	serial[0] &= 0x7f;
	serial[0] |= 1;
	(void)snprintf(text, sizeof(text), "%s %02x%02x%02x%02x", name, serial[0], serial[1],
		serial[2], serial[3]);
	BIGNUM *n = BN_bin2bn(serial, sizeof(serial), NULL);
	const bool good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) &&
			  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
				  MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1;
	BN_free(n);
	return good ? 0 : library(err, "name");
}

/* A certificate for a new key, signed by issuer; issuer NULL: by itself. */
static int make_pair(struct pair *p, const struct pair *issuer, const struct env *env,
	const char *name, const struct extension *extensions, size_t n, struct err *err)
{
	const struct pair *by = issuer ? issuer : p;

	p->cert = X509_new();
	p->key = EVP_EC_gen("P-256");
	if (!p->cert || !p->key)
		return library(err, "key");
	TRY(set_name(p->cert, env, name, err));
	TRY(set_times(p->cert, p->from_ns, p->to_ns, err));
	if (X509_set_version(p->cert, X509_VERSION_3) != 1 ||
		X509_set_pubkey(p->cert, p->key) != 1 ||
		X509_set_issuer_name(p->cert, X509_get_subject_name(by->cert)) != 1)
		return library(err, "certificate");
	for (size_t i = 0; i < n; i++)
		TRY(add_extension(p->cert, by->cert, extensions[i].nid, extensions[i].value, err));
	return X509_sign(p->cert, by->key, EVP_sha256()) > 0 ? 0 : library(err, "signature");
}

static int make_ca(const struct controller_certs_view *v, const struct env *env, struct pair *p,
	struct err *err)
{
	static const struct extension extensions[] = {
		{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
		{NID_key_usage, "critical,keyCertSign,cRLSign"},
		{NID_subject_key_identifier, "hash"},
		{NID_authority_key_identifier, "keyid:always"},
	};
	const int64_t now = base_wall_ns(env);

	p->from_ns = now - min(SKEW_NS, v->ca_life_ns / 10);
	p->to_ns = now + v->ca_life_ns;
	return make_pair(
		p, NULL, env, "FunctionKey webhook CA", extensions, ARRAY_LEN(extensions), err);
}

static bool is_ip(struct str name)
{
	uint8_t address[16];
	char text[64];

	return base_str_copy(name, text, sizeof(text), "name", NULL) == 0 &&
	       (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1);
}

static int make_serving(const struct controller_certs_view *v, const struct env *env,
	const struct pair *ca, struct pair *p, struct err *err)
{
	_cleanup_(base_buf_done) struct buf names = base_buf(4096);
	const int64_t now = base_wall_ns(env);

	for (size_t i = 0; i < v->names_len; i++)
		TRY(base_buf_addf(&names, err, "%s%s:%.*s", i ? "," : "",
			is_ip(v->names[i]) ? "IP" : "DNS", STR_FMT(v->names[i])));
	const struct extension extensions[] = {
		{NID_basic_constraints, "critical,CA:FALSE"},
		{NID_key_usage, "critical,digitalSignature"},
		{NID_ext_key_usage, "serverAuth"},
		{NID_subject_key_identifier, "hash"},
		{NID_authority_key_identifier, "keyid:always"},
		{NID_subject_alt_name, (const char *)names.data},
	};
	p->from_ns = now - min(SKEW_NS, v->serving_life_ns / 10);
	p->to_ns = min(now + v->serving_life_ns, ca->to_ns);
	return make_pair(p, ca, env, "FunctionKey webhook", extensions, ARRAY_LEN(extensions), err);
}

/* -- writing -- */

static int take_text(BIO *bio, struct buf *b, struct err *err)
{
	char *text = NULL;
	const long n = BIO_get_mem_data(bio, &text);

	base_buf_clear(b);
	return n > 0 ? base_buf_add(b, text, (size_t)n, err) : library(err, "PEM");
}

static int write_pair(const struct pair *p, struct buf *cert, struct buf *key, struct err *err)
{
	_cleanup_(controller_bio_done) BIO *c = BIO_new(BIO_s_mem());
	_cleanup_(controller_bio_done) BIO *k = BIO_new(BIO_s_mem());

	if (!c || !k || PEM_write_bio_X509(c, p->cert) != 1 ||
		PEM_write_bio_PrivateKey(k, p->key, NULL, NULL, 0, NULL, NULL) != 1)
		return library(err, "PEM");
	TRY(take_text(c, cert, err));
	return take_text(k, key, err);
}

/* -- the step -- */

struct now_view {
	const struct controller_certs_view *v;
	const struct env *env;
	int64_t now, overlap_ns;
	struct pair ca, other, serving;
};

static void now_view_done(struct now_view *n)
{
	pair_done(&n->ca);
	pair_done(&n->other);
	pair_done(&n->serving);
}
CLEANUP_DONE(struct now_view, now_view_done);

static int64_t due_ns(const struct pair *p)
{
	return p->from_ns + (p->to_ns - p->from_ns) / 3 * 2;
}

static bool serves(const struct now_view *n)
{
	const struct controller_certs_view *v = n->v;
	char name[256];

	if (!is_whole(&n->serving, n->now) ||
		X509_verify(n->serving.cert, X509_get0_pubkey(n->ca.cert)) != 1)
		return false;
	for (size_t i = 0; i < v->names_len; i++)
		if (base_str_copy(v->names[i], name, sizeof(name), "name", NULL) < 0 ||
			(is_ip(v->names[i])
					? X509_check_ip_asc(n->serving.cert, name, 0)
					: X509_check_host(n->serving.cert, name, 0, 0, NULL)) != 1)
			return false;
	return true;
}

static int sign_anew(const struct now_view *n, const struct pair *ca,
	struct controller_certs_plan *plan, struct err *err)
{
	_cleanup_(pair_done) struct pair serving = {0};

	TRY(make_serving(n->v, n->env, ca, &serving, err));
	return write_pair(&serving, &plan->texts[CONTROLLER_SERVING],
		&plan->texts[CONTROLLER_SERVING_KEY], err);
}

static int begin_anew(const struct now_view *n, struct controller_certs_plan *plan, struct err *err)
{
	_cleanup_(pair_done) struct pair ca = {0};

	plan->why = "made a certificate authority";
	TRY(make_ca(n->v, n->env, &ca, err));
	TRY(write_pair(&ca, &plan->texts[CONTROLLER_CA], &plan->texts[CONTROLLER_CA_KEY], err));
	base_buf_clear(&plan->texts[CONTROLLER_OTHER]);
	base_buf_clear(&plan->texts[CONTROLLER_OTHER_KEY]);
	return sign_anew(n, &ca, plan, err);
}

static int announce_next(
	const struct now_view *n, struct controller_certs_plan *plan, struct err *err)
{
	_cleanup_(pair_done) struct pair next = {0};

	plan->why = "announced the next certificate authority";
	TRY(make_ca(n->v, n->env, &next, err));
	return write_pair(
		&next, &plan->texts[CONTROLLER_OTHER], &plan->texts[CONTROLLER_OTHER_KEY], err);
}

static int use_next(const struct now_view *n, struct controller_certs_plan *plan, struct err *err)
{
	const struct buf old = plan->texts[CONTROLLER_CA];

	plan->why = "signed with the next certificate authority";
	plan->texts[CONTROLLER_CA] = plan->texts[CONTROLLER_OTHER];
	plan->texts[CONTROLLER_OTHER] = old;
	const struct buf key = plan->texts[CONTROLLER_CA_KEY];
	plan->texts[CONTROLLER_CA_KEY] = plan->texts[CONTROLLER_OTHER_KEY];
	plan->texts[CONTROLLER_OTHER_KEY] = key;
	base_buf_clear(&plan->texts[CONTROLLER_OTHER_KEY]);
	return sign_anew(n, &n->other, plan, err);
}

/* When what is under way beside the authority that signs can go on: the next one signs once it was
 * published for a while; the old one goes once nobody serves with it any more. */
static int64_t other_due_ns(const struct now_view *n)
{
	const struct pair *since = n->other.key ? &n->other : &n->serving;
	const int64_t life = n->other.key ? n->v->ca_life_ns : n->v->serving_life_ns;

	return since->from_ns + min(SKEW_NS, life / 10) + n->overlap_ns;
}

/* It would make the whole bundle unreadable, or could never sign. */
static bool is_spoiled(const struct now_view *n)
{
	const struct str *have = n->v->have;

	if (have[CONTROLLER_OTHER_KEY].n)
		return !is_whole(&n->other, n->now);
	return have[CONTROLLER_OTHER].n && !n->other.cert;
}

static int step(struct now_view *n, struct controller_certs_plan *plan, struct err *err)
{
	const bool other = n->other.cert != NULL;

	if (!is_whole(&n->ca, n->now))
		return begin_anew(n, plan, err);
	if (is_spoiled(n)) {
		plan->why = "dropped what was no certificate authority";
		base_buf_clear(&plan->texts[CONTROLLER_OTHER]);
		base_buf_clear(&plan->texts[CONTROLLER_OTHER_KEY]);
		return 0;
	}
	if (!serves(n) || n->now >= due_ns(&n->serving)) {
		plan->why = "renewed the serving certificate";
		return sign_anew(n, &n->ca, plan, err);
	}
	if (other && n->other.key && n->v->published && n->now >= other_due_ns(n))
		return use_next(n, plan, err);
	if (other && !n->other.key && n->now >= other_due_ns(n)) {
		plan->why = "dropped the old certificate authority";
		base_buf_clear(&plan->texts[CONTROLLER_OTHER]);
		return 0;
	}
	if (!other && n->now >= due_ns(&n->ca))
		return announce_next(n, plan, err);
	plan->wake_ns = min(due_ns(&n->serving), other ? other_due_ns(n) : due_ns(&n->ca));
	return 0;
}

static int copy_texts(
	const struct controller_certs_view *v, struct controller_certs_plan *plan, struct err *err)
{
	for (size_t i = 0; i < CONTROLLER_CERTS_TEXTS; i++) {
		plan->texts[i] = base_buf(CONTROLLER_CERTS_PEM_MAX);
		TRY(base_buf_add_str(&plan->texts[i], v->have[i], err));
	}
	return 0;
}

void controller_certs_plan_done(struct controller_certs_plan *p)
{
	for (size_t i = 0; i < CONTROLLER_CERTS_TEXTS; i++)
		base_buf_wipe(&p->texts[i]);
}

int controller_certs_step(const struct controller_certs_view *v, const struct env *env,
	struct controller_certs_plan *ret_plan, struct err *err)
{
	_cleanup_(controller_certs_plan_done) struct controller_certs_plan plan = {0};
	const struct str *have = v->have;
	_cleanup_(now_view_done) struct now_view n = {.v = v,
		.env = env,
		.now = base_wall_ns(env),
		.overlap_ns = min(OVERLAP_NS, v->serving_life_ns / 6),
		.ca = read_pair(have[CONTROLLER_CA], have[CONTROLLER_CA_KEY]),
		.other = read_pair(have[CONTROLLER_OTHER], have[CONTROLLER_OTHER_KEY]),
		.serving = read_pair(have[CONTROLLER_SERVING], have[CONTROLLER_SERVING_KEY])};

	TRY(copy_texts(v, &plan, err));
	TRY(step(&n, &plan, err));
	*ret_plan = plan;
	plan = (struct controller_certs_plan){0};
	return 0;
}
