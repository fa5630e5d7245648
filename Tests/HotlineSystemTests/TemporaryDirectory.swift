import Glibc

@testable import HotlineSystem

/// A directory of the test's own, short enough for Unix sockets in it, gone with the value.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/hotline-XXXXXX".utf8CString)
    path = mkdtemp(&template).map { String(cString: $0) } ?? ""
    precondition(!path.isEmpty, "no temporary directory")
  }

  deinit {
    Self.remove(path)
  }

  func file(_ name: String, _ content: [UInt8], mode: mode_t = 0o600) -> String {
    let path = self.path + "/" + name
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(write(descriptor, content, content.count) == content.count)
    precondition(fchmod(descriptor, mode) == 0)
    close(descriptor)
    return path
  }

  func names() -> [String] { Self.names(path) }

  private static func names(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  private static func remove(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR {
      for name in names(path) { remove(path + "/" + name) }
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}

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
  precondition(withAddress(path) { bind(descriptor, $0, $1) } == 0)
  if type == SOCK_STREAM { precondition(listen(descriptor, 5) == 0) }
  return descriptor
}

/// Whether somebody accepts connections there.
func canConnect(_ path: String) -> Bool {
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  return withAddress(path) { connect(descriptor, $0, $1) } == 0
}

/// A non-blocking socket that connects, or waits to.
func connectingSocket(_ path: String) -> Int32 {
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
  _ = withAddress(path) { connect(descriptor, $0, $1) }
  return descriptor
}

private func withAddress(
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

/// What can be read at once, as text.
func readAll(_ descriptor: Int32) -> String {
  var bytes = [UInt8](repeating: 0, count: 1 << 16)
  let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
  return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
}
