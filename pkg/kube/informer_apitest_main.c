/* kube-informer-apitest: the informer against a real API server.
 *
 *	KUBECONFIG=… kube-informer-apitest [CTL CLUSTER]
 *
 * ConfigMaps are changed by one client and seen by the informers of another, whose streams can be
 * cut, silenced, and sent with other queries. With CTL (hack/cluster/ctl) and the cluster's name
 * the API server is killed too, and forgets what was before. Works in a namespace of its own, which
 *it deletes at the end. Ends with "N passed, N failed".
 */
#include "pkg/base/alloc.h"
#include "pkg/kube/informer_apitest.h"

#include <signal.h>
#include <unistd.h>

static const struct kube_resource namespaces = {"", "v1", "namespaces", "Namespace", false};
static const struct kube_resource nothing = {"example.org", "v1", "unicorns", "Unicorn", true};

static void case_watch_list(struct tap_test *t)
{
	struct tap *p = tap_open(t, &tap_config_maps, false, NULL, NULL);

	tap_check(t, "WatchList: the first set is whole", tap_wait(p, tap_is_synced));
	tap_check(t, "WatchList: one stream, no fallback",
		p->starts == 1 && tap_stats(p).fallbacks == 0);
	tap_churn(t);
	tap_check(t, "WatchList: created, updated, deleted, made anew are seen",
		tap_wait(p, tap_is_watching));
	tap_check(t, "WatchList: still the same stream, synced was told once",
		p->starts == 1 && p->synced == 1);
	kube_informer_free(p->informer);
}

static void case_list(struct tap_test *t)
{
	struct tap *p = tap_open(t, &tap_config_maps, true, NULL, NULL);

	tap_check(t, "LIST: the first set is whole", tap_wait(p, tap_is_synced));
	tap_churn(t);
	tap_check(t, "LIST: changes are seen", tap_wait(p, tap_is_watching));
	tap_check(t, "LIST: a LIST and a watch", p->starts == 2);
	kube_informer_free(p->informer);
	p = tap_open(t, &tap_config_maps, true, "resourceVersion=0&limit=500", "limit=7");
	tap_check(t, "LIST in pages of 7, then of 500: the first set is whole",
		tap_wait(p, tap_is_synced));
	tap_check(t, "LIST in pages: it was paged", p->starts >= 2 && p->replaced == 1);
	tap_churn(t);
	tap_check(t, "LIST in pages: changes are seen", tap_wait(p, tap_is_watching));
	kube_informer_free(p->informer);
}

static void case_refused(struct tap_test *t)
{
	struct tap *p =
		tap_open(t, &tap_config_maps, false, "&resourceVersionMatch=NotOlderThan", "");

	tap_check(t, "WatchList refused by the server: LIST instead", tap_wait(p, tap_is_synced));
	tap_check(t, "WatchList refused: one fallback, and nothing to tell",
		p->replaced == 1 && tap_stats(p).fallbacks == 1 && p->troubles[ERR_INVALID] == 0);
	kube_informer_free(p->informer);
}

static void case_cut(struct tap_test *t)
{
	struct tap *p = tap_open(t, &tap_config_maps, false, NULL, NULL);

	tap_check(t, "cut: the first set is whole", tap_wait(p, tap_is_synced));
	for (int i = 0; i < 3; i++) {
		tap_cut(p);
		tap_churn(t);
		tap_check(t, "cut: what changed meanwhile is seen", tap_wait(p, tap_is_watching));
	}
	tap_check(t, "cut: resumed each time, never listed",
		tap_stats(p).relists == 0 && tap_stats(p).restarts == 3);
	kube_informer_free(p->informer);
}

