import HotlineCore

/// What must hold of the whole after every step, after every call of the timer, and at the end.
extension Simulation {
  func checkAfterStep() {
    if case .line(_, let answers) = atHand, arriving != nil {
      checkLine(answers)
      if violation != nil { return }
    }
    for client in clients.values where client.isAccepted { checkHalfClosed(client) }
    for index in scenario.upstreams.indices where !isStopped {
      checkConnectionCounts(of: UpstreamIndex(index))
    }
    checkDrains()
    checkMemory()
    checkSteering()
    for number in unwanted { checkUnwanted(number) }
    unwanted = []
    noteReturned()
    if !isStopped {
      checkPings()
      checkReturned()
    }
    mayHaveReturned = false
    noteNothingOpen()
    checkFailovers()
    checkWarmUps()
    checkLanesGivenUp()
    if !isStopped { checkHoldsEnd() }
    if !isStopped { checkCircuits() }
    // With many requests open, looking at all of them at every step would take too long.
    guard violation == nil, open.count < 16 || step % 8 == 0 else { return }
    if let failure = broker.invariantFailures(at: instant).first {
      complain("inside: \(failure)")
    }
  }

  private func checkLine(_ answers: Int) {
    if answers != 1 { return complain("a request's line is neither accepted nor refused") }
    guard let newest = open.max(), let request = requests[newest], request.arrivedIn == step,
      request.attempts.isEmpty
    else { return }
    var waiting = 0
    for number in open where requests[number]?.attempts.isEmpty == true { waiting += 1 }
    if waiting > scenario.limits.queueRequestsMax {
      complain("\(waiting) requests wait: over queue.requests_max")
    }
  }

  private func checkHalfClosed(_ client: SimulatedClient) {
    guard client.line == .halfClosed, client.open.isEmpty, !client.closeIsAsked else { return }
    let isWaiting = commands.values.contains { $0.client == client.number && !$0.isAnswered }
    if !isWaiting, !awaitsReload(client.number) {
      complain("client \(client.number.rawValue) is done but not closed")
    }
  }

  /// After the timer has fired, nothing that was due is still open, and time moves on.
  func checkDeadlines() {
    for number in open {
      guard let request = requests[number] else { continue }
      if request.deadline <= now { return complain("\(describe(number)) outlives its timeout") }
      checkNotice(of: request)
      let waitsUntil =
        request.attempts.isEmpty ? request.arrivedAt + request.waitTimeout : request.waitsAgainUntil
      if !isRunning(request), waitsUntil <= now {
        return complain("\(describe(number)) outlives its wait")
      }
      if request.attempts.isEmpty { checkPatience(request) }
    }
    for number in present { checkAbandoned(number) }
    for number in present { checkSuccessors(of: number) }
    checkAges()
    checkReplacements()
    checkProbesAreMade()
    checkDialsAreMade()
    if isTerminating, now >= terminationEndsAt {
      return complain("the drain outlives shutdown_timeout")
    }
    if tally.timerCallsAtThisInstant > 12 { complain("the timer fires again and again") }
  }

  /// What waits for the connection that suits it best does not do so for ever.
  private func checkPatience(_ request: TrueRequest) {
    // Where it has just come from another upstream the timer comes once more, however impatient.
    guard let turnAt = request.turnAt, turnAt < now, turnAt + request.patience <= now else {
      return
    }
    let settings = scenario.upstreams[request.spec.upstream.rawValue]
    if mayBeTied(request) { return }
    if isHeld(request.spec.upstream.rawValue) { return }
    for number in present {
      guard let connection = connections[number], connection.upstream == request.spec.upstream,
        connection.isOpenToCore, !connection.mayBeRetiring, !connection.isConfused,
        connection.hasFreeLane, !isAged(connection, settings.limits),
        // One that may be closed like those before it is not trusted yet.
        now - connection.openedAt > .seconds(2)
      else { continue }
      let name = describe(request.number)
      return complain("\(name) waits beyond its patience while C\(number.rawValue) is free")
    }
  }

  /// What nobody wants is not read beyond its time where nothing else keeps its connection.
  private func checkAbandoned(_ number: ConnectionNumber) {
    guard let connection = connections[number], connection.isOpenToCore, !connection.isConfused,
      // A ping that is due comes first, and the timer again at once.
      let lane = connection.lanes.first(where: {
        $0.giveUpAt.map { now > $0 + .milliseconds(20) } ?? false
      }),
      lane.current != nil, leaptAt < (lane.giveUpAt ?? 0), timerCalledAt > (lane.giveUpAt ?? 0),
      !connection.lanes.contains(where: { $0.current.map { open.contains($0) } ?? false }),
      !open.contains(where: { requests[$0]?.spec.previousResponseID != nil })
    else { return }
    complain("C\(number.rawValue) is read beyond abandoned_timeout for nobody")
  }

  /// The core stops to read what nobody wants when the timer is called.
  func spendLanes(of number: ConnectionNumber) {
    guard let lanes = connections[number]?.lanes else { return }
    for lane in lanes.indices {
      guard let giveUpAt = lanes[lane].giveUpAt, now >= giveUpAt, lanes[lane].current != nil else {
        continue
      }
      connections[number]?.lanes[lane].mayBeSpent = true
      connections[number]?.isMarred = true
    }
  }

  // MARK: The end

  func checkRequestsAreOver() {
    if let number = open.min() {
      complain("\(describe(number)) never ended, though the servers are well")
    }
  }

  func checkPoolIsWarm() {
    guard violation == nil, !isStopped else { return }
    checkReloads()
    for (index, settings) in scenario.upstreams.enumerated() {
      let own = present.compactMap { connections[$0] }.filter { $0.upstream.rawValue == index }
      let idle = own.count { $0.isOpenToCore && (!$0.isBusy || $0.isWarming) }
      let dialing = own.count(where: \.isDialing)
      if scenario.isRemoved[index] {
        guard idle + dialing > 0 else { continue }
        return complain("\(idle + dialing) connections of an upstream that is no longer configured")
      }
      let warm = settings.limits.connectionsWarm
      if idle + dialing < warm || (warm > 0 && idle == 0) {
        return complain("\(idle) connections are ready, \(warm) should be")
      }
    }
    let changes = scenario.changes
    let explained =
      8 * tally.accepted + 4 * tally.dials + 16
      + 8 * (changes.networkChanges + changes.suspends + changes.reloads + 2 * changes.drains)
    if tally.emptyTimerCalls > explained {
      complain("\(tally.emptyTimerCalls) calls of the timer had no result")
    }
  }

  /// In three minutes in which nothing happened, only pings and rotations did.
  func checkQuiet() {
    guard violation == nil, !isStopped, let before = quietTally else { return }
    var dialsMax = 0
    var callsMax = 8
    for settings in scenario.upstreams {
      let limits = settings.limits
      let life = min(limits.idleLimit, limits.ageLimit, limits.shrinkAfter).nanoseconds / 100 * 80
      let lives = Int(Int64.seconds(180) / max(1, life)) + 2
      let pings = Int(Int64.seconds(180) / limits.pingInterval.nanoseconds) + 2
      dialsMax += lives * max(1, limits.connectionsWarm)
      callsMax += limits.connectionsMax * (2 * pings + 8 * lives)
    }
    if tally.dials - before.dials > dialsMax {
      return complain("\(tally.dials - before.dials) dials while nothing happens")
    }
    if tally.timerCalls - before.timerCalls > callsMax {
      complain("\(tally.timerCalls - before.timerCalls) calls of the timer while nothing happens")
    }
  }
}
