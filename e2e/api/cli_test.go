package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"functionkey.dev/e2e/kit"
)

func TestKubectlFindsThePlugin(t *testing.T) {
	w := ready(t)
	t.Setenv("PATH", filepath.Join(kit.Root(t), "build", "bin")+":"+os.Getenv("PATH"))
	out, err := w.c.TryKubectl(t, "", "functionkey", "status", revision, "-n", w.ns)
	if err == nil || !strings.Contains(out, "REPLICA") {
		t.Errorf("kubectl functionkey status: %v\n%s", err, out)
	}
}

func TestStatus(t *testing.T) {
	w := ready(t)
	in := func(args ...string) kit.Said { return kit.Plugin(t, nil, nil, append(args, "-n", w.ns)...) }
	in("status").Says(t, "not judged by a controller", 1, "REVISION", revision, "Unknown", "NoLeaderRecord")
	must(t, kit.MergeStatus(t, w.controller.Records(w.ns), revision, kit.Map{
		"members":    kit.Map{"total": 2, "ready": 1, "summary": "1/2"},
		"conditions": []any{kit.Map{"type": "Ready", "status": "True", "reason": "KeyActive", "message": "m\x1b[2J", "lastTransitionTime": "2026-01-02T03:04:05Z"}},
	}))
	got := in("status", revision)
	got.Says(t, "judged", 0, "leader "+w.a.Name, "term 1", "replicas ready 1 of 2", "KeyActive", w.b.Name, kit.Fingerprint(kit.Point("key1")))
	if bytes.ContainsRune(got.Out, 0x1b) {
		t.Errorf("a message of the cluster reaches the terminal as it is: %q", got.Out)
	}
	in("status", "shop").Says(t, "by function", 0, revision)
	in("status", "nothing").Says(t, "a name that nobody has", 1, "no revision and no function named nothing")
	var document struct {
		Revisions []struct {
			Revision string
			Ready    bool
			Keys     []struct{ State string }
			Replicas []struct{ Pod string }
		}
	}
	got = in("status", revision, "-ojson")
	if err := json.Unmarshal(got.Out, &document); err != nil || len(document.Revisions) != 1 || !document.Revisions[0].Ready ||
		len(document.Revisions[0].Replicas) != 2 || len(document.Revisions[0].Keys) != 1 || document.Revisions[0].Keys[0].State != "Active" {
		t.Errorf("-o json: %v\n%s", err, got.Out)
	}
	kit.Plugin(t, nil, nil, "status", "-A").Says(t, "all namespaces", 1, "NAMESPACE", w.ns)
}