/* Versions that the server has not reached. */
static void case_future(struct tap_test *t)
{
	static const struct {
		const char *what, *from, *to;
		bool no_watch_list;
	} rows[] = {
		{"LIST of the future: the first set is whole", "resourceVersion=0&limit=500",
			"resourceVersion=999999999&resourceVersionMatch=NotOlderThan", true},
		{"WatchList of the future: the first set is whole", "&sendInitialEvents",
			"&resourceVersion=999999999&sendInitialEvents", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tap *p = tap_open(
			t, &tap_config_maps, rows[i].no_watch_list, rows[i].from, rows[i].to);
		tap_check(t, rows[i].what, tap_wait(p, tap_is_synced) && p->replaced == 1);
		tap_check(t, "… after the server said that it is too large",
			p->troubles[ERR_EXPIRED] == 1 && tap_stats(p).errors == 1);
		kube_informer_free(p->informer);
	}
}

static void case_silence(struct tap_test *t)
{
	struct tap *p = tap_open(t, &tap_config_maps, false, NULL, NULL);

	tap_check(t, "silence: the first set is whole", tap_wait(p, tap_is_synced));
	p->mute = true;
	tap_churn(t);
	p->jump_ns += 151 * NS_PER_S;
	tap_wake(p);
	tap_check(
		t, "silence of 151 s: given up, what changed is seen", tap_wait(p, tap_is_killed));
	tap_check(t, "silence: resumed, not listed",
		tap_stats(p).idle_kills == 1 && tap_stats(p).relists == 0);
	kube_informer_free(p->informer);
}

static void case_absent(struct tap_test *t)
{
	struct tap *p = tap_open(t, &nothing, false, NULL, NULL);

	tap_check(t, "a kind that is not there: the state says so", tap_wait(p, tap_is_absent));
	tap_check(t, "a kind that is not there: told, not synced",
		p->troubles[ERR_NOT_FOUND] >= 1 && !kube_informer_synced(p->informer));
	kube_informer_free(p->informer);
}

/* After a restart: an API server that has been up since version 1 still knows what came after it.
 */
static void case_expired(struct tap_test *t)
{
	struct tap *p = tap_open(t, &tap_config_maps, false, NULL, NULL);

	tap_check(t, "410: the first set is whole", tap_wait(p, tap_is_synced));
	p->from = "&resourceVersion=";
	p->to = "&resourceVersion=1";
	tap_cut(p);
	tap_churn(t);
	tap_check(t, "410: what changed meanwhile is seen, deletions too",
		tap_wait(p, tap_is_relisted));
	tap_check(t, "410: it was Expired, and one new set",
		p->troubles[ERR_EXPIRED] == 1 && tap_stats(p).relists == 1 && p->replaced == 1);
	tap_churn(t);
	tap_check(t, "410: changes after it are seen", tap_wait(p, tap_is_watching));
	kube_informer_free(p->informer);
}

static void on_exit_child(uv_process_t *child, int64_t status, int signal)
{
	struct tap_test *t = child->data;

	t->exit_status = signal ? 128 + signal : (int)status;
	uv_close((uv_handle_t *)child, NULL);
}

static void run(struct tap_test *t, char *ctl, const char *action, char *cluster)
{
	char verb[16] = "", program[] = "apiserver", name[] = "--name";
	char *args[] = {ctl, verb, program, name, cluster, NULL};
	const uv_process_options_t options = {.file = ctl, .args = args, .exit_cb = on_exit_child};
	uv_process_t child = {.data = t};

	(void)snprintf(verb, sizeof(verb), "%s", action);
	t->exit_status = -1;
	if (uv_spawn(&t->loop, &child, &options) != 0) {
		t->exit_status = 127;
		uv_close((uv_handle_t *)&child, NULL);
	}
	while (t->exit_status < 0 || uv_is_active((uv_handle_t *)&child))
		(void)uv_run(&t->loop, UV_RUN_ONCE);
	(void)uv_run(&t->loop, UV_RUN_NOWAIT);
}

/* The first write that gets through. */
static bool written(struct tap_test *t)
{
	const int64_t end = base_boot_ns(&t->env) + 60 * NS_PER_S;

	t->rounds++;
	while (base_boot_ns(&t->env) < end) {
		tap_write(t, 1, t->rounds);
		if (t->err.class == ERR_OK)
			return true;
		(void)uv_run(&t->loop, UV_RUN_ONCE);
	}
	return false;
}

static void case_restart(struct tap_test *t, char *ctl, char *cluster)
{
	struct tap *p = tap_open(t, &tap_config_maps, false, NULL, NULL);

	tap_write(t, 1, ++t->rounds);
	tap_check(t, "restart: the first set is whole", tap_wait(p, tap_is_synced));
	run(t, ctl, "kill", cluster);
	tap_check(t, "restart: the API server was killed", t->exit_status == 0);
	tap_check(t, "restart: it is back and takes writes", written(t));
	tap_check(t, "restart: the write is seen", tap_wait(p, tap_is_watching));
	/* A new API server's watch cache knows only what comes after its own start. */
	tap_check(t, "restart: listed only where the version was no longer known",
		tap_stats(p).relists == p->troubles[ERR_EXPIRED]);
	printf("        restarts %llu, relists %llu\n", (unsigned long long)tap_stats(p).restarts,
		(unsigned long long)tap_stats(p).relists);
	tap_churn(t);
	tap_check(t, "restart: changes after it are seen", tap_wait(p, tap_is_watching));
	run(t, ctl, "stop", cluster);
	run(t, ctl, "start", cluster);
	tap_check(t, "stopped and started: it is back", t->exit_status == 0 && written(t));
	tap_check(t, "stopped and started: the write is seen", tap_wait(p, tap_is_watching));
	kube_informer_free(p->informer);
}

static bool set_up(struct tap_test *t, struct err *err)
{
	static const struct kube_client_options options = {
		.program = "kube-informer-apitest/1", .rate = 1000, .burst = 1000};
	char body[128];

	t->env = base_env_system();
	uv_loop_init(&t->loop);
	uv_timer_init(&t->loop, &t->wake);
	(void)snprintf(t->ns, sizeof(t->ns), "informer-test-%d", (int)getpid());
	if (kube_config_load(NULL, NULL, &t->config, err) < 0 ||
		kube_client_new(&t->loop, &t->env, t->config, &options, &t->writer, err) < 0 ||
		kube_client_new(&t->loop, &t->env, t->config, &options, &t->reader, err) < 0)
		return false;
	(void)snprintf(body, sizeof(body),
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}",
		t->ns);
	const struct kube_request request = {
		.verb = KUBE_CREATE, .resource = &namespaces, .body = base_str(body)};
	if (tap_call(t, &request) != ERR_OK) {
		*err = t->err;
		return false;
	}
	return true;
}

