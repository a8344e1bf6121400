package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// plugin runs kubectl functionkey as a person does; kubeconfig empty: as the administrator.
func (s *shop) plugin(t *testing.T, kubeconfig string, stdin io.Reader, args ...string) kit.Said {
	t.Helper()
	return kit.Plugin(t, stdin, as(kubeconfig), append(args, "-n", s.NS)...)
}

func (s *shop) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return kit.PluginCommand(t, nil, append(args, "-n", s.NS)...)
}

// as is the environment of who uses kubeconfig.
func as(kubeconfig string) []string {
	if kubeconfig == "" {
		return nil
	}
	return []string{"KUBECONFIG=" + kubeconfig}
}

// somebody is a kubeconfig of a person who may read pods and FunctionKeys, and do with pods/exec what the verbs say.
func (s *shop) somebody(t *testing.T, name string, verbs ...string) string {
	t.Helper()
	s.c.ServiceAccount(t, s.NS, name)
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods", "events"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{"functionkey.dev"}, Resources: []string{"functionkeys"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get"}},
	}}
	if len(verbs) > 0 {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: verbs})
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: s.NS, Name: name}}}
	_, err := s.c.Kube.RbacV1().Roles(s.NS).Create(kit.Context(t), role, metav1.CreateOptions{})
	must(t, err)
	_, err = s.c.Kube.RbacV1().RoleBindings(s.NS).Create(kit.Context(t), binding, metav1.CreateOptions{})
	must(t, err)
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: s.c.Config.Host, CertificateAuthorityData: s.c.Config.CAData, CertificateAuthority: s.c.Config.CAFile}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: s.c.Token(t, s.NS, name)}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), name)
	must(t, clientcmd.WriteToFile(*config, path))
	return path
}

// kubectl functionkey against agents that run: decrypt, why and retire, with kubectl exec as the peer.
func TestPlugin(t *testing.T) {
	s := newShop(t, "plugin")
	s.deploy(t, "billing", 2)
	s.whole(t, "billing", 2)
	pods := kit.Must[[]corev1.Pod](t)(s.Pods(kit.Context(t), "billing"))
	plain := message("plugin")
	sealed := s.plugin(t, "", bytes.NewReader(plain), "encrypt", "--to=billing")
	if sealed.Code != 0 {
		t.Fatalf("encrypt: %s", sealed.Err)
	}
	envelope := sealed.Out
	altered := bytes.Clone(envelope)
	altered[len(altered)-1] ^= 1

	t.Run("decrypt", func(t *testing.T) {
		s.plugin(t, "", bytes.NewReader(envelope), "decrypt").Is(t, "any replica", 0, plain)
		for i := range pods {
			s.plugin(t, "", bytes.NewReader(envelope), "decrypt", "--via", pods[i].Name).Is(t, pods[i].Name, 0, plain)
		}
		file := filepath.Join(t.TempDir(), "message")
		must(t, os.WriteFile(file, envelope, 0o600))
		s.plugin(t, "", nil, "decrypt", file).Is(t, "a file", 0, plain)
		empty := s.plugin(t, "", nil, "encrypt", "--to=billing").Out
		s.plugin(t, "", bytes.NewReader(empty), "decrypt").Is(t, "nothing", 0, nil)
		s.plugin(t, "", bytes.NewReader(altered), "decrypt").Is(t, "altered", 4, nil, "tampered: The message was altered")
		s.plugin(t, "", bytes.NewReader(envelope[:len(envelope)-1]), "decrypt").Is(t, "cut", 4, nil, "tampered: The message was altered: truncated")
		s.plugin(t, "", bytes.NewReader(envelope), "decrypt", "--via=nobody").Is(t, "no such pod", 1, nil, "not found")
	})
	t.Run("streams", func(t *testing.T) { s.streams(t) })
	t.Run("as kubectl exec", func(t *testing.T) {
		for _, row := range []struct {
			name     string
			envelope []byte
			code     int
			out      []byte
		}{{"good", envelope, 0, plain}, {"altered", altered, 4, nil}} {
			ours := s.plugin(t, "", bytes.NewReader(row.envelope), "decrypt", "--via", pods[0].Name)
			ours.Is(t, row.name, row.code, row.out)
			cmd := exec.Command(filepath.Join(root, "hack", "cluster", "kubectl"), "-n", s.NS, "exec", "-i", pods[0].Name, "-c", "functionkey-agent", "--",
				"/usr/bin/functionkey-network", "ask", "decrypt")
			cmd.Env = append(os.Environ(), "FK_STATE="+filepath.Dir(state), "FK_CLUSTER="+cluster)
			cmd.Stdin = bytes.NewReader(row.envelope)
			out, _ := cmd.Output()
			if cmd.ProcessState.ExitCode() != ours.Code || !bytes.Equal(out, ours.Out) {
				t.Errorf("%s: kubectl exec ends with %d and writes %d bytes, we with %d and %d", row.name, cmd.ProcessState.ExitCode(), len(out), ours.Code, len(ours.Out))
			}
		}
	})
	t.Run("rights", func(t *testing.T) {
		for _, row := range []struct {
			name  string
			verbs []string
			code  int
			says  string
		}{
			{"none", nil, 1, "--verb=create,get --resource=pods/exec"},
			{"getter", []string{"get"}, 1, "--verb=create,get --resource=pods/exec"},
			{"both", []string{"create", "get"}, 0, ""},
		} {
			who := s.somebody(t, row.name, row.verbs...)
			out := plain
			if row.code != 0 {
				out = nil
			}
			s.plugin(t, who, bytes.NewReader(envelope), "decrypt").Is(t, row.name, row.code, out, row.says)
			why := s.plugin(t, who, nil, "why", pods[0].Name)
			asked := strings.Contains(string(why.Out), "agent itself: version")
			if why.Code != 0 || asked != (row.code == 0) || !strings.Contains(string(why.Out), "agent itself: ") {
				t.Errorf("%s: why: %d\n%s%s", row.name, why.Code, why.Out, why.Err)
			}
		}
	})
	t.Run("why", func(t *testing.T) {
		why := s.plugin(t, "", nil, "why", pods[0].Name)
		if text := string(why.Out); why.Code != 0 || !strings.Contains(text, "it is ready") || !strings.Contains(text, "decrypt: tampered") {
			t.Errorf("why: %d\n%s%s", why.Code, text, why.Err)
		}
	})
	t.Run("retire", func(t *testing.T) { s.retire(t, plain, envelope) })
	t.Run("cut", func(t *testing.T) { s.cut(t) })
}

