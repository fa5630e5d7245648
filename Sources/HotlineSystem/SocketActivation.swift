import CSystemd
import Glibc

/// A socket that the service manager opened for this process (systemd.socket(5)).
package struct PassedSocket: Hashable, Sendable {
  /// Bound and listening, close-on-exec; the receiver owns it.
  package let descriptor: Int32
  /// `FileDescriptorName=` of the unit; its file name if it has none.
  package let name: String
}

/// Why the passed sockets cannot be used.
package enum SocketActivationError: Error, Hashable, Sendable, CustomStringConvertible {
  case unavailable(String)
  case wrongKind(descriptor: Int32, name: String)

  package var description: String {
    switch self {
    case .unavailable(let reason):
      "the sockets passed by the service manager cannot be taken: \(reason)"
    case .wrongKind(let descriptor, let name):
      "the socket \"\(LogText.sanitized(name))\" passed by the service manager (descriptor "
        + "\(descriptor)) is not a listening Unix stream socket; the socket unit has to say "
        + "ListenStream= with a path"
    }
  }
}

/// Takes over the sockets that systemd, or `systemd-socket-activate`, passes.
package enum SocketActivation {
  /// All sockets passed to this process; empty if it was not activated.
  ///
  /// To be called once, at start: the variables that announce the sockets are removed from the
  /// environment (sd_listen_fds(3)), so a second call finds none.
  package static func take() throws(SocketActivationError) -> [PassedSocket] {
    var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    let count = sd_listen_fds_with_names(1, &names)
    defer { release(names) }
    guard count >= 0 else { throw .unavailable(errorText(-count)) }
    var sockets = [PassedSocket]()
    for index in 0..<Int(count) {
      let name = names?[index].map { String(cString: $0) } ?? "unknown"
      // SD_LISTEN_FDS_START is 3.
      let socket = PassedSocket(descriptor: 3 + Int32(index), name: name)
      try check(socket)
      sockets.append(socket)
    }
    return sockets
  }

  /// - Throws: ``SocketActivationError/wrongKind(descriptor:name:)`` unless the descriptor is a
  ///   listening Unix stream socket.
  package static func check(_ socket: PassedSocket) throws(SocketActivationError) {
    guard sd_is_socket_unix(socket.descriptor, Int32(SOCK_STREAM.rawValue), 1, nil, 0) > 0 else {
      throw .wrongKind(descriptor: socket.descriptor, name: socket.name)
    }
  }

  private static func release(_ names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) {
    guard let names else { return }
    var next = names
    while let name = next.pointee {
      free(name)
      next += 1
    }
    free(names)
  }
}
