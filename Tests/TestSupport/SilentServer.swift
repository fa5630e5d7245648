import Glibc

/// A TCP port of this machine whose connections are accepted by the kernel and never answered.
package enum SilentServer {
  /// - Returns: the listening socket, which the caller closes, and its port.
  package static func listen() -> (descriptor: CInt, port: Int) {
    let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        _ = bind(server, address, size)
        _ = Glibc.listen(server, 64)
        _ = getsockname(server, address, &size)
      }
    }
    return (server, Int(UInt16(bigEndian: address.sin_port)))
  }
}
