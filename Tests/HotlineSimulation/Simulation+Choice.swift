import HotlineCore

/// Which of several free lanes a request is to get.
extension Simulation {
  /// A lane that the core could give out, for all that can be seen from outside.
  struct FreeLane {
    var connection: ConnectionNumber
    var lane: Int
    /// Its connection is far from its end of life, jitter or not.
    var isYoung: Bool
    /// When the response ended that somebody may continue there.
    var chainAt: Int64?
  }

  func freeLanes(of upstream: UpstreamIndex) -> [FreeLane] {
    let limits = scenario.upstreams[upstream.rawValue].limits
    var reserved: Set<Maker> = []
    for number in open {
      guard let spec = requests[number]?.spec, let previous = spec.previousResponseID,
        let maker = makers[previous]
      else { continue }
      reserved.insert(maker)
    }
    return present.sorted().flatMap { number -> [FreeLane] in
      guard let connection = connections[number], connection.upstream == upstream,
        connection.isOpenToCore, !connection.isConfused, !connection.mayBeRetiring,
        // One that may be closed like those before it is not trusted yet.
        connection.openedAt + .seconds(2) < timerCalledAt,
        connection.echo == .present || !connection.isBusy
      else { return [] }
      let isYoung = isYoung(connection, limits)
      let usable = connection.echo == .present ? connection.lanes.count : 1
      return (0..<usable).compactMap { lane in
        let state = connection.lanes[lane]
        guard state.current == nil, !state.isSpent, !state.mayBeSpent,
          !reserved.contains(Maker(connection: number, lane: lane))
        else { return nil }
        return FreeLane(
          connection: number, lane: lane, isYoung: isYoung, chainAt: state.chainAt)
      }
    }
  }

  /// What may be taken off a limit, so that connections do not age together.
  private static let jitterPermille: Int64 = 25

  func shortest(_ limit: Duration) -> Int64 {
    limit.nanoseconds / 1000 * (1000 - Self.jitterPermille)
  }

  func isYoung(_ connection: SimulatedConnection, _ limits: UpstreamLimits) -> Bool {
    let margin = min(limits.ageMargin, limits.ageLimit / 10).nanoseconds
    let lead = min(.seconds(30), (limits.idleLimit / 10).nanoseconds)
    return now < connection.openedAt + shortest(limits.ageLimit) - margin
      && now < connection.activeAt + shortest(limits.idleLimit) - lead
  }

  /// What a server stores, it need not fetch for the lane that made it last.
  ///
  /// - Parameter on: where the request is being sent.
  func checkLaneKept(_ request: TrueRequest, _ on: SimulatedConnection, _ lane: Int) {
    guard let previous = request.spec.previousResponseID, request.isRemembered,
      request.attempts.isEmpty, request.turnAt == now, request.spec.priority == .interactive,
      !on.isConfused, !on.mayBeRetiring, on.echo == .present, !mayBeTied(request),
      isYoung(on, scenario.upstreams[on.upstream.rawValue].limits),
      let maker = makers[previous], maker.connection == on.number, maker.lane != lane
    else { return }
    let state = on.lanes[maker.lane]
    let isWaitedFor = open.contains { number in
      guard number != request.number else { return false }
      return requests[number]?.spec.previousResponseID.flatMap { makers[$0] } == maker
    }
    guard state.current == nil, !state.isSpent, !state.mayBeSpent, !isWaitedFor,
      state.latestResponse == previous
    else { return }
    complain("\(describe(request.number)) is not sent on the lane whose latest it continues")
  }

  /// - Parameter on: where the request is being sent.
  func checkChoice(_ request: TrueRequest, _ on: SimulatedConnection, _ lane: Int) {
    let settings = scenario.upstreams[on.upstream.rawValue]
    let limits = settings.limits
    // What continues a response has no choice, what comes back less than others.
    guard request.attempts.isEmpty, !mayBeTied(request), !on.isConfused else { return }
    let margin = min(limits.ageMargin, limits.ageLimit / 10).nanoseconds
    // What waits for the connection that suits it chose that when it came.
    let isOld =
      now > on.openedAt + limits.ageLimit.nanoseconds - margin + limits.patience.nanoseconds
    let chainAt = on.lanes[lane].chainAt
    let prefersNothing =
      request.spec.conversation == nil && request.spec.promptCacheKey == nil
      && request.spec.previousResponseID == nil
    guard isOld || (chainAt != nil && prefersNothing) else { return }
    for other in freeLanes(of: on.upstream) where other.isYoung {
      guard other.connection != on.number || other.lane != lane else { continue }
      let name = "\(describe(request.number)) is sent on C\(on.number.rawValue)"
      if isOld, other.connection != on.number {
        return complain("\(name) near its end, though C\(other.connection.rawValue) is free")
      }
      guard prefersNothing, let chainAt else { continue }
      if other.chainAt.map({ $0 < chainAt }) ?? true {
        let place = "C\(other.connection.rawValue).\(other.lane)"
        return complain("\(name).\(lane), which may be continued, rather than on \(place)")
      }
    }
  }
}
