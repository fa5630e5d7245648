import HotlineCore
import HotlineTransport
import Logging

/// Notices clients that leave as `socat` without `-t` does: half a second after their half-close.
///
/// Such a client has lost its answer with status 0 and never learns why; the log says so, once an
/// hour at most.
struct HangUpHint {
  private static let suspicious: ClosedRange<Duration> = .milliseconds(400)...(.milliseconds(700))
  private static let interval: Duration = .seconds(3600)
  private var saidAt: MonotonicInstant?

  /// A client with open requests has closed.
  mutating func clientClosed(
    _ client: ClientHandler, _ commandName: String, halfClosedAt: MonotonicInstant,
    at now: MonotonicInstant, _ log: Logger
  ) {
    let quietSince = max(halfClosedAt, client.lastWriteAt ?? halfClosedAt)
    guard Self.suspicious.contains(quietSince.duration(to: now)) else { return }
    if let saidAt, saidAt.duration(to: now) < Self.interval { return }
    saidAt = now
    log.warning(
      """
      a client hung up half a second after it had shut down its writing side, and its request was \
      cancelled; socat does that unless it is given -t 3600
      """,
      metadata: ["client_command": "\(commandName)", "client_pid": "\(client.processID)"])
  }
}
