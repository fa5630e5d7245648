import Glibc

/// One connection to the daemon; closed when the program ends.
struct DaemonSocket {
  enum Received: Hashable {
    case bytes, nothingYet
    case ended
  }

  let descriptor: Int32
  let path: String

  /// - Parameter timeoutSeconds: longest wait while the daemon has too many callers to accept.
  /// - Throws: `.unreachable`, with what to do about it.
  init(connectingTo path: String, timeoutSeconds: Int = 5) throws(CommandFailure) {
    self.path = path
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else {
      throw CommandFailure(
        .unreachable, "no socket can be made: \(systemMessage(errno)); see \"ulimit -n\"")
    }
    // It bounds connect as well (socket(7)); sending and receiving never block.
    var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var code = Self.connect(descriptor, to: path)
    while code == EINTR { code = Self.connect(descriptor, to: path) }
    guard code == 0 || code == EISCONN else { throw Self.failure(path: path, code: code) }
  }

  /// The `errno` of connect(2), 0 if it went well.
  private static func connect(_ descriptor: Int32, to path: String) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { room in
      for (index, byte) in path.utf8.prefix(room.count - 1).enumerated() { room[index] = byte }
    }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, length) }
    }
    return result == 0 ? 0 : errno
  }

  private static func failure(path: String, code: Int32) -> CommandFailure {
    let start = "start it with \"\(ServiceUnit(socketPath: path).start)\", or run "
    let sentence =
      switch code {
      case ENOENT: "hotlined is not there: no socket at \(path); \(start)hotlined in a terminal"
      case ECONNREFUSED:
        "hotlined is not there: nobody listens at \(path); \(start)hotlined in a terminal"
      case EACCES, EPERM:
        "hotlined cannot be reached: this user may not open \(path); name your own daemon's "
          + "socket with --socket, or \(start)hotlined in a terminal"
      case EAGAIN: "hotlined at \(path) is too busy to accept a connection; try again later"
      default: "hotlined cannot be reached at \(path): \(systemMessage(code)); \(start)hotlined"
      }
    return CommandFailure(.unreachable, sentence)
  }

  var closedByDaemon: CommandFailure {
    CommandFailure(
      .unreachable,
      "hotlined at \(path) has closed the connection; see its log with "
        + "\"\(ServiceUnit(socketPath: path).log)\"")
  }

  /// Sends what the socket takes now and drops it from `bytes`.
  ///
  /// - Returns: false if the daemon takes nothing any more; what it said before can still be read.
  func send(_ bytes: inout ByteQueue) -> Bool {
    let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
    let sent = bytes.withUnread { Glibc.send(descriptor, $0.baseAddress, $0.count, flags) }
    guard sent < 0 else {
      bytes.drop(sent)
      return true
    }
    return errno == EAGAIN || errno == EINTR
  }

  /// Takes at most `byteCount` bytes that have arrived. A reset counts as the end.
  func receive(into bytes: inout ByteQueue, byteCount: Int = 1 << 16) -> Received {
    let flags = Int32(MSG_DONTWAIT)
    return withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 1) { room in
      let count = recv(descriptor, room.baseAddress, room.count, flags)
      guard count <= 0 else {
        bytes.append(UnsafeRawBufferPointer(rebasing: room[..<count]))
        return .bytes
      }
      return count < 0 && (errno == EAGAIN || errno == EINTR) ? .nothingYet : .ended
    }
  }

  /// Tells the daemon that nothing more will be sent.
  func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }
}