// The exit codes of users.md, section 6.
func TestExitCodes(t *testing.T) {
	c := installed(t)
	ns := c.Namespace(t, "codes")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	at := func(address string) string {
		path := filepath.Join(t.TempDir(), "config")
		text := "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n" +
			"clusters: [{name: c, cluster: {server: 'https://" + address + "'}}]\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	nobody, silent := at("127.0.0.1:1"), at(listener.Addr().String())
	for _, row := range []struct {
		name string
		code int
		says string
		env  []string
		args []string
	}{
		{"nothing there", 1, "has no FunctionKey", nil, []string{"status", "-n", ns}},
		{"no such pod", 1, "has no pod", nil, []string{"why", "nobody", "-n", ns}},
		{"no command", 2, "usage", nil, nil},
		{"a command that is none", 2, "no command", nil, []string{"frobnicate"}},
		{"an option that is none", 2, "--frob", nil, []string{"status", "--frob"}},
		{"a name too many", 2, "too many", nil, []string{"check", "it"}},
		{"no kubeconfig", 2, "no kubeconfig", []string{"KUBECONFIG=/nowhere", "HOME=/nowhere"}, []string{"status"}},
		{"no such context", 2, "no context is named", nil, []string{"status", "--context", "nothing"}},
		{"nobody is there", 3, "onnect", []string{"KUBECONFIG=" + nobody}, []string{"status"}},
		{"nobody answers", 124, "", []string{"KUBECONFIG=" + silent}, []string{"status", "--request-timeout", "1s"}},
		{"nobody answers check", 124, "", []string{"KUBECONFIG=" + silent}, []string{"check", "--request-timeout", "1s"}},
		{"no such message", 2, "No such file", nil, []string{"decrypt", "/nowhere"}},
		{"help", 0, "--all-namespaces", nil, []string{"status", "--help"}},
	} {
		kit.Plugin(t, nil, row.env, row.args...).Says(t, row.name, row.code, row.says)
	}
}

func TestCheck(t *testing.T) {
	c := installed(t)
	ns := c.Namespace(t, "check", "functionkey.dev/inject=enabled")
	// there is no controller on this cluster: what it would have done is missing
	got := kit.Plugin(t, nil, nil, "check", "-n", ns)
	got.Says(t, "check", 1, "ok    definition: FunctionKey v1alpha1 is served", "ok    policies: all", "ok    injection: by ",
		"FAIL  controller", "FAIL  access: RoleBinding functionkey-agent is missing")
	var report struct {
		OK    bool
		Lines []struct{ Verdict, What, Says, Fix string }
	}
	got = kit.Plugin(t, nil, nil, "check", "-n", ns, "-o", "json")
	if err := json.Unmarshal(got.Out, &report); err != nil || report.OK || len(report.Lines) < 8 {
		t.Errorf("-o json: %v\n%s", err, got.Out)
	}
	for _, line := range report.Lines {
		if line.Verdict == "fail" && line.Fix == "" {
			t.Errorf("says what is wrong but not what to do: %+v", line)
		}
	}
	kit.Plugin(t, nil, nil, "check", "--pre").Says(t, "check --pre", 0, "you may create what is installed", "would be an upgrade")
}

// A policy whose binding does not deny does nothing: check says so.
func TestCheckSeesAPolicyThatOnlyAudits(t *testing.T) {
	c := installed(t)
	bindings := c.Kube.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	binding, err := bindings.Get(kit.Context(t), "functionkey-leader-delete", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	actions := binding.Spec.ValidationActions
	set := func(to []string) {
		patch := kit.JSON(t, kit.Map{"spec": kit.Map{"validationActions": to}})
		if _, err := bindings.Patch(kit.Context(t), binding.Name, "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	set([]string{"Audit"})
	defer func() {
		back := []string{}
		for _, action := range actions {
			back = append(back, string(action))
		}
		set(back)
		policiesAct = false // the tests after this one wait for it
	}()
	kit.Plugin(t, nil, nil, "check").Says(t, "check", 1, "the binding of functionkey-leader-delete has no action Deny")
}

func TestWhy(t *testing.T) {
	w := ready(t)
	in := func(pod string) kit.Said { return kit.Plugin(t, nil, nil, "why", pod, "-n", w.ns) }
	// no kubelet runs these: the first thing that is missing is a node
	in(w.a.Name).Says(t, "no node", 1, "FAIL  pod: no node was found", "It is not ready")
	bound := w.c.Pod(t, w.ns, revision+"-ddddd", func(p *corev1.Pod) { p.Spec.NodeName = "nowhere" })
	in(bound.Name).Says(t, "no agent", 1, "did not opt in")
}

func TestRetire(t *testing.T) {
	w := ready(t)
	in := func(args ...string) kit.Said { return kit.Plugin(t, nil, nil, append(args, "-n", w.ns)...) }
	records := w.c.Records(w.ns)
	in("retire", revision, "--epoch=1").Says(t, "the active epoch", 1, "epoch 1 of revision "+revision+" is in use")
	must(t, kit.MergeStatus(t, w.asA.Records(w.ns), revision, kit.Map{"epoch": 2, "keys": []any{w.key(1, "Active"), w.key(2, "Prepared")}}))
	must(t, kit.MergeStatus(t, w.asA.Records(w.ns), revision, kit.Map{"activeEpoch": 2, "keys": []any{w.key(1, "Retired"), w.key(2, "Active")}}))
	in("retire", revision).Says(t, "which epoch", 2, "--epoch")
	in("retire", revision, "--epoch=0").Says(t, "no epoch", 2, "--epoch")
	in("retire", revision, "--epoch=3").Says(t, "an epoch to come", 1, "no epoch 3")
	in("retire", "nothing", "--epoch=1").Says(t, "nobody", 1, "no revision and no function")
	through := func() int64 {
		u, err := records.Get(kit.Context(t), revision, metav1.GetOptions{})
		must(t, err)
		n, _, _ := unstructured.NestedInt64(u.Object, "spec", "eraseThrough")
		return n
	}
	in("retire", revision, "--epoch=1", "--dry-run=server").Says(t, "tried", 0, "epoch 1 is asked for (server dry run)")
	if n := through(); n != 0 {
		t.Errorf("a dry run wrote eraseThrough %d", n)
	}
	view := kit.Plugin(t, nil, []string{"KUBECONFIG=" + execConfig(t, w.c, fmt.Sprintf("echo '"+credential+"'\n", view(t, w.c, w.ns)))},
		"retire", revision, "--epoch=1", "-n", w.ns)
	view.Says(t, "by who may only read", 1, "is forbidden")
	in("retire", "shop", "--epoch=1").Says(t, "by function", 0, "the end of epoch 1 is asked for")
	if n := through(); n != 1 {
		t.Errorf("eraseThrough is %d", n)
	}
	in("retire", revision, "--epoch=1", "--wait", "--request-timeout=1s").Says(t, "nobody does it", 124, "")
	must(t, kit.MergeStatus(t, w.asA.Records(w.ns), revision, kit.Map{"keys": []any{w.key(2, "Active")}}))
	in("retire", revision, "--epoch=1", "--wait").Says(t, "done", 0, "no epoch up to 1 is listed")
}

// What an API server says to a channel where no kubelet is: the other half is in e2e/node.
func TestDecryptWithoutANode(t *testing.T) {
	w := ready(t)
	tool := func(stdin string, args ...string) string {
		cmd := exec.Command(filepath.Join(kit.Root(t), "build", "bin", "envelope-tool"), args...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		must(t, err)
		return string(out)
	}
	key := regexp.MustCompile(`0[23][0-9a-f]{64}`).FindString(tool("", "keygen"))
	seal := func(name string) []byte { return []byte(tool("hello", "seal", "--to", key+":1:"+name)) }
	message := seal(w.ns + "/" + revision)
	bound := w.c.Pod(t, w.ns, revision+"-eeeee", func(p *corev1.Pod) {
		p.Spec.NodeName = "nowhere"
		p.Labels = map[string]string{"functionkey.dev/inject": "true"}
		always := corev1.ContainerRestartPolicyAlways
		p.Spec.InitContainers = []corev1.Container{{Name: "functionkey-agent", Image: "x", RestartPolicy: &always}}
	})
	limited := execConfig(t, w.c, fmt.Sprintf("echo '"+credential+"'\n", reader(t, w.c, w.ns)))
	for _, row := range []struct {
		name    string
		message []byte
		code    int
		says    string
		env     []string
		args    []string
	}{
		{"nothing", nil, 1, "it is empty", nil, nil},
		{"no message", []byte("hello"), 1, "this is no message", nil, nil},
		{"cut within its head", message[:40], 1, "this is no message", nil, nil},
		{"for another namespace", seal("bank/" + revision), 1, "name its namespace with -n", nil, nil},
		{"for nobody who is ready", message, 1, "no ready replica opens epoch 1 of " + w.ns + "/" + revision, nil, nil},
		{"no such pod", message, 1, "not found", nil, []string{"--via=nobody"}},
		{"a pod without an agent", message, 1, "has no agent", nil, []string{"--via=" + w.stranger.Name}},
		{"a pod without a kubelet", message, 1, "", nil, []string{"--via=" + bound.Name}},
		{"who may not", message, 1, "--verb=create,get --resource=pods/exec", []string{"KUBECONFIG=" + limited}, []string{"--via=" + bound.Name}},
	} {
		kit.Plugin(t, bytes.NewReader(row.message), row.env, append([]string{"decrypt", "-n", w.ns, "--request-timeout=10s"}, row.args...)...).Says(t, row.name, row.code, row.says)
	}
}

// reader is a person who may read FunctionKeys and pods, and exec into none.
func reader(t *testing.T, c *kit.Cluster, ns string) string {
	t.Helper()
	token := view(t, c, ns)
	c.Bind(t, ns, "view", rbacv1.Subject{Kind: "ServiceAccount", Namespace: ns, Name: "viewer"})
	return token
}

// view is a person who may read FunctionKeys and nothing else.
func view(t *testing.T, c *kit.Cluster, ns string) string {
	t.Helper()
	c.ServiceAccount(t, ns, "viewer")
	c.Bind(t, ns, "functionkey-reader", rbacv1.Subject{Kind: "ServiceAccount", Namespace: ns, Name: "viewer"})
	return c.Token(t, ns, "viewer")
}

// execConfig is a kubeconfig whose user is a credential plugin: a shell script.
func execConfig(t *testing.T, c *kit.Cluster, script string) string {
	t.Helper()
	dir := t.TempDir()
	helper := filepath.Join(dir, "helper")
	if script != "" {
		if err := os.WriteFile(helper, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthorityData: c.Config.CAData, CertificateAuthority: c.Config.CAFile}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: helper, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		InstallHint: "get it from your platform team", ProvideClusterInfo: true,
	}}
	path := filepath.Join(dir, "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

const credential = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}`

func TestExecCredentials(t *testing.T) {
	w := ready(t)
	token := view(t, w.c, w.ns)
	good := fmt.Sprintf("echo '"+credential+"'\n", token)
	count := filepath.Join(t.TempDir(), "count")
	// the first answer is refused by the API server, the second is good
	second := fmt.Sprintf("if [ -e %s ]; then %s else touch %s; echo '%s'; fi\n", count, good, count, fmt.Sprintf(credential, "stale"))
	for _, row := range []struct {
		name, script string
		code         int
		says         string
	}{
		{"a token", good, 1, revision},
		{"it is told the cluster", "case $KUBERNETES_EXEC_INFO in *'\"server\":\"" + w.c.Config.Host + "'*) ;; *) exit 9;; esac\n" + good, 1, revision},
		{"a refused token is replaced once", second, 1, revision},
		{"a token that nobody knows", fmt.Sprintf("echo '"+credential+"'\n", "wrong"), 3, "nauthorized"},
		{"it fails", "echo no >&2; exit 1\n", 3, "exit status 1"},
		{"garbage", "echo hello\n", 3, "no ExecCredential"},
		{"it is missing", "", 3, "get it from your platform team"},
	} {
		config := execConfig(t, w.c, row.script)
		kit.Plugin(t, nil, []string{"KUBECONFIG=" + config}, "status", "-n", w.ns).Says(t, row.name, row.code, row.says)
	}
}

// KUBECONFIG is a list: the first that names a thing wins, and flags win over files.
func TestKubeconfigsAreMerged(t *testing.T) {
	w := ready(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wrong := write("wrong", "current-context: other\ncontexts: [{name: other, context: {cluster: nobody}}]\n"+
		"clusters: [{name: nobody, cluster: {server: 'https://127.0.0.1:1'}}]\n")
	right, err := clientcmd.LoadFromFile(os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	list := "KUBECONFIG=" + wrong + ":/nowhere:" + os.Getenv("KUBECONFIG")
	kit.Plugin(t, nil, []string{list}, "status", "-n", w.ns, "--context", right.CurrentContext).Says(t, "by context", 1, revision)
	kit.Plugin(t, nil, []string{list}, "status", "-n", w.ns, "--kubeconfig", os.Getenv("KUBECONFIG")).Says(t, "by file", 1, revision)
	kit.Plugin(t, nil, []string{list}, "status", "-n", w.ns).Says(t, "the first file's context", 3)
}

// What make install-cli lays down is a plugin that completes, and its man page.
func TestInstalledPluginCompletes(t *testing.T) {
	w := ready(t)
	dest := t.TempDir()
	install := exec.Command("make", "-s", "install-cli", "DESTDIR="+dest, "PREFIX=/usr")
	install.Dir = kit.Root(t)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("make install-cli: %v\n%s", err, out)
	}
	for _, file := range []string{"bin/kubectl-functionkey", "share/man/man1/kubectl-functionkey.1"} {
		if _, err := os.Stat(filepath.Join(dest, "usr", file)); err != nil {
			t.Error(err)
		}
	}
	t.Setenv("PATH", filepath.Join(dest, "usr", "bin")+":"+os.Getenv("PATH"))
	for _, row := range []struct {
		words []string
		want  []string
	}{
		{[]string{"st"}, []string{"status", ":4"}},
		{[]string{"status", "--al"}, []string{"--all-namespaces", ":4"}},
		{[]string{"status", "-n", w.ns, "or"}, []string{revision, ":4"}},
		{[]string{"why", "--namespace=" + w.ns, revision + "-b"}, []string{w.b.Name, ":4"}},
		{[]string{"check", ""}, []string{":4"}},
		{[]string{"encrypt", ""}, []string{":0"}},
		{[]string{"retire", "-n", w.ns, "or"}, []string{revision, ":4"}},
		{[]string{"decrypt", "--vi"}, []string{"--via=", ":4"}},
		{[]string{"why", "-n", "nowhere", ""}, []string{":4"}},
	} {
		out, err := w.c.TryKubectl(t, "", append([]string{"__complete", "functionkey"}, row.words...)...)
		var lines []string
		for _, line := range strings.Split(out, "\n") {
			if !strings.HasPrefix(line, "[Debug]") {
				lines = append(lines, line)
			}
		}
		for i, want := range row.want {
			if err != nil || i >= len(lines) || lines[i] != want {
				t.Errorf("%v: %v\n%s", row.words, err, out)
				break
			}
		}
	}
}
