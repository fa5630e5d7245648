import Glibc
import TestSupport

/// The permissions of a file; all of them where there is none.
func mode(of path: String) -> mode_t {
  var status = stat()
  return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0o7777
}

/// A connected pair of Unix sockets.
func socketPair(_ type: __socket_type = SOCK_STREAM) -> (Int32, Int32) {
  var pair: [Int32] = [-1, -1]
  precondition(socketpair(AF_UNIX, Int32(type.rawValue), 0, &pair) == 0)
  return (pair[0], pair[1])
}

/// A Unix socket bound to a path; listening if it is a stream.
func boundSocket(_ path: String, _ type: __socket_type = SOCK_STREAM) -> Int32 {
  let descriptor = socket(AF_UNIX, Int32(type.rawValue), 0)
  precondition(UnixAddress.with(path) { bind(descriptor, $0, $1) } == 0)
  if type == SOCK_STREAM { precondition(listen(descriptor, 5) == 0) }
  return descriptor
}

/// Whether somebody accepts connections there.
func canConnect(_ path: String) -> Bool {
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  return UnixAddress.with(path) { connect(descriptor, $0, $1) } == 0
}

/// A non-blocking socket that connects, or waits to.
func connectingSocket(_ path: String) -> Int32 {
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
  _ = UnixAddress.with(path) { connect(descriptor, $0, $1) }
  return descriptor
}

/// What can be read at once, as text.
func readAll(_ descriptor: Int32) -> String {
  var bytes = [UInt8](repeating: 0, count: 1 << 16)
  let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
  return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
}