static void tear_down(struct tap_test *t)
{
	const struct kube_request request = {
		.verb = KUBE_DELETE, .resource = &namespaces, .name = base_str(t->ns)};

	if (t->writer)
		(void)tap_call(t, &request);
	kube_client_free(t->writer);
	kube_client_free(t->reader);
	uv_close((uv_handle_t *)&t->wake, NULL);
	(void)uv_run(&t->loop, UV_RUN_DEFAULT);
	tap_check(t, "all handles closed", uv_loop_close(&t->loop) == 0);
	kube_config_free(t->config);
	tap_check(t, "nothing is left allocated", base_alloc_live() == 0);
}

int main(int argc, char **argv)
{
	static struct tap_test t;
	struct err err = {0};

	(void)signal(SIGPIPE, SIG_IGN);
	if (set_up(&t, &err)) {
		tap_churn(&t);
		case_watch_list(&t);
		case_list(&t);
		case_refused(&t);
		case_cut(&t);
		case_future(&t);
		case_silence(&t);
		case_absent(&t);
		if (argc == 3) {
			case_restart(&t, argv[1], argv[2]);
			case_expired(&t);
		} else {
			printf("        not tried without CTL: restart of the API server, 410\n");
		}
	} else {
		tap_check(&t, err.msg, false);
	}
	tear_down(&t);
	printf("%u passed, %u failed\n", t.passed, t.failed);
	return t.failed > 0;
}
