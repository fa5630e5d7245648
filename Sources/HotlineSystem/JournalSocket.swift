import Glibc

/// The journal's socket, to which whole entries go with their fields.
///
/// Any thread. Never waits: an entry that the journal does not take at once is for the caller to
/// drop.
struct JournalSocket: Sendable {
  /// Where systemd-journald listens (systemd-journald.service(8)).
  static let standardPath = "/run/systemd/journal/socket"

  enum Outcome {
    case sent
    /// The journal is there, and does not keep up.
    case busy
    /// There is no journal, or the entry is too large for it.
    case failed
  }

  private let descriptor: Int32
  private let path: String

  /// Nil where no socket can be made, or the path is none.
  init?(path: String) {
    guard path.utf8.count <= SocketPath.bytesMax else { return nil }
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { return nil }
    // What sd_journal_send(3) asks for; less is taken where less is allowed.
    var bytes: Int32 = 8 << 20
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    self.path = path
  }

  /// By name each time: the journal may be started again.
  func send(_ entry: [UInt8]) -> Outcome {
    let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
    let sent = SocketPath.withAddress(path) { address, length in
      sendto(descriptor, entry, entry.count, flags, address, length) == entry.count ? 0 : errno
    }
    switch sent {
    case 0: return .sent
    case EAGAIN, ENOBUFS: return .busy
    default: return .failed
    }
  }
}
