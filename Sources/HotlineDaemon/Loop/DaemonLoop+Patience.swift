import HotlineCore
import HotlineTransport
import NIOCore

/// A client that reads as fast as it can may still be slower than a burst of its server, or get one
/// event that is larger than all that may wait unread. Its server is held up a little then: the
/// connection carries this one response, so nobody else is.
extension DaemonLoop {
  /// Longest time that a server is held up for a client; half of what a pong may take, at most.
  static let patience: Duration = .seconds(5)

  /// What counts against the client of the running request: nothing while there is patience.
  func unreadBytes(on link: UpstreamLink) -> Int {
    guard let client = link.running?.client else { return 0 }
    let unread = client.unreadBytes
    guard unread >= limits.bufferBytesMax else { return unread }
    switch link.patience {
    case .fresh:
      link.patience = .wanted
      return 0
    case .wanted, .holding: return 0
    case .spent: return unread
    }
  }

  /// The end of a read: what it brought has been taken, the rest can wait.
  func holdIfWanted(_ link: UpstreamLink) {
    guard case .wanted = link.patience else { return }
    let limit = upstreams[link.upstream.rawValue].configuration.limits.pongTimeout / 2
    let duration = min(Self.patience, limit)
    link.handler?.pauseReading()
    let timer = eventLoop.assumeIsolated().scheduleTask(
      in: .nanoseconds(duration.wholeNanoseconds)
    ) { [weak link] in
      link?.patience = .spent
      link?.handler?.resumeReading()
    }
    link.patience = .holding(timer)
  }

  /// The client has caught up, or the request has ended.
  func release(_ link: UpstreamLink) {
    if case .holding(let timer) = link.patience {
      timer.cancel()
      link.handler?.resumeReading()
    }
    link.patience = .fresh
  }

  func clientDrained(_ client: ClientHandler) {
    for link in links.values where link.running?.client === client {
      if case .fresh = link.patience { continue }
      if client.unreadBytes < limits.bufferBytesMax / 2 { release(link) }
    }
  }
}
