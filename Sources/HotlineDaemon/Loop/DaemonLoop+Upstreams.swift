import HotlineCore
import HotlineTransport
import HotlineWire
import Logging
import NIOCore

/// What upstream connections say.
extension DaemonLoop: UpstreamHandlerDelegate {
  func upstreamOpened(_ connection: ConnectionNumber, _ facts: UpgradeFacts) {
    guard let link = link(connection) else { return }
    link.facts = facts
    let upstream = upstreams[link.upstream.rawValue].configuration.name
    statistics.connected(to: upstream, after: link.dialedAt.duration(to: now))
    log.info(
      "upstream connection opened",
      metadata: [
        "upstream": "\(upstream)",
        "connection": "\(connection.rawValue)", "tls": "\(facts.tlsVersion ?? "none")",
        "resumed": "\(facts.isTLSResumed ?? false)",
      ])
    // Before what waits for the connection is sent.
    let headers = facts.headers.lazy.map { (name: $0.name, value: $0.value) }
    step(.rateLimits(RateLimitReader.limits(ofHeaders: headers), of: link.upstream))
    step(.opened(connection))
  }

  func upstreamReceived(
    _ connection: ConnectionNumber, _ message: UnsafeRawBufferPointer, isBinary: Bool
  ) {
    guard let link = link(connection) else { return }
    batchBegan()
    guard !isStepping else {
      // What a failing write of ours made NIO read: it waits its turn, the bytes do not.
      step(.message(connection, Array(message), isBinary: isBinary))
      return
    }
    let envelope: UpstreamEnvelope
    do throws(UpstreamEnvelope.Unusable) {
      envelope = try UpstreamEnvelope(message, isBinary: isBinary)
    } catch {
      step(.event(connection, .unusable(message, isBinary: isBinary)))
      return
    }
    let lane = envelope.lane(in: message)
    if envelope.isPlainProgress, let record = link.record(on: lane),
      deliverProgress(envelope, message, of: record, on: link, lane)
    {
      return
    }
    step(.event(connection, .event(envelope, message)))
  }

  /// The hot path: one more piece of a response that has begun.
  ///
  /// - Returns: false if it is not so plain.
  private func deliverProgress(
    _ envelope: UpstreamEnvelope, _ message: UnsafeRawBufferPointer, of record: RequestRecord,
    on link: UpstreamLink, _ lane: LaneReference
  ) -> Bool {
    let client = record.client
    switch broker.progressArrived(
      isText: envelope.kind == .text, on: link.number, of: link.upstream, lane: lane,
      unreadBytes: unreadBytes(on: link, for: record), at: now)
    {
    case .unusual:
      return false
    case .skip:
      return true
    case .deliver(let number):
      guard number == record.number else { return true }
      UpstreamEvent.write(envelope, message, to: client, idSpelling: record.idSpelling)
      markDirty(client)
      return true
    }
  }

  func eventArrived(
    _ event: UpstreamEvent, on connection: ConnectionNumber, at now: MonotonicInstant
  ) {
    guard let link = link(connection) else { return }
    let facts = event.facts(link.redactor)
    let lane = broker.lane(of: facts, on: connection, of: link.upstream)
    let record = link.record(on: lane)
    atHand = .event(event)
    // What waits for a sign of life goes before what the event sets free.
    let isAwaited = broker.bytesHeard(on: connection, of: link.upstream, at: now)
    let actions = broker.eventArrived(
      facts, on: connection, of: link.upstream,
      unreadBytes: unreadBytes(on: link, of: lane), at: now)
    if actions.contains(.closeConnection(connection, .unexpectedEvent)) {
      logUnexpected(event, on: link)
    }
    perform(actions)
    if isAwaited { perform(broker.deadlineReached(at: now)) }
    let limits = event.rateLimits(clock: wallClock)
    if !limits.isEmpty { perform(broker.rateLimitsSaid(limits, by: link.upstream, at: now)) }
    // Once its response has begun a request is never sent again; whether this event was believed to
    // be of it is known only now.
    if event.isOfResponse, let record, link.holds(record) { record.releaseLine() }
  }

  /// An upstream's server turned out to know no lanes.
  func giveUpLanes(_ upstream: UpstreamIndex) {
    log.notice(
      "the server knows no lanes: one response at a time on a connection until a reload",
      metadata: ["upstream": "\(upstreams[upstream.rawValue].configuration.name)"])
    onChange?()
  }

  /// What it was that costs a connection: names and ids, never what the event says.
  private func logUnexpected(_ event: UpstreamEvent, on link: UpstreamLink) {
    log.notice(
      "an upstream event is of no response that runs",
      metadata: event.evidence(link.redactor).merging(
        [
          "upstream": "\(upstreams[link.upstream.rawValue].configuration.name)",
          "connection": "\(link.number.rawValue)", "running": "\(link.runningInWords)",
        ]) { _, own in own })
  }

  func upstreamPong(_ connection: ConnectionNumber, pingID: UInt64) {
    step(.pong(connection, pingID: pingID))
  }

  func upstreamReadCompleted(_ connection: ConnectionNumber) {
    if let link = link(connection) {
      if broker.bytesHeard(on: connection, of: link.upstream, at: now) { step(.deadlineReached) }
      let held = link.handler?.bytesHeld ?? 0
      if held != link.bytesAccounted {
        ledger.change(by: held - link.bytesAccounted)
        link.bytesAccounted = held
      }
    }
    batchEnded()
    if let link = link(connection) { endIfTooMuchIsHeld(by: link) }
    if let link = link(connection) { holdIfWanted(link) }
  }

  /// So much of an event may have come on any connection, whatever else is held: some reads' worth.
  private static let partBytesSpared = 256 << 10

  /// What has come of an event can neither be passed on nor wait for the rest, lest many of them
  /// wait for one another; its server cannot be told to send less.
  private func endIfTooMuchIsHeld(by link: UpstreamLink) {
    guard ledger.isOver, link.bytesAccounted > Self.partBytesSpared else { return }
    link.handler?.drop(
      "\(link.bytesAccounted) bytes of one event have come, and the daemon holds more than "
        + "\(limits.memoryBytesMax) bytes (socket.memory_max); ask for less at once, or raise the "
        + "limit")
  }

  func upstreamHandedOver(_ connection: ConnectionNumber, token: UInt64) {
    guard token != 0 else { return }  // A control message.
    step(.handedOver(RequestNumber(token), on: connection))
  }

  func upstreamClosed(_ connection: ConnectionNumber, _ failure: ConnectionFailure) {
    guard let link = link(connection) else { return }
    log.log(
      level: failure.kind == .local ? .debug : .notice, "upstream connection ended",
      metadata: [
        "upstream": "\(upstreams[link.upstream.rawValue].configuration.name)",
        "connection": "\(connection.rawValue)", "kind": "\(failure.kind.rawValue)",
        "detail": "\(failure.detail)",
      ])
    step(.closed(connection, failure))
  }
}
