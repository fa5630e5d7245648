/// Warm-ups: what the daemon sends on new connections on its own behalf.
extension Broker {
  /// Warms up the connection that has just opened, if that costs nobody a wait.
  ///
  /// What waits has been served by then, and nothing has been closed: what the connection replaces
  /// stays until it is warm.
  mutating func warmUpOpened(_ index: Int, at now: MonotonicInstant) -> [Action] {
    guard let number = upstreams[index].opened else { return [] }
    upstreams[index].opened = nil
    guard phase == .running, !upstreams[index].pool.isRemoved,
      upstreams[index].pool.settings.warmsUp,
      upstreams[index].pool.warmUps.areWelcome, !isWaitedFor(index),
      heldUntil(index, at: now) == nil || isHeldForNothing,
      let connection = upstreams[index].pool.connections[number],
      upstreams[index].pool.takesAny(connection, at: now), connection.isIdle,
      connection.lanes[0].isFree
    else { return [] }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .neverWarmsUp { return [] }
    #endif
    let request = RequestNumber(nextRequest)
    nextRequest += 1
    let running = Lane.Running(request: request, client: .nobody, filter: .final)
    let giveUpAt = now.advanced(by: warmUpTimeout(index))
    upstreams[index].pool.connections[number]?.lanes[0].state =
      .warming(running, giveUpAt: giveUpAt)
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .givesAwayALaneThatWarmsUp {
        upstreams[index].pool.connections[number]?.lanes[0].state = .idle
      }
    #endif
    counters.warmUpsSent += 1
    upstreams[index].pool.warmUps.sent()
    return [.warmUp(request, on: number, lane: laneName(0, on: number, of: index))]
  }

  /// Something would have to wait for the end of a warm-up.
  private func isWaitedFor(_ index: Int) -> Bool {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .warmsUpThoughSomebodyWaits { return false }
    #endif
    if upstreams[index].waitingCount > 0 { return true }
    // What waits where nothing is open may come here now.
    return upstreams.contains { $0.hasAlternatives && $0.waitingCount > 0 && $0.pool.isDown }
  }

  private var isHeldForNothing: Bool {
    #if HOTLINE_PLANTED_FAULTS
      return PlantedFault.current == .warmsUpWhatIsHeld
    #else
      return false
    #endif
  }

  private func warmUpTimeout(_ index: Int) -> Duration {
    let timeout = upstreams[index].pool.limits.abandonedTimeout
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .waitsForAWarmUpTooLong {
        return timeout + .seconds(1)
      }
    #endif
    return timeout
  }

  // MARK: What comes of it

  /// An event on a lane that warms up, whose message the server has.
  mutating func warmUpEvent(
    _ event: EventFacts, _ running: Lane.Running, until giveUpAt: MonotonicInstant,
    on connection: UpstreamConnection, _ lane: Int, _ index: Int, at now: MonotonicInstant
  ) -> [Action] {
    // Nobody has said anything about it.
    guard event.controlAnswer == nil else {
      counters.idleEventsIgnored += 1
      return []
    }
    var running = running
    let number = connection.number
    let isBegun = running.hasResponse
    if let complaint = note(event, &running, connection.lanes[lane], at: now) {
      let failure = ConnectionFailure(.protocolViolation, complaint)
      return violation(failure, event, on: connection, index, at: now)
    }
    upstreams[index].pool.connections[number]?.lanes[lane].state =
      .warming(running, giveUpAt: giveUpAt)
    if !isBegun, running.hasResponse {
      upstreams[index].pool.connections[number]?.lanes[lane].beginsIdentified =
        event.responseID != nil
    }
    if event.isResponseEvent { upstreams[index].pool.proved(number) }
    switch event.kind {
    case .progress, .text, .notice, .unusable:
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .deliversAWarmUp, let request = requests.keys.min() {
          return [.deliver(request)]
        }
      #endif
      return []
    case .terminal(let outcome):
      freeLane(lane, of: number, index, running, at: now)
      let account = Action.accountForWarmUp(on: number, usage: event.usage)
      guard outcome == .failed else {
        upstreams[index].pool.warmUps.succeeded()
        return [account]
      }
      return [account] + warmUpFailed(index)
    case .error:
      return warmUpError(event, running, on: connection, lane, index, at: now)
    }
  }

  private mutating func warmUpError(
    _ event: EventFacts, _ running: Lane.Running, on connection: UpstreamConnection, _ lane: Int,
    _ index: Int, at now: MonotonicInstant
  ) -> [Action] {
    let number = connection.number
    let isLaneRefused = !running.hasResponse && connection.isRefusedLane(event)
    let isItsOwn = !running.hasResponse && !event.isForTheConnectionsSake && !isLaneRefused
    freeLane(lane, of: number, index, running, isSpent: !isItsOwn, at: now)
    guard isItsOwn else {
      let actions =
        event.isPassing || isLaneRefused ? warmUpPassed(index) : warmUpFailed(index)
      let reason: CloseReason = isLaneRefused ? .refusedByServer : event.reasonToRetire
      let closing = retire(number, of: index, reason, at: now)
      if event.isForTheConnectionsSake { countFailure(event, of: connection, index, at: now) }
      return actions + closing
    }
    // The server is well: nothing else has suffered.
    upstreams[index].pool.proved(number)
    guard !event.isPassing else { return warmUpPassed(index) }
    let words = event.errorDetail ?? "an error without words"
    return warmUpRefused(index, .refused(words))
  }

  /// Gives up one that does not end: more of it may come, so that its connection is of no use.
  mutating func warmUpDue(
    _ number: ConnectionNumber, of index: Int, at now: MonotonicInstant
  ) -> [Action] {
    guard let connection = upstreams[index].pool.connections[number] else { return [] }
    var actions: [Action] = []
    for lane in connection.lanes.indices {
      guard case .warming(let running, let giveUpAt) = connection.lanes[lane].state,
        now >= giveUpAt
      else { continue }
      upstreams[index].pool.connections[number]?.lanes[lane].state = .spent
      // One that never got on its way says nothing of the server.
      actions += running.isHandedOver ? warmUpRefused(index, .overdue) : warmUpPassed(index)
      actions += retire(number, of: index, .abandonedTimeout, at: now)
    }
    return actions
  }

  /// A connection is lost that its server, or the network, has ended.
  mutating func warmUpLost(with connection: UpstreamConnection, of index: Int) -> [Action] {
    if connection.isWarmForNobody { upstreams[index].pool.warmUps.wasted() }
    if connection.hasUnendedWarmUp { return warmUpFailed(index) }
    return connection.lanes.contains(where: \.isWarming) ? warmUpPassed(index) : []
  }

  private mutating func warmUpPassed(_ index: Int) -> [Action] {
    counters.warmUpsFailed += 1
    upstreams[index].pool.warmUps.passed()
    return []
  }

  private mutating func warmUpFailed(_ index: Int) -> [Action] {
    counters.warmUpsFailed += 1
    return givenUp(upstreams[index].pool.warmUps.failed(), index)
  }

  private mutating func warmUpRefused(_ index: Int, _ reason: WarmUps.Reason) -> [Action] {
    counters.warmUpsFailed += 1
    return givenUp(upstreams[index].pool.warmUps.refused(reason), index)
  }

  private func givenUp(_ reason: WarmUps.Reason?, _ index: Int) -> [Action] {
    reason.map { [.giveUpWarmUps(UpstreamIndex(index), $0)] } ?? []
  }
}

extension ClientNumber {
  /// Whom the daemon's own messages are for; clients' numbers begin at 1.
  static let nobody = ClientNumber(0)
}
