import HotlineCore

/// What lost its connection and waits for another.
extension Simulation {
  /// Some requests may have come back, or gone on, in this step.
  func noteReturned() {
    guard mayHaveReturned || !returned.isEmpty else { return }
    returned = open.filter { number in
      guard let request = requests[number], !request.attempts.isEmpty else { return false }
      return !isRunning(request)
    }
    for number in returned where requests[number]?.waitsAgainSince == nil {
      guard let spec = requests[number]?.spec else { continue }
      let wait = spec.waitTimeout ?? scenario.limits.waitTimeout
      requests[number]?.waitsAgainSince = now
      if requests[number]?.isNoticed == false {
        requests[number]?.noticeAt = now + scenario.limits.queuedNoticeAfter.nanoseconds
      }
      requests[number]?.waitsAgainUntil = now + wait.nanoseconds
    }
  }

  /// The latest loss of those that the request went through.
  private func lostAt(_ request: TrueRequest) -> Int64? {
    request.attempts.compactMap { connections[$0.connection]?.lostAt }.max()
  }

  /// What came back goes on as soon as it can: where the server has been heard since the loss; and
  /// where it could be, it is asked for a sign of life.
  func checkReturned() {
    for number in returned.sorted() {
      guard let request = requests[number], !isHeld(request.spec.upstream.rawValue),
        !isHoldEnding(request.spec.upstream.rawValue), !hasMoved(request)
      else { continue }
      let lostAt = lostAt(request) ?? 0
      let limits = scenario.upstreams[request.spec.upstream.rawValue].limits
      for place in freeLanes(of: request.spec.upstream) {
        guard let connection = connections[place.connection],
          now < connection.openedAt + limits.ageLimit.nanoseconds / 1000 * 975
        else { continue }
        let name = "C\(place.connection.rawValue)"
        guard max(connection.heardAt, connection.openedAt) < lostAt else {
          return complain("\(describe(number)) waits again, though \(name) is free")
        }
        let limit = min(limits.probeTimeout, limits.pongTimeout).nanoseconds
        guard lostAt == now, !connection.isBusy else { continue }
        if connection.givenUp.map({ $0.from > now + limit }) ?? true {
          return complain("\(name) is not asked for \(describe(number)), which could go on there")
        }
      }
    }
  }
}