// watched is the output of a process, whose memory is looked at as it comes. (The peak in its resource
// usage is of no use: it counts what the process was before exec, a copy of this one.)
type watched struct {
	io.Writer
	pid  int
	peak int64 // KiB
}

func (w *watched) Write(b []byte) (int, error) {
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.pid)); err == nil {
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				w.peak, _ = strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			}
		}
	}
	return w.Writer.Write(b)
}

// streams of many segments, as much as a function may get, through constant memory.
func (s *shop) streams(t *testing.T) {
	const size, room = 100 << 20, 64 << 10
	seal := s.command(t, "encrypt", "--to=billing")
	open := s.command(t, "decrypt", "--request-timeout=60s")
	source, opened := &pattern{left: size, sum: sha256.New()}, sha256.New()
	var said bytes.Buffer
	seal.Stdin, open.Stderr = source, &said
	open.Stdin = kit.Must[io.ReadCloser](t)(seal.StdoutPipe())
	out := kit.Must[io.ReadCloser](t)(open.StdoutPipe())
	began := time.Now()
	must(t, seal.Start())
	must(t, open.Start())
	memory := &watched{Writer: opened, pid: open.Process.Pid}
	n, err := io.Copy(memory, out)
	took := time.Since(began)
	if sealed := seal.Wait(); sealed != nil {
		t.Errorf("encrypt: %v", sealed)
	}
	if ended := open.Wait(); err != nil || ended != nil || n != size || !bytes.Equal(source.sum.Sum(nil), opened.Sum(nil)) {
		t.Errorf("%d of %d bytes came: %v, %v, %s", n, size, err, ended, said.String())
	}
	measured("100 MiB through kubectl functionkey encrypt and decrypt", map[string]any{
		"ms": ms(took), "decrypt_cpu_ms": ms(open.ProcessState.UserTime() + open.ProcessState.SystemTime()), "decrypt_peak_KiB": memory.peak})
	if memory.peak == 0 || memory.peak > room {
		t.Errorf("decrypt took %d KiB", memory.peak)
	}

	const small = 3 << 20
	text := kit.Must[[]byte](t)(io.ReadAll(&pattern{left: small, sum: sha256.New()}))
	envelope := s.plugin(t, "", bytes.NewReader(text), "encrypt", "--to=billing").Out
	s.plugin(t, "", bytes.NewReader(envelope), "decrypt").Is(t, "a stream", 0, text)
	altered := bytes.Clone(envelope)
	altered[len(altered)-100000] ^= 1
	for what, bad := range map[string][]byte{"altered near its end": altered, "cut near its end": envelope[:len(envelope)-100000]} {
		r := s.plugin(t, "", bytes.NewReader(bad), "decrypt")
		if r.Code != 4 || len(r.Out) >= len(text) || !bytes.HasPrefix(text, r.Out) || !strings.Contains(r.Err, "is not all of it") {
			t.Errorf("a stream that is %s: exit code %d, %d bytes: %s", what, r.Code, len(r.Out), r.Err)
		}
	}
}

