import HotlineCore
import HotlineTransport
import NIOCore

/// What counts against a client that reads slowly, by the rules of ``ReaderPatience``.
extension DaemonLoop {
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
    link.patience.unreadBytes(
      record.client.unreadBytes, isAlone: link.running === record, isOverMemory: ledger.isOver,
      limits: limits)
  }

  /// The end of a read: what it brought has been taken, the rest can wait.
  func holdIfWanted(_ link: UpstreamLink) {
    guard link.patience.readEnded() else { return }
    let limits = upstreams[link.upstream.rawValue].configuration.limits
    let duration = ReaderPatience.holdTime(pongTimeout: limits.pongTimeout)
    link.handler?.pauseReading()
    link.holdTimer = eventLoop.assumeIsolated().scheduleTask(
      in: .nanoseconds(duration.wholeNanoseconds)
    ) { [weak self, weak link] in
      if let link { self?.endHold(of: link) }
    }
  }

  /// The server is read on, though the client has not caught up.
  func endHold(of link: UpstreamLink) {
    guard case .holding = link.patience.state else { return }
    link.patience.timeRanOut()
    link.holdTimer?.cancel()
    link.handler?.resumeReading()
  }

  /// The client has caught up, or the request has ended.
  func release(_ link: UpstreamLink) {
    guard link.patience.released() else { return }
    link.holdTimer?.cancel()
    link.handler?.resumeReading()
  }

  func clientDrained(_ client: ClientHandler) {
    for link in links.values where link.running?.client === client {
      guard link.patience.state != .fresh else { continue }
      if client.unreadBytes < limits.bufferBytesMax / 2 { release(link) }
    }
  }
}
