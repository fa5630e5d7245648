import Glibc

/// The lock beside a socket's path: held by flock(2), so it is gone with its process however that
/// ends.
struct SocketLock: Sendable {
  private let descriptor: Int32
  private let path: String

  /// - Throws: ``SocketPathError/inUse(path:pid:)`` with the holder's process id, as far as known.
  static func take(_ path: String, for socketPath: String) throws(SocketPathError) -> SocketLock {
    // A daemon that ends removes its lock file; whoever had opened that one locks a file without a
    // name, and tries again.
    for _ in 0..<100 {
      let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
      let descriptor = open(path, flags, 0o600)
      guard descriptor >= 0 else { throw SocketPath.failed("open the lock file", path) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        defer { close(descriptor) }
        guard errno == EWOULDBLOCK else { throw SocketPath.failed("lock", path) }
        throw .inUse(path: socketPath, pid: holder(descriptor))
      }
      guard hasName(descriptor, path) else {
        close(descriptor)
        continue
      }
      note(getpid(), in: descriptor)
      return SocketLock(descriptor: descriptor, path: path)
    }
    throw .inUse(path: socketPath, pid: nil)
  }

  /// Removes the lock file and unlocks.
  func release() {
    if Self.hasName(descriptor, path) { unlink(path) }
    close(descriptor)
  }

  private static func hasName(_ descriptor: Int32, _ path: String) -> Bool {
    var own = stat()
    var named = stat()
    return fstat(descriptor, &own) == 0 && lstat(path, &named) == 0
      && FileIdentity(own) == FileIdentity(named)
  }

  /// For the message to the second daemon only; a failure leaves its process id out.
  private static func note(_ pid: Int32, in descriptor: Int32) {
    let text = Array("\(pid)\n".utf8)
    guard ftruncate(descriptor, 0) == 0 else { return }
    _ = pwrite(descriptor, text, text.count, 0)
  }

  private static func holder(_ descriptor: Int32) -> Int32? {
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    guard count > 0 else { return nil }
    return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
  }
}