// retire erases an epoch before its time: what was sealed to it is opened by nobody.
func (s *shop) retire(t *testing.T, plain, envelope []byte) {
	before := kit.Must[*story.Record](t)(s.Leader(kit.Context(t), "billing")).ActiveEpoch
	s.plugin(t, "", nil, "retire", "billing", fmt.Sprintf("--epoch=%d", before)).Is(t, "in use", 1, nil, "is in use")
	renewed := s.plugin(t, "", nil, "renew", "billing", "--wait")
	if renewed.Code != 0 {
		t.Fatalf("renew: %s", renewed.Err)
	}
	s.plugin(t, "", bytes.NewReader(envelope), "decrypt").Is(t, "through the retention", 0, plain)
	retired := s.plugin(t, "", nil, "retire", "billing", fmt.Sprintf("--epoch=%d", before), "--wait")
	if retired.Code != 0 || !strings.Contains(string(retired.Out), fmt.Sprintf("no epoch up to %d is listed", before)) {
		t.Fatalf("retire: %d %s%s", retired.Code, retired.Out, retired.Err)
	}
	until(t, 10*time.Second, "both replicas have erased it", func(context.Context) error {
		for _, a := range s.agents(t, "billing") {
			if text, err := a.open(envelope); err == nil {
				return fmt.Errorf("%s opens %q", a.pod.Name, text)
			}
		}
		return nil
	})
	r := s.plugin(t, "", bytes.NewReader(envelope), "decrypt")
	r.Is(t, "after its end", 1, nil)
	r = s.plugin(t, "", bytes.NewReader(envelope), "decrypt", "--via", s.agents(t, "billing")[0].pod.Name)
	r.Is(t, "after its end, asked", 1, nil, "stale-epoch")
}

// cut takes the pod away within a stream: the exit code says that it was not all.
func (s *shop) cut(t *testing.T) {
	pod := s.agents(t, "billing")[0].pod.Name
	text := kit.Must[[]byte](t)(io.ReadAll(&pattern{left: 8 << 20, sum: sha256.New()}))
	envelope := s.plugin(t, "", bytes.NewReader(text), "encrypt", "--to=billing").Out
	cmd := s.command(t, "decrypt", "--via", pod, "--request-timeout=20s")
	in := kit.Must[io.WriteCloser](t)(cmd.StdinPipe())
	out := kit.Must[io.ReadCloser](t)(cmd.StdoutPipe())
	var said bytes.Buffer
	cmd.Stderr = &said
	must(t, cmd.Start())
	// Beside the reading: like any filter it takes no more while nobody takes what it gives.
	written := make(chan error, 1)
	go func() {
		_, err := in.Write(envelope[:4<<20])
		written <- err
	}()
	first := make([]byte, 1<<20)
	_, err := io.ReadFull(out, first)
	must(t, err)
	now := int64(0)
	must(t, s.c.Kube.CoreV1().Pods(s.NS).Delete(kit.Context(t), pod, metav1.DeleteOptions{GracePeriodSeconds: &now}))
	time.AfterFunc(3*time.Second, func() { _ = in.Close() })
	rest, _ := io.ReadAll(out)
	<-written
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code == 0 || !bytes.HasPrefix(text, append(first, rest...)) || len(said.String()) == 0 {
		t.Errorf("cut: exit code %d after %d bytes: %s", code, len(first)+len(rest), said.String())
	}
}
