import HotlineCore

/// What may be dialled and closed, and when.
extension Simulation {
  func checkDial(_ number: ConnectionNumber, _ upstream: UpstreamIndex) {
    guard connections[number] == nil else { return complain("a connection number is used twice") }
    let index = upstream.rawValue
    if let failedAt = dials[index].lastFailureAt {
      // One that was opened at the same instant may have proved that the server is well.
      let isWell = present.contains { other in
        connections[other].map { $0.upstream == upstream && $0.openedAt == failedAt } ?? false
      }
      if now - failedAt < .milliseconds(250), !isWell {
        return complain("dialled at once after a failure")
      }
    }
    if now < dials[index].notBefore { return complain("dialled before Retry-After") }
    checkProbe(of: index)
    checkIsNotForAWarmUp(upstream)
    guard open.isEmpty, now - dials[index].lastRequestAt > .seconds(60) else { return }
    dials[index].idleDials.removeAll { now - $0 > .seconds(60) }
    dials[index].idleDials.append(now)
    if dials[index].idleDials.count > 40 * max(1, scenario.upstreams[index].limits.connectionsWarm)
    {
      complain("a storm of dials while nobody asks for anything")
    }
  }

  func checkClose(_ number: ConnectionNumber, _ reason: CloseReason) {
    guard let connection = connections[number], connection.isOpenToCore || connection.isDialing
    else { return complain("C\(number.rawValue) is closed but not open") }
    let isForReload = reason == .reloaded && isReloading
    if connection.isDialing, !isForReload {
      return complain("the dial of C\(number.rawValue) is given up")
    }
    guard !connection.isConfused else { return }
    let wanted = connection.lanes.compactMap(\.current).first { requests[$0]?.isOpen == true }
    switch reason {
    case .idleLimit, .ageLimit, .surplus:
      // A warm-up keeps nothing alive.
      if connection.isBusy, !connection.isWarming || reason == .surplus {
        complain("C\(number.rawValue) is closed for \(reason.rawValue) in the middle of a response")
      }
      if reason == .surplus { checkShrinking(connection) } else { checkRotation(connection) }
    case .abandoned, .abandonedTimeout, .steered, .errorInResponse, .reloaded:
      if let wanted {
        complain("C\(number.rawValue) is closed while \(describe(wanted)) runs there")
      }
      if reason == .abandonedTimeout,
        !connection.lanes.contains(where: { $0.giveUpAt.map { now >= $0 } ?? false })
      {
        complain("C\(number.rawValue) is closed before abandoned_timeout")
      }
      let limits = scenario.upstreams[connection.upstream.rawValue].limits
      if reason == .abandoned, limits.cancel != .drop, !connection.isMarred {
        complain("C\(number.rawValue) is dropped, though cancel is \(limits.cancel.rawValue)")
      }
    case .pongTimeout: checkGivenUp(connection)
    case .refusedByServer:
      if let wanted, let attempt = requests[wanted]?.attempts.last, attempt.isBegun {
        complain("C\(number.rawValue) is closed while \(describe(wanted)) is answered there")
      }
    case .unexpectedEvent, .shutdown:
      break
    }
  }

  private func living(of upstream: UpstreamIndex) -> [SimulatedConnection] {
    present.compactMap { connections[$0] }.filter { $0.upstream == upstream && $0.isLiving }
  }

  func checkConnectionCountsWhileDialing(_ upstream: UpstreamIndex) {
    let limits = scenario.upstreams[upstream.rawValue].limits
    let living = living(of: upstream)
    if living.count(where: \.isDialing) > limits.dialsMax {
      return complain("more dials than dials_max at once")
    }
    // What only finishes what it has gives its place away, but not without end.
    let counted = living.count { !$0.mayBeRetiring }
    if counted > limits.connectionsMax + 1 || living.count > 2 * limits.connectionsMax + 1 {
      complain("\(living.count) connections, connections_max is \(limits.connectionsMax)")
    }
  }

  func checkConnectionCounts(of upstream: UpstreamIndex) {
    let limits = scenario.upstreams[upstream.rawValue].limits
    var counted = 0
    var isDialing = false
    var isIdle = false
    var isReplacing = false
    for number in present {
      guard let connection = connections[number], connection.upstream == upstream,
        connection.isLiving
      else { continue }
      if !connection.mayBeRetiring { counted += 1 }
      if connection.isDialing { isDialing = true }
      if connection.isOpenToCore {
        if !connection.isBusy, !connection.mayBeRetiring { isIdle = true }
        if isAged(connection, limits) { isReplacing = true }
      }
    }
    guard counted > limits.connectionsMax, !isDialing, isIdle, !isReplacing else { return }
    // What waits for the connection that suits it may keep that open.
    let isWaitedFor = open.contains { number in
      requests[number].map { $0.spec.upstream == upstream && $0.attempts.isEmpty } ?? false
    }
    if !isWaitedFor {
      complain("more than connections_max, though one is idle and none is being replaced")
    }
  }

  /// Old enough that another may take over from it.
  func isAged(_ connection: SimulatedConnection, _ limits: UpstreamLimits) -> Bool {
    let idleFor = now - connection.activeAt
    return now - connection.openedAt > limits.ageLimit.nanoseconds / 100 * 85
      || (!connection.isBusy && idleFor > limits.idleLimit.nanoseconds / 100 * 85)
  }
}
