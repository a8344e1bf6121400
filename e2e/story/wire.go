package story

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// InPod is a command of this machine on the network of a pod.
func InPod(ctx context.Context, podUID, name string, args ...string) (*exec.Cmd, error) {
	pid, err := process(podUID)
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(pid), "-n", name}, args...)...), nil
}

func process(podUID string) (int, error) {
	pids, err := Processes(podUID, All)
	if err == nil && len(pids) == 0 {
		err = fmt.Errorf("pod %s has no agent", podUID)
	}
	if err != nil {
		return 0, err
	}
	return pids[0], nil
}

// Wire notes what a pod's network interface carries to and from one TCP port of others.
type Wire struct {
	socket  int
	port    uint16
	stop    atomic.Bool
	ended   chan struct{}
	out, in []byte
}

// Room for a packet as the kernel hands it on: several segments may be one.
const packetMax = 1 << 17

// Tap begins to note.
func Tap(pod *corev1.Pod, port uint16) (*Wire, error) {
	pid, err := process(string(pod.UID))
	if err != nil {
		return nil, err
	}
	w := &Wire{port: port, ended: make(chan struct{})}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread stays in the pod's network and ends with this function
		var err error
		w.socket, err = packets(pid)
		done <- err
	}()
	if err := <-done; err != nil {
		return nil, fmt.Errorf("tap of %s: %w", pod.Name, err)
	}
	go w.note()
	return w, nil
}

// packets moves the thread into a process's network and opens a socket for what its eth0 carries.
func packets(pid int) (int, error) {
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return 0, err
	}
	defer network.Close()
	if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
		return 0, err
	}
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return 0, err
	}
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in the network's order
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all)
	if err != nil {
		return 0, err
	}
	err = errors.Join(
		unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100000}),
		unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: eth0.Index}))
	if err != nil {
		_ = unix.Close(socket)
	}
	return socket, err
}

func (w *Wire) note() {
	defer close(w.ended)
	packet := make([]byte, packetMax)
	for {
		n, _, err := unix.Recvfrom(w.socket, packet, 0)
		if err == nil {
			w.add(packet[:n])
		} else if w.stop.Load() {
			return
		}
	}
}

// add takes the payload of an IPv4 TCP packet.
func (w *Wire) add(ip []byte) {
	const tcp, ipHead, tcpHead = 6, 20, 20
	if len(ip) < ipHead || ip[0]>>4 != 4 || ip[9] != tcp {
		return
	}
	head := int(ip[0]&15) * 4
	if total := int(binary.BigEndian.Uint16(ip[2:])); total >= head && total < len(ip) {
		ip = ip[:total]
	}
	if len(ip) < head+tcpHead {
		return
	}
	segment := ip[head:]
	content := int(segment[12]>>4) * 4
	if content > len(segment) {
		return
	}
	if binary.BigEndian.Uint16(segment[2:]) == w.port {
		w.out = append(w.out, segment[content:]...)
	} else if binary.BigEndian.Uint16(segment) == w.port {
		w.in = append(w.in, segment[content:]...)
	}
}

// Stop returns what went to the port, and what came back.
func (w *Wire) Stop() (out, in []byte) {
	w.stop.Store(true)
	<-w.ended
	_ = unix.Close(w.socket)
	return w.out, w.in
}
