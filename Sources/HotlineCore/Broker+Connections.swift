extension Broker {
  /// A dial has led to an open WebSocket.
  ///
  /// - Parameter mayWarmUp: a warm-up may be paid for, if its upstream is to have any.
  package mutating func connectionOpened(
    _ number: ConnectionNumber, of upstream: UpstreamIndex, mayWarmUp: Bool = true,
    at now: MonotonicInstant
  ) -> [Action] {
    let index = upstream.rawValue
    guard upstreams[index].pool.connections[number]?.state == .dialing else { return [] }
    counters.connectionsOpened += 1
    upstreams[index].pool.dialSucceeded(number, at: now)
    if mayWarmUp { upstreams[index].opened = number }
    return conclude([], at: now)
  }

  /// A dial failed, or a connection ended; said once, and the last that is said of it.
  package mutating func connectionClosed(
    _ number: ConnectionNumber, of upstream: UpstreamIndex, _ failure: ConnectionFailure,
    at now: MonotonicInstant
  ) -> [Action] {
    let index = upstream.rawValue
    guard let connection = upstreams[index].pool.connections[number] else { return [] }
    var actions: [Action] = []
    switch connection.state {
    case .dialing:
      upstreams[index].pool.forget(number)
      if upstreams[index].pool.dialFailed(failure, at: now) { counters.circuitsOpened += 1 }
      counters.dialsFailed += 1
    case .ready, .retiring:
      counters.connectionsLost += 1
      actions += lose(number, of: index, failure, at: now)
      actions += orphan(of: number, index, at: now)
      upstreams[index].pool.forget(number)
      // The warm-up may be to blame, and nobody asked for that.
      if !connection.isSettled(at: now), !connection.hasUnendedWarmUp,
        upstreams[index].pool.dialFailed(failure, at: now)
      {
        counters.circuitsOpened += 1
      }
    case .closing:
      upstreams[index].pool.forget(number)
    }
    return conclude(actions, at: now)
  }

  /// The last byte of a request's message was handed to its connection: from now on the server may
  /// act on it.
  ///
  /// To be said of a request that has ended meanwhile, too: its response will come.
  /// - Parameter connection: where it was handed over; nil: where it runs.
  package mutating func requestHandedOver(
    _ number: RequestNumber, on connection: ConnectionNumber? = nil
  ) {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .hidesTheHandOver { return }
    #endif
    if case .running(let current, let lane) = requests[number]?.state {
      guard let request = requests[number], connection ?? current == current else { return }
      return mutateRunning(on: current, lane: lane, of: request) { $0.isHandedOver = true }
    }
    for index in upstreams.indices {
      for candidate in upstreams[index].pool.connections.numbers
      where connection == nil || connection == candidate {
        upstreams[index].pool.connections[candidate]?.abandonedHandedOver(number)
      }
    }
  }

  /// Bytes came from the server, whatever they say.
  ///
  /// - Returns: whether something waits for such a sign of life: ``deadlineReached(at:)`` is to be
  ///   called then, after what the bytes say.
  package mutating func bytesHeard(
    on number: ConnectionNumber, of upstream: UpstreamIndex, at now: MonotonicInstant
  ) -> Bool {
    let index = upstream.rawValue
    let lostAt = upstreams[index].queue.returned.isEmpty ? nil : upstreams[index].lostAt
    let isNews = upstreams[index].pool.connections.change(number) { connection in
      defer { connection.keepalive?.heard(at: now) }
      return lostAt.map { !connection.isHeard(since: $0) } ?? false
    }
    return isNews ?? false
  }

  /// A ping was answered.
  package mutating func pongReceived(
    id: UInt64, on number: ConnectionNumber, of upstream: UpstreamIndex, at now: MonotonicInstant
  ) -> [Action] {
    let index = upstream.rawValue
    upstreams[index].pool.connections[number]?.keepalive?.pongReceived(id: id, at: now)
    // It may be what a request that came back was waiting for.
    return upstreams[index].queue.returned.isEmpty ? [] : conclude([], at: now)
  }

  /// The network has changed, or the machine has slept: any connection may have died unnoticed,
  /// and what failed before may work now.
  package mutating func networkChanged(at now: MonotonicInstant) -> [Action] {
    guard phase != .stopped else { return [] }
    var actions: [Action] = []
    for index in upstreams.indices {
      upstreams[index].pool.forgetFailures()
      let limits = upstreams[index].pool.limits
      for number in upstreams[index].pool.connections.numbers {
        guard let connection = upstreams[index].pool.connections[number], connection.isOpen else {
          continue
        }
        #if HOTLINE_PLANTED_FAULTS
          if PlantedFault.current == .forgetsToProbe, connection.isIdle { continue }
        #endif
        let limit = probeTimeout(of: connection, limits)
        let id = upstreams[index].pool.connections[number]?.keepalive?.probe(within: limit, at: now)
        if let id { actions.append(sendPing(number, id)) }
      }
    }
    return conclude(actions, at: now)
  }

  private func probeTimeout(
    of connection: UpstreamConnection, _ limits: UpstreamLimits
  ) -> Duration {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .waitsLongForAProbe { return .seconds(60) }
    #endif
    // A model that thinks may answer late; an idle server has no excuse.
    return connection.isIdle ? min(limits.probeTimeout, limits.pongTimeout) : limits.pongTimeout
  }

  // MARK: Time

  mutating func connectionDue(
    _ number: ConnectionNumber, of index: Int, at now: MonotonicInstant
  ) -> [Action] {
    guard let connection = upstreams[index].pool.connections[number], connection.isOpen else {
      return []
    }
    if connection.isSettled(at: now) { upstreams[index].pool.proved(number) }
    var actions: [Action] = []
    switch upstreams[index].pool.connections[number]?.keepalive?.deadlineReached(at: now) {
    case .sendPing(let id):
      actions.append(sendPing(number, id))
    case .dead(let silence):
      let failure = ConnectionFailure(
        .lost, "the server did not answer a ping within \(silence.inWords)")
      return lose(number, of: index, failure, at: now)
        + close(number, of: index, .pongTimeout, at: now)
    case nil:
      break
    }
    actions += warmUpDue(number, of: index, at: now)
    for lane in connection.lanes.indices {
      guard case .abandoned(_, let giveUpAt) = connection.lanes[lane].state, now >= giveUpAt else {
        continue
      }
      upstreams[index].pool.connections[number]?.lanes[lane].state = .spent
      actions += retire(number, of: index, .abandonedTimeout, at: now)
    }
    return actions + steeringDue(number, of: index, at: now)
  }

  // MARK: Loss

  /// Ends, or sends again, what runs on a connection that is lost.
  mutating func lose(
    _ number: ConnectionNumber, of index: Int, _ failure: ConnectionFailure,
    at now: MonotonicInstant
  ) -> [Action] {
    guard let connection = upstreams[index].pool.connections[number] else { return [] }
    // No request may come back to this connection.
    upstreams[index].pool.connections[number]?.state = .closing
    let noticed = warmUpLost(with: connection, of: index)
    // What nobody wants any more may be to blame too.
    let all = connection.lanes.compactMap(\.occupant)
    // A server that breaks the protocol is alive.
    let lostAt = failure.kind == .protocolViolation ? nil : now
    let actions = connection.lanes.compactMap(\.running).flatMap { running -> [Action] in
      guard let request = requests[running.request] else { return [] }
      #if HOTLINE_PLANTED_FAULTS
        let isFinal = PlantedFault.isFinal(failure, for: running, of: all)
        if let actions = plantedLoss(of: running, request, failure, at: now) { return actions }
      #else
        let isFinal = failure.isFinal(for: running, of: all)
      #endif
      if !running.isHandedOver, !isFinal {
        return sendAgain(running.request, sentBefore: .no, lostAt: lostAt, at: now)
      }
      if running.isHandedOver, !running.isAnswered, !isFinal, request.spec.resendsUnanswered,
        !request.isResent
      {
        return sendAgain(running.request, sentBefore: .unknown, lostAt: lostAt, at: now)
      }
      let error = lossError(
        failure, sent: max(running.sent, request.sentBefore), isRetryable: !isFinal)
      return end(running.request, .error, with: error, lane: .lost, at: now)
    }
    return actions + noticed + suspectOthers(of: index, at: now)
  }

  /// What came back from a lost connection waits for one whose server is heard: those that could
  /// take it are asked.
  private mutating func suspectOthers(of index: Int, at now: MonotonicInstant) -> [Action] {
    guard !upstreams[index].queue.returned.isEmpty else { return [] }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .forgetsToSuspect { return [] }
    #endif
    var actions: [Action] = []
    for brief in upstreams[index].pool.connections.briefs where brief.freeLane != nil {
      guard let connection = upstreams[index].pool.connections[brief.number],
        let keepalive = connection.keepalive, !connection.isHeard(since: now)
      else { continue }
      let limit = probeTimeout(of: connection, upstreams[index].pool.limits)
      // Its answer to an earlier ping is as good, if that is to come as soon.
      guard !keepalive.isAwaitingPong(by: now.advanced(by: limit)) else { continue }
      let id = upstreams[index].pool.connections[brief.number]?.keepalive?
        .probe(within: limit, at: now)
      if let id { actions.append(sendPing(brief.number, id)) }
    }
    return actions
  }

  #if HOTLINE_PLANTED_FAULTS
    private mutating func plantedLoss(
      of running: Lane.Running, _ request: Request, _ failure: ConnectionFailure,
      at now: MonotonicInstant
    ) -> [Action]? {
      switch PlantedFault.current {
      case .forgetsALastLine where running.isAnswered: return []
      case .resendsAfterAnEvent where running.isAnswered && request.spec.resendsUnanswered,
        .resendsWithoutLeave where running.isHandedOver && !running.isAnswered:
        return sendAgain(running.request, sentBefore: .unknown, at: now)
      case .failsWhatItMaySendAgain where !running.isHandedOver:
        let error = lossError(failure, sent: request.sentBefore, isRetryable: true)
        return end(running.request, .error, with: error, lane: .lost, at: now)
      default: return nil
      }
    }
  #endif

  private mutating func sendPing(_ connection: ConnectionNumber, _ id: UInt64) -> Action {
    counters.pingsSent += 1
    return .sendPing(connection, id: id)
  }

  private func lossError(
    _ failure: ConnectionFailure, sent: HotlineError.Sent, isRetryable: Bool
  ) -> HotlineError {
    let isViolation = failure.kind == .protocolViolation
    return failure.error(
      isViolation ? .upstreamProtocol : .connectionLost,
      isViolation ? "the server broke the protocol" : "the connection to the server was lost",
      sent: sent, isRetryable: isRetryable)
  }

  /// Takes a request back from its lane to wait for another, in front of all others.
  ///
  /// - Parameter lostAt: when its connection was lost; nil: it is open.
  mutating func sendAgain(
    _ number: RequestNumber, sentBefore: HotlineError.Sent, lostAt: MonotonicInstant? = nil,
    at now: MonotonicInstant
  ) -> [Action] {
    guard var request = requests[number] else { return [] }
    let index = request.spec.upstream.rawValue
    if case .running(let connection, let lane) = request.state {
      let running = running(on: connection, lane: lane, of: request)
      request.eventsBefore += running?.eventsDelivered ?? 0
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .forgetsEarlierNotices { request.eventsBefore = 0 }
      #endif
      upstreams[index].pool.connections[connection]?.lanes[lane].state = .spent
    }
    request.sentBefore = max(request.sentBefore, sentBefore)
    if let lostAt {
      request.lostAt = lostAt
      upstreams[index].lostAt = lostAt
    }
    request.waitingSince = now
    request.waitDeadline = now.advanced(by: request.spec.waitTimeout ?? limits.waitTimeout)
    if request.noticeAt != nil {
      request.noticeAt = now.advanced(by: limits.queuedNoticeAfter)
    }
    request.state = .ordered
    requests[number] = request
    upstreams[index].waitingCount += 1
    if request.isTied
      || (request.spec.previousResponseID != nil
        && upstreams[index].pool.settings.continuation == .connection)
    {
      let error = conversationLostError(of: request, sent: sentBefore)
      return end(number, .error, with: error, at: now)
    }
    enqueue(number, atFront: true)
    return []
  }
}

