import Glibc

/// Tells clients of listening sockets why they are not served, one line each, while there is no
/// daemon loop to do it.
///
/// Confined to one thread. Waits for nobody but in ``waitForClient(atMost:)``.
package final class DeclinedClients {
  /// Clients that were told and have not left yet.
  private static let lingeringMax = 64
  /// How long one may take to leave.
  private static let lingerTime: Duration = .seconds(2)

  private let listeners: [Int32]
  /// Told, and not heard out: if it were closed on while it writes, a client might end (socat does)
  /// before it has read why.
  private var lingering: [(descriptor: Int32, end: Duration)] = []

  /// - Parameter listeners: listening Unix stream sockets; they stay the caller's.
  package init(_ listeners: [Int32]) {
    self.listeners = listeners
  }

  deinit {
    for client in lingering { close(client.descriptor) }
  }

  /// Waits until a client asks to be accepted; false if none does in that time.
  package func waitForClient(atMost duration: Duration) -> Bool {
    let end = MonotonicTime.now + duration
    while true {
      let now = MonotonicTime.now
      forgetClients(at: now)
      var waiting = (listeners + lingering.map(\.descriptor)).map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      let next = ([end] + lingering.map(\.end)).min() ?? end
      let rest = (max(.zero, next - now) / .milliseconds(1)).rounded(.up)
      let ready = poll(&waiting, nfds_t(waiting.count), Int32(exactly: rest) ?? .max)
      guard ready >= 0 || errno == EINTR else { return false }
      if ready > 0, waiting[..<listeners.count].contains(where: { $0.revents != 0 }) { return true }
      if ready == 0, MonotonicTime.now >= end { return false }
    }
  }

  /// Accepts whoever waits, and writes the line that `line` makes for each.
  package func decline(with line: (PeerCredentials?) -> [UInt8]) {
    for listener in listeners {
      var isReady = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
      while poll(&isReady, 1, 0) == 1 {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { break }
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        let bytes = line(PeerCredentials.of(descriptor: client))
        _ = send(client, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        shutdown(client, Int32(SHUT_WR))
        if lingering.count >= Self.lingeringMax { close(lingering.removeFirst().descriptor) }
        lingering.append((client, MonotonicTime.now + Self.lingerTime))
      }
    }
  }

  /// Reads what the clients write, and closes on those who have left or take too long.
  private func forgetClients(at now: Duration) {
    lingering.removeAll { client in
      var bytes = [UInt8](repeating: 0, count: 4096)
      var count = 0
      // No longer than any client is worth.
      for _ in 0..<64 {
        count = recv(client.descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { break }
      }
      let hasLeft = count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
      guard hasLeft || client.end <= now else { return false }
      close(client.descriptor)
      return true
    }
  }
}
