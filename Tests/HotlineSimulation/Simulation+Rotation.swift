import HotlineCore

/// Connections that grow old are replaced, and only then closed; drops do not become a storm.
extension Simulation {
  /// An idle connection is closed for its age: before its time only where another is there.
  func checkRotation(_ connection: SimulatedConnection) {
    let settings = scenario.upstreams[connection.upstream.rawValue]
    let limits = settings.limits
    let warm = scenario.isRemoved[connection.upstream.rawValue] ? 0 : limits.connectionsWarm
    let others = present.count { number in
      guard let other = connections[number], number != connection.number else { return false }
      // One that may be retiring may as well be in use.
      return other.upstream == connection.upstream && other.isOpenToCore && !other.isBusy
    }
    let ageEnd = connection.openedAt + limits.ageLimit.nanoseconds / 1000 * 975
    let idleEnd = connection.activeAt + limits.idleLimit.nanoseconds / 1000 * 975
    if now < rotateAt(connection, limits) {
      return complain("C\(connection.number.rawValue) is closed long before its time")
    }
    if now < min(ageEnd, idleEnd), others < warm {
      return complain("C\(connection.number.rawValue) is closed before another took over")
    }
    // Servers are well and nobody asks for anything: it could have been replaced in time.
    let isWarming = present.contains { other in
      connections[other].map {
        $0.upstream == connection.upstream && $0.isOpenToCore && $0.isWarming
      } ?? false
    }
    // What was to take over may just have turned out not to end its warm-up.
    let isGivenUpLately =
      warmUps[connection.upstream.rawValue].givenUpAt.map {
        now <= $0 + limits.connectTimeout.nanoseconds
      } ?? false
    if quietTally != nil, warm > 0, others == 0, !isWarming, !isGivenUpLately {
      complain("C\(connection.number.rawValue) is closed for its age, and none is there instead")
    }
  }

  /// When a connection that stays idle is replaced, at the earliest.
  private func rotateAt(_ connection: SimulatedConnection, _ limits: UpstreamLimits) -> Int64 {
    func lead(_ limit: Duration) -> Int64 { min(.seconds(30), (limit / 10).nanoseconds) }
    return min(
      connection.openedAt + shortest(limits.ageLimit) - lead(limits.ageLimit),
      connection.activeAt + shortest(limits.idleLimit) - lead(limits.idleLimit))
  }

  /// An idle connection is closed as one too many: after `shrink_after`, unless there are more than
  /// there may be.
  func checkShrinking(_ connection: SimulatedConnection) {
    let limits = scenario.upstreams[connection.upstream.rawValue].limits
    let living = present.compactMap { connections[$0] }
      .count { $0.upstream == connection.upstream && $0.isLiving }
    if now < connection.activeAt + limits.shrinkAfter.nanoseconds, living <= limits.connectionsMax {
      complain("C\(connection.number.rawValue) is closed before shrink_after")
    }
  }

  /// What is idle is not kept beyond its age, nor what is one too many beyond `shrink_after`.
  func checkAges() {
    for (index, settings) in scenario.upstreams.enumerated() {
      let limits = settings.limits
      let isAwaited = open.contains { number in
        requests[number].map { $0.spec.upstream.rawValue == index && !isRunning($0) } ?? false
      }
      guard !isAwaited else { continue }
      let idle = present.compactMap { connections[$0] }.filter {
        $0.upstream.rawValue == index && $0.isOpenToCore && !$0.isConfused
          && (!$0.isBusy || $0.isWarming)
      }
      let old = idle.first { connection in
        now >= connection.openedAt + limits.ageLimit.nanoseconds
          || now >= connection.activeAt + limits.idleLimit.nanoseconds
      }
      if let old { return complain("C\(old.number.rawValue) is idle and kept beyond its age") }
      let spare = idle.filter { !$0.isBusy && !$0.mayBeRetiring && now < rotateAt($0, limits) }
      guard spare.count > limits.connectionsWarm else { continue }
      let surplus = spare.first { now >= $0.activeAt + limits.shrinkAfter.nanoseconds }
      if let surplus { return complain("C\(surplus.number.rawValue) is one too many") }
    }
  }

  /// One that reaches its age while it is busy is replaced beforehand.
  func checkReplacements() {
    guard !isTerminating else { return }
    for (index, settings) in scenario.upstreams.enumerated() where !scenario.isRemoved[index] {
      let limits = settings.limits
      guard limits.connectionsWarm > 0, !dials[index].isTroubled(at: now) else { continue }
      let living = present.compactMap { connections[$0] }
        .filter { $0.upstream.rawValue == index && $0.isLiving }
      guard !living.contains(where: \.isDialing), living.count <= limits.connectionsMax,
        !living.contains(where: {
          $0.mayBeRetiring || $0.isConfused || !$0.isBusy || $0.isWarming
        })
      else { continue }
      let lead = min(.seconds(30), (limits.ageLimit / 10).nanoseconds)
      let aged = living.first { connection in
        now >= connection.openedAt + limits.ageLimit.nanoseconds - lead
          // Nothing more fits on it.
          && living.allSatisfy { $0.echo != .present || !$0.hasFreeLane }
      }
      guard let aged else { continue }
      return complain(
        "no replacement is dialled for C\(aged.number.rawValue), which is old and busy")
    }
  }

  // MARK: Drops

  private static let dropsMax = 10

  func noteDrop(of connection: SimulatedConnection) {
    let index = connection.upstream.rawValue
    drops[index].removeAll { now - $0.instant > .seconds(10) }
    drops[index].append((now, isSure: !connection.isMarred))
    if drops[index].count(where: \.isSure) > Self.dropsMax {
      complain("more than \(Self.dropsMax) responses are dropped within 10 s")
    }
  }

  /// A response that is alone on its connection and that nobody wants costs that connection.
  func checkUnwanted(_ number: RequestNumber) {
    guard violation == nil, !isStopped, let attempt = requests[number]?.attempts.last,
      let connection = connections[attempt.connection], connection.isOpenToCore,
      !connection.isConfused, connection.lanes[attempt.lane].current == number
    else { return }
    checkCancelled(connection.lanes[attempt.lane], of: connection)
    guard connection.echo != .present || connection.lanes.count == 1 else { return }
    let index = connection.upstream.rawValue
    guard scenario.upstreams[index].limits.cancel == .drop else { return }
    let count = drops[index].count { now - $0.instant <= .seconds(10) }
    if count < Self.dropsMax {
      complain("nobody wants \(describe(number)), yet C\(attempt.connection.rawValue) is kept")
    }
  }
}