#if HOTLINE_PLANTED_FAULTS
  extension PlantedFault {
    fileprivate static func isFinal(
      _ failure: ConnectionFailure, for running: Lane.Running, of all: [Lane.Running]
    ) -> Bool {
      switch current {
      case .resendsAfterAFinalClose: false
      case .blamesOneOfSeveral: failure.isFinal(for: running, of: [running])
      default: failure.isFinal(for: running, of: all)
      }
    }
  }
#endif

extension ConnectionFailure {
  /// Whether a request that is lost by it would be lost again.
  ///
  /// Of the codes that a client should not reconnect after (RFC 6455, 7.4.1), 1009 blames one
  /// message, that of no response that has begun; where it may be one of several, none is blamed.
  /// The others blame the way in which this daemon speaks.
  fileprivate func isFinal(for running: Lane.Running, of all: [Lane.Running]) -> Bool {
    switch closeCode {
    case 1009: !running.hasResponse && all.count { !$0.hasResponse } == 1
    case 1002, 1003, 1007, 1008, 1010: running.isHandedOver && !running.hasResponse
    default: false
    }
  }
}

extension UpstreamConnection {
  /// A request that nobody wants any more was handed over here nevertheless, or a warm-up was.
  fileprivate mutating func abandonedHandedOver(_ request: RequestNumber) {
    for lane in lanes.indices {
      switch lanes[lane].state {
      case .abandoned(var running, let giveUpAt) where running.request == request:
        running.isHandedOver = true
        lanes[lane].state = .abandoned(running, giveUpAt: giveUpAt)
      case .warming(var running, let giveUpAt) where running.request == request:
        running.isHandedOver = true
        lanes[lane].state = .warming(running, giveUpAt: giveUpAt)
      case .idle, .busy, .warming, .abandoned, .spent:
        continue
      }
    }
  }
}
