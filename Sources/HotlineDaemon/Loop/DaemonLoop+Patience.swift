import HotlineCore
import HotlineTransport
import NIOCore

/// A client that reads as fast as it can may still be slower than a burst of its server, or get one
/// event that is larger than all that may wait unread. Its server is held up a little then, if the
/// connection carries this one response: nobody else is. With others beside it nobody is.
extension DaemonLoop {
  /// Longest time that a server is held up for a client; half of what a pong may take, at most.
  static let patience: Duration = .seconds(5)

  /// What counts against the client that an event on this lane is for: nothing while there is
  /// patience.
  func unreadBytes(on link: UpstreamLink, of lane: LaneReference) -> Int {
    guard let record = link.record(on: lane) else {
      // Of no one request's: what is for all goes to nobody while one of them is full.
      return lane == .none ? link.clients.reduce(0) { max($0, $1.unreadBytes) } : 0
    }
    return unreadBytes(on: link, for: record)
  }

  func unreadBytes(on link: UpstreamLink, for record: RequestRecord) -> Int {
    guard let client = record.client else { return 0 }
    let unread = client.unreadBytes
    // Where all that is held is too much, whoever has not read what it has gets no more.
    let isOverMemory = unread > 0 && ledger.isOver
    guard unread >= limits.bufferBytesMax || isOverMemory else { return unread }
    let counted = isOverMemory ? Broker.unreadBytesOverMemory : unread
    guard link.running === record else { return counted }
    switch link.patience {
    case .fresh:
      link.patience = .wanted
      return 0
    case .wanted, .holding: return 0
    case .spent: return counted
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
