import Glibc

/// Who is at the other end of a Unix socket, as the kernel noted it when the peer connected.
package struct PeerCredentials: Hashable, Sendable {
  /// 0 where the peer's process is not visible from this PID namespace.
  package let pid: Int32
  package let uid: UInt32
  package let gid: UInt32

  package init(pid: Int32, uid: UInt32, gid: UInt32) {
    self.pid = pid
    self.uid = uid
    self.gid = gid
  }

  /// Reads SO_PEERCRED (unix(7)) of a connected socket; nil where it is no such socket.
  ///
  /// Any thread. One system call.
  package static func of(descriptor: Int32) -> PeerCredentials? {
    var credentials = KernelCredentials()
    var length = socklen_t(MemoryLayout<KernelCredentials>.size)
    let result = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length)
    guard result == 0, length == MemoryLayout<KernelCredentials>.size else { return nil }
    return PeerCredentials(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid)
  }

  /// The command name of a process, at most 15 bytes (proc(5), `comm`), sanitised; nil once it is
  /// gone.
  ///
  /// Any thread. The name is whatever the process calls itself: a label, never a proof.
  package static func commandName(ofProcess pid: Int32) -> String? {
    guard pid > 0 else { return nil }
    let descriptor = open("/proc/\(pid)/comm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    // One read brings all of it.
    return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { space in
      let count = read(descriptor, space.baseAddress!, space.count)
      guard count > 0 else { return nil }
      let bytes = space[..<count]
      let name = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes
      return name.isEmpty ? nil : LogText.sanitized(name)
    }
  }
}

/// `struct ucred` of unix(7), which Swift's Glibc module lacks: it stands behind _GNU_SOURCE.
private struct KernelCredentials {
  var pid: pid_t = 0
  var uid: uid_t = .max
  var gid: gid_t = .max
}
