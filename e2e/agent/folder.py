"""Watches an agent's folder as a function would, by inotify. Used by e2e/agent/local."""
import ctypes
import json
import os
import struct
import threading

MOVED_TO, CREATE, MODIFY, CLOSE_WRITE, OVERFLOW = 0x80, 0x100, 0x2, 0x8, 0x4000
FILE = "endpoints.json"


class Watch:
    """Each version of endpoints.json, as it is read at its event."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self.path, self.versions, self.wrong = os.path.join(folder, FILE), [], []
        self.fd = libc.inotify_init1(os.O_CLOEXEC)
        if libc.inotify_add_watch(self.fd, os.fsencode(folder),
                                  MOVED_TO | CREATE | MODIFY | CLOSE_WRITE) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            data, at = os.read(self.fd, 65536), 0
            while at < len(data):
                _, mask, _, n = struct.unpack_from("iIII", data, at)
                name = data[at + 16:at + 16 + n].rstrip(b"\0").decode()
                at += 16 + n
                if mask & OVERFLOW:
                    self.wrong.append("events were lost")
                if name == FILE:
                    self.see(mask)

    def see(self, mask):
        if mask != MOVED_TO:
            self.wrong.append(f"event {mask:#x}")
        try:
            with open(self.path, encoding="utf-8") as f:
                self.versions.append(json.load(f))
        except (OSError, ValueError) as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
