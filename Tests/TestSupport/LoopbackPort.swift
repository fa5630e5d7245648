import Glibc

/// TCP ports of 127.0.0.1.
package enum LoopbackPort {
  /// One that was free a moment ago, for programs that cannot choose one themselves.
  ///
  /// - Throws: `TestFailure` if there is none.
  package static func free() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    let bound = withAddress(0) { address, size in
      var size = size
      guard bind(descriptor, address, size) == 0 else { return -1 }
      return getsockname(descriptor, address, &size)
    }
    guard bound.result == 0 else { throw TestFailure("no free port") }
    return bound.port
  }

  /// Whether somebody listens there.
  package static func isListening(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    return withAddress(port) { connect(descriptor, $0, $1) }.result == 0
  }

  /// Starts a program that is told its port, and waits until it listens there.
  ///
  /// Somebody may take the port first, so it is tried on several.
  /// - Throws: `TestFailure` with what the program said.
  package static func start(
    _ start: (_ port: Int) throws -> ChildProcess
  ) throws -> (process: ChildProcess, port: Int) {
    var said = ""
    for _ in 1...5 {
      let port = try free()
      let process = try start(port)
      let isReady = try? poll(for: "\(process.name) to listen") {
        if process.end() != nil { return false }
        return isListening(port) ? true : nil
      }
      if isReady == true { return (process, port) }
      said = process.standardError.text + process.standardOutput.text
    }
    throw TestFailure("it does not start: \(said)")
  }

  /// Whether this machine has `::1`.
  package static var hasIPv6: Bool {
    let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_addr = in6addr_loopback
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
      }
    }
  }

  /// An address for C calls, and the port that is in it afterwards.
  package static func withAddress(
    _ port: Int, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Int32
  ) -> (result: Int32, port: Int) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return (result, Int(in_port_t(bigEndian: address.sin_port)))
  }
}
