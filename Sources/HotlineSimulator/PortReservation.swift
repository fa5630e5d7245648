import Glibc
import NIOCore

/// Keeps a port while nobody listens on it: connections are refused, and the kernel gives it to
/// nobody who asks for any free port.
///
/// Whoever binds this very port with `SO_REUSEADDR` still may (socket(7)). Any thread.
final class PortReservation: Sendable {
  private let descriptor: Int32

  /// Nil where the host is no address or the port is taken.
  init?(host: String, port: Int) {
    guard let address = try? SocketAddress(ipAddress: host, port: port) else { return nil }
    let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var isOn: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    let result = address.withSockAddr { address, length in
      guard setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, size) == 0 else {
        return Int32(-1)
      }
      return bind(descriptor, address, socklen_t(length))
    }
    guard result == 0 else {
      close(descriptor)
      return nil
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }
}
