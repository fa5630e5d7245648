import Glibc

/// Turns the signals that a daemon lives by into something to read.
///
/// The handler writes to a socket (signal-safety(7) allows it that, and little else), whose other
/// end an event loop watches: no thread waits for a signal. Every delivery is one entry, so that
/// the reader tells a second SIGTERM from the first; a process has one of these at a time.
package final class TerminationSignals: Sendable {
  /// The signals listened to.
  package enum Signal: Hashable, Sendable, CaseIterable {
    /// SIGTERM: finish what was accepted, then end.
    case terminate
    /// SIGINT: a person at the terminal, meant as SIGTERM.
    case interrupt
    /// SIGHUP: read the configuration again.
    case hangUp
    /// SIGUSR1: for the daemon to give a meaning to.
    case user1

    package var number: Int32 {
      switch self {
      case .terminate: SIGTERM
      case .interrupt: SIGINT
      case .hangUp: SIGHUP
      case .user1: SIGUSR1
      }
    }
  }

  /// Where the handler writes; -1 while nobody listens. An aligned word, which a handler may read.
  nonisolated(unsafe) private static var handlersEnd: Int32 = -1

  /// Readable when a signal has come; ``received()`` reads it.
  package let descriptor: Int32
  private let writingEnd: Int32

  /// Begins to listen; when it returns, none of the signals ends the process any more.
  ///
  /// SIGPIPE is ignored from here on: a write to a closed pipe or socket fails with EPIPE instead.
  /// The calling thread takes the signals, if no other does.
  /// - Throws: where no descriptor is left.
  package init() throws(SystemCallError) {
    var ends: [Int32] = [-1, -1]
    let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    guard socketpair(AF_UNIX, Int32(type), 0, &ends) == 0 else {
      throw SystemCallError("socketpair")
    }
    (descriptor, writingEnd) = (ends[0], ends[1])
    Self.handlersEnd = writingEnd
    signal(SIGPIPE, SIG_IGN)
    var own = sigset_t()
    sigemptyset(&own)
    for signal in Signal.allCases {
      var action = sigaction()
      action.sa_flags = SA_RESTART
      action.__sigaction_handler.sa_handler = { number in
        let before = errno
        var byte = UInt8(truncatingIfNeeded: number)
        // A full socket has more to say than anybody asked for.
        _ = write(TerminationSignals.handlersEnd, &byte, 1)
        errno = before
      }
      sigaction(signal.number, &action, nil)
      sigaddset(&own, signal.number)
    }
    pthread_sigmask(SIG_UNBLOCK, &own, nil)
  }

  /// What has come since the last call, in its order; the kernel may merge signals of one kind that
  /// come in the same moment.
  package func received() -> [Signal] {
    var bytes: [UInt8] = Array(repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    return bytes.prefix(max(0, count)).compactMap { byte in
      Signal.allCases.first { $0.number == Int32(byte) }
    }
  }

  /// Ends the delivery. The signals then have no effect; they do not get their default action back.
  package func cancel() {
    for signal in Signal.allCases { Glibc.signal(signal.number, SIG_IGN) }
    if Self.handlersEnd == writingEnd { Self.handlersEnd = -1 }
  }

  deinit {
    cancel()
    close(descriptor)
    close(writingEnd)
  }
}
