import Glibc
import NIOCore

/// Keeps a port, whether or not somebody listens on it: while nobody does, connections are refused,
/// and the kernel gives it to nobody who asks for any free port.
///
/// Whoever binds this very port with `SO_REUSEADDR` still may (socket(7)). It has to be there
/// before the one who listens, so that there is no moment without either. Any thread.
final class PortReservation: Sendable {
  private let descriptor: Int32
  let port: Int

  /// Nil where the host is no address or somebody listens on the port.
  ///
  /// - Parameter port: 0 takes a free one.
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
    guard result == 0, let bound = Self.port(of: descriptor) else {
      close(descriptor)
      return nil
    }
    self.descriptor = descriptor
    self.port = bound
  }

  deinit { close(descriptor) }

  private static func port(of descriptor: Int32) -> Int? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutableBytes(of: &storage) { bytes in
      guard let start = bytes.baseAddress else { return nil }
      let result = getsockname(
        descriptor, start.assumingMemoryBound(to: sockaddr.self), &length)
      // The port follows the family, in IPv4 and in IPv6, most significant byte first.
      return result == 0 ? Int(bytes[2]) << 8 | Int(bytes[3]) : nil
    }
  }
}
