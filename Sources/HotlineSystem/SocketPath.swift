import Glibc

/// Why the daemon cannot have its Unix socket. Each says what would do.
package enum SocketPathError: Error, Hashable, Sendable, CustomStringConvertible {
  case invalid
  case tooLong(path: String, bytes: Int)
  case inUse(path: String, pid: Int32?)
  case notASocket(path: String)
  case foreignDirectory(directory: String, owner: UInt32)
  case openDirectory(directory: String)
  case failed(action: String, path: String, reason: String)

  package var description: String {
    switch self {
    case .invalid:
      return "the socket's path is empty or has a NUL in it; give another with --socket"
    case .tooLong(let path, let bytes):
      return "the socket's path has \(bytes) bytes, a Unix socket's may have "
        + "\(SocketPath.bytesMax) (unix(7)): \(shown(path)); give a shorter one with --socket"
    case .inUse(let path, let pid):
      let owner = pid.map { " (process \($0))" } ?? ""
      return "another daemon\(owner) listens on \(shown(path)); stop it, or give another path "
        + "with --socket"
    case .notASocket(let path):
      return "\(shown(path)) exists and is not a socket; remove it, or give another path with "
        + "--socket"
    case .foreignDirectory(let directory, let owner):
      return "the directory \(shown(directory)) belongs to uid \(owner), who could replace the "
        + "socket in it; give a path in a directory of your own with --socket"
    case .openDirectory(let directory):
      return "anybody may write in the directory \(shown(directory)) and replace the socket in "
        + "it; run: chmod o-w \(LogText.shellQuoted(directory)), or give another path with --socket"
    case .failed(let action, let path, let reason):
      return "cannot \(action) \(shown(path)): \(reason)"
    }
  }

  private func shown(_ path: String) -> String { LogText.sanitized(path) }
}

/// Makes the daemon's own Unix socket, so that two daemons never share one and a dead one's is
/// replaced.
package enum SocketPath {
  /// Longest path in bytes: `sun_path` has 108, one is the NUL (unix(7)).
  package static let bytesMax = 107

  /// Locks the path, makes missing directories (mode 0700), replaces the socket of a daemon that is
  /// gone, and binds; the socket is listening when this returns.
  ///
  /// To be called once at start, before the daemon loop: it blocks on the disk for a moment.
  /// - Parameters:
  ///   - backlog: connections that may wait to be accepted (listen(2)).
  ///   - mode: of the socket's file, whatever the umask.
  package static func bind(
    _ path: String, backlog: Int32 = 128, mode: mode_t = 0o600
  ) throws(SocketPathError) -> BoundSocket {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw .invalid }
    guard path.utf8.count <= bytesMax else {
      throw .tooLong(path: path, bytes: path.utf8.count)
    }
    try SocketDirectory.prepare(SocketDirectory.parent(of: path))
    let lock = try SocketLock.take(path + ".lock", for: path)
    do throws(SocketPathError) {
      try removeStaleSocket(path)
      return try bindAndListen(path, backlog: backlog, mode: mode, lock: lock)
    } catch {
      lock.release()
      throw error
    }
  }

  /// Removes the socket that a dead daemon left behind; a live one's is never touched.
  private static func removeStaleSocket(_ path: String) throws(SocketPathError) {
    var before = stat()
    guard lstat(path, &before) == 0 else {
      guard errno == ENOENT else { throw failed("look at", path) }
      return
    }
    guard before.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
    // Somebody without our lock may listen here: only a refusal proves that nobody does.
    guard try isRefused(path) else { throw .inUse(path: path, pid: nil) }
    var after = stat()
    guard lstat(path, &after) == 0, FileIdentity(before) == FileIdentity(after) else {
      throw .inUse(path: path, pid: nil)
    }
    guard unlink(path) == 0 || errno == ENOENT else { throw failed("remove the stale", path) }
  }

  private static func isRefused(_ path: String) throws(SocketPathError) -> Bool {
    let probe = try newSocket(path)
    defer { close(probe) }
    let result = withAddress(path) { connect(probe, $0, $1) }
    return result != 0 && errno == ECONNREFUSED
  }

  private static func bindAndListen(
    _ path: String, backlog: Int32, mode: mode_t, lock: SocketLock
  ) throws(SocketPathError) -> BoundSocket {
    let descriptor = try newSocket(path)
    do throws(SocketPathError) {
      // bind(2) on Linux takes the new file's mode from the socket's inode, less the umask: so
      // there is no moment with a wider mode, and the process-wide umask is left alone.
      guard fchmod(descriptor, mode) == 0 else { throw failed("set the mode of", path) }
      guard withAddress(path, { Glibc.bind(descriptor, $0, $1) }) == 0 else {
        throw failed("bind", path)
      }
      var status = stat()
      guard lstat(path, &status) == 0 else { throw failed("look at", path) }
      let socket = BoundSocket(
        descriptor: descriptor, path: path, identity: FileIdentity(status), lock: lock)
      guard chmod(path, mode) == 0 else { throw failed("set the mode of", path) }
      guard listen(descriptor, backlog) == 0 else { throw failed("listen on", path) }
      return socket
    } catch {
      close(descriptor)
      throw error
    }
  }

  private static func newSocket(_ path: String) throws(SocketPathError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { throw failed("make a socket for", path) }
    return descriptor
  }

  /// `path` has been checked to fit with its NUL.
  static func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  static func failed(_ action: String, _ path: String) -> SocketPathError {
    .failed(action: action, path: path, reason: errorText(errno))
  }
}

/// A file by what the kernel calls it, whatever its name.
struct FileIdentity: Hashable, Sendable {
  let device: UInt64
  let inode: UInt64

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
  }
}

/// The daemon's own listening socket and its lock.
package final class BoundSocket: Sendable {
  /// Listening, non-blocking, close-on-exec. Whoever serves it closes it.
  package let descriptor: Int32
  package let path: String
  private let identity: FileIdentity
  private let lock: SocketLock

  init(descriptor: Int32, path: String, identity: FileIdentity, lock: SocketLock) {
    self.descriptor = descriptor
    self.path = path
    self.identity = identity
    self.lock = lock
  }

  /// Removes the socket file if it is still this one, then gives the lock up; the descriptor stays
  /// open. Once, at exit.
  package func remove() {
    var status = stat()
    if lstat(path, &status) == 0, FileIdentity(status) == identity { unlink(path) }
    lock.release()
  }
}
